"""What of a dialog need not be worked out again: its finished conversations, as they went into the newest training
set.

Knows nothing of how sessions come about. It holds no text: a session's line is read from the snapshot on disk, and
what the vault and the account need of it is numbers, labels and keyed hashes.

A conversation is finished when it lies before everything that is held out and another one follows it. It is worked
out again when any message of the dialog up to then comes, goes or changes (triggers of the database see to that,
whoever writes), and when settings, rules or code change. What was built while something changed is not kept either.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlite_utils import Database

from training.reuse import Key, locked
from training.sheet import Ints, Sheet

NO_SESSION, READ_AGAIN = -1, -2
_TRIGGERS = {f"derived_kept_{event}" for event in ("insert", "update", "delete")}


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a run that is no number of its session.

    Attributes:
        gone: messages left out, by reason; `empty` how many had nothing to show.
        lost: turns of the owner that are no turns any more, by reason.
        found: secrets by label; `vault` what the vault keeps of them, a label with its entries each.
    """

    gone: dict[str, int] = field(default_factory=dict)
    empty: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    vault: list[tuple[str, list[Any]]] = field(default_factory=list)


NOTHING = Told()


@dataclass(slots=True)
class Kept:
    """The finished runs of one dialog, in any order.

    Attributes:
        until: when the first run that is not finished begins (UTC epoch seconds).
        first, last, count: of each run: its first and last message's time, how many messages.
        line: of each run: the line of its session in the train part, NO_SESSION or READ_AGAIN.
        is_balanced: of each run: whether turns in that line are withheld only for balance.
        scrub: of each run: the key of its findings.
        told: of runs (by row) of which there is something to tell.
        sheet: of the sessions that have lines, in the order of the runs, before balance.
    """

    until: int
    first: Ints
    last: Ints
    count: Ints
    line: Ints
    is_balanced: Ints
    scrub: list[Key]
    told: dict[int, Told]
    sheet: Sheet

    @classmethod
    def of(cls, until: int, runs: Sequence[KeptRun], sheet: Sheet) -> Kept:
        """Of runs, and the sheet of those among them that have lines."""

        def column(name: str) -> Ints:
            return np.array([getattr(run, name) for run in runs], dtype=np.int64)

        return cls(
            until,
            column("first"),
            column("last"),
            column("count"),
            column("line"),
            column("is_balanced"),
            [run.scrub for run in runs],
            {row: run.told for row, run in enumerate(runs) if run.told != NOTHING},
            sheet,
        )

    def write(self) -> bytes:
        """All of it, for `read`."""
        file = io.BytesIO()
        told = {row: [t.gone, t.empty, t.lost, t.found, t.vault] for row, t in self.told.items()}
        np.savez(
            file,
            runs=np.stack([self.first, self.last, self.count, self.line, self.is_balanced]),
            scrub=np.frombuffer(b"".join(self.scrub), dtype=np.uint8),
            told=np.frombuffer(json.dumps(told).encode(), dtype=np.uint8),
            sheet=np.frombuffer(self.sheet.write(), dtype=np.uint8),
        )
        return file.getvalue()

    @classmethod
    def read(cls, until: int, written: bytes) -> Kept:
        """The inverse of `write`."""
        with np.load(io.BytesIO(written), allow_pickle=False) as parts:
            first, last, count, line, is_balanced = parts["runs"]
            keys = parts["scrub"].tobytes()
            told = {int(row): Told(*values) for row, values in json.loads(parts["told"].tobytes()).items()}
            size = len(keys) // max(1, len(first))
            return cls(
                until,
                first,
                last,
                count,
                line,
                is_balanced,
                [keys[place : place + size] for place in range(0, len(keys), size or 1)],
                told,
                Sheet.read(parts["sheet"].tobytes()),
            )


@dataclass(frozen=True, slots=True)
class KeptRun:
    """One row of Kept."""

    first: int
    last: int
    count: int
    line: int
    is_balanced: bool
    scrub: Key
    told: Told


class Keeper:
    """What is kept of all dialogs, over one database connection, for one build.

    Args:
        tokens: of each dialog that counts, what changes with everything but messages on which the outcome depends.
    """

    def __init__(self, db: Database, tokens: Mapping[int, str]) -> None:
        self._db = db
        self._tokens = tokens
        self._build = secrets.token_hex(8)

    def begin(self) -> tuple[str, dict[int, Kept]]:
        """The fingerprint of the newest snapshot, and what of it is still as it was, by dialog.

        From now on no change of a dialog goes unnoticed.
        """
        if not self._is_watched():
            return "", {}
        with locked(self._db):
            self._db.conn.executemany(
                "insert or ignore into derived_kept (chat_id) values (?)", [(chat_id,) for chat_id in self._tokens]
            )
            self._db.conn.execute("update derived_kept set building = ?", [self._build])
            rows = self._db.conn.execute(
                "select chat_id, until, token, snapshot, value from derived_kept where value is not null"
            ).fetchall()
        snapshot = next((row[3] for row in rows), "")  # one build wrote them all
        return snapshot, {
            chat_id: Kept.read(until, value)
            for chat_id, until, token, of, value in rows
            if of == snapshot and token == self._tokens.get(chat_id)
        }

    def keep(self, snapshot: str, kept: Mapping[int, Kept]) -> None:
        """Keep this for the next build, but for dialogs that changed since `begin`."""
        with locked(self._db):
            self._db.conn.executemany(
                "update derived_kept set until = ?, token = ?, snapshot = ?, value = ?, building = null"
                " where chat_id = ? and building = ?",
                [
                    (its.until, self._tokens[chat_id], snapshot, its.write(), chat_id, self._build)
                    for chat_id, its in kept.items()
                ],
            )
            self._db.conn.execute("delete from derived_kept where building = ?", [self._build])

    def _is_watched(self) -> bool:
        names = {row[0] for row in self._db.execute("select name from sqlite_master where type = 'trigger'")}
        return names >= _TRIGGERS

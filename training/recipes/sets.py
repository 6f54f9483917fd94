"""Sets: named conversations from elsewhere, kept in the database and mixed into training by weight.

Knows nothing of how a row came to be, nor of the snapshot that takes it in.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlite_utils import Database

from twin.errors import DatasetError
from twin.messages import Bubble, Session, Turn

MAX_WEIGHT = 100.0
_NAME = re.compile(r"(?!telegram$)\w[\w.-]{0,63}")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class SetRow:
    """One conversation of a set.

    Attributes:
        turns: oldest first, without times; the owner's are supervised unless they are withheld.
        system: the system text that stood above it, kept but not trained on: a twin has one of its own.
        chats: ids of the dialogs whose words went into it, so that they can be forgotten.
    """

    turns: tuple[Turn, ...]
    system: str = ""
    chats: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SetInfo:
    """A set and its counts.

    Attributes:
        kind: the recipe or format that made it ("alpaca", "identity" ...).
        weight: how often training sees a row: 1 once, 2 twice, 0.5 every second row, 0 never.
        is_synthetic: whether the owner's words in it were not written by a person.
        added_at: aware UTC.
        source: a file's name without its folders, or what else it was made from.
        owner_turns, characters: supervised ones, before the weight.
    """

    name: str
    kind: str
    weight: float
    is_synthetic: bool
    added_at: datetime
    source: str
    rows: int
    owner_turns: int
    characters: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for scripts."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"added_at": self.added_at.isoformat()}


class Sets:
    """The sets over one database connection."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(
        self,
        name: str,
        rows: Iterable[SetRow],
        *,
        kind: str,
        now: datetime,
        weight: float | None = None,
        is_synthetic: bool = False,
        source: str = "",
    ) -> SetInfo:
        """Add a set, or replace the one of that name: all of its rows or, on any error, none.

        Rows may come from a long computation: until all are there, the database is not locked.

        Args:
            weight: None leaves that of the set that is replaced; a new one has 1.

        Raises:
            DatasetError: the name or the weight cannot be one.
        """
        check_name(name)
        if weight is None:
            weight = next((info.weight for info in self.all() if info.name == name), 1.0)
        check_weight(weight)
        with self._staging():
            numbered = enumerate(rows, 1)
            while batch := [_write(number, row) for number, row in islice(numbered, _BATCH)]:
                with self._db.atomic():
                    self._db.conn.executemany("insert into temp.incoming_rows values (?, ?, ?, ?, ?, ?)", batch)
            with self._locked():
                self._delete(name)
                self._db.execute(
                    "insert into sets (name, kind, weight, is_synthetic, added_at, source) values (?, ?, ?, ?, ?, ?)",
                    [name, kind, weight, int(is_synthetic), now.timestamp(), source],
                )
                self._db.execute("insert into set_rows select ?, * from temp.incoming_rows", [name])
        return self.find(name)

    def all(self) -> list[SetInfo]:
        """Every set with its counts, by name."""
        rows = self._db.query(
            "select s.*, count(r.number) as rows, coalesce(sum(r.owner_turns), 0) as owner_turns,"
            " coalesce(sum(r.characters), 0) as characters"
            " from sets s left join set_rows r using (name) group by s.name order by s.name"
        )
        return [
            SetInfo(
                name=row["name"],
                kind=row["kind"],
                weight=row["weight"],
                is_synthetic=bool(row["is_synthetic"]),
                added_at=datetime.fromtimestamp(row["added_at"], UTC),
                source=row["source"] or "",
                rows=row["rows"],
                owner_turns=row["owner_turns"],
                characters=row["characters"],
            )
            for row in rows
        ]

    def find(self, name: str) -> SetInfo:
        """One set.

        Raises:
            DatasetError: there is none of that name.
        """
        found = next((info for info in self.all() if info.name == name), None)
        if found is None:
            raise DatasetError("There is no set of that name", "`twin dataset sets list` shows them")
        return found

    def weigh(self, name: str, weight: float) -> SetInfo:
        """Change how often training sees a set.

        Raises:
            DatasetError: there is no such set, or the weight cannot be one.
        """
        check_weight(weight)
        self.find(name)
        self._db.execute("update sets set weight = ? where name = ?", [weight, name])
        return self.find(name)

    def remove(self, name: str) -> SetInfo:
        """Delete a set with its rows; returns what it was.

        Raises:
            DatasetError: there is no such set.
        """
        gone = self.find(name)
        with self._locked():
            self._delete(name)
        return gone

    def rows(self, name: str) -> Iterator[SetRow]:
        """A set's rows in their order, whatever its weight.

        Raises:
            DatasetError: there is no such set.
        """
        self.find(name)
        for turns, system, chats in self._db.execute(
            "select turns, system, chats from set_rows where name = ? order by number", [name]
        ):
            yield SetRow(_read_turns(turns), system or "", tuple(json.loads(chats or "[]")))

    def sessions(self) -> Iterator[Session]:
        """What training mixes in: rows as sessions, by set's name, then number, repeated by weight.

        A weight's whole part repeats every row of the set, its fraction adds the rows whose hash lies below it: the
        same rows on every machine, and those of 0.3 are among those of 0.6.
        """
        for info in self.all():
            whole, fraction = divmod(info.weight, 1)
            for again in range(int(whole) + (fraction > 0)):
                for (turns,) in self._db.execute(
                    "select turns from set_rows where name = ? order by number", [info.name]
                ):
                    if again < whole or _share(info.name, turns) < fraction:
                        yield Session(0, _read_turns(turns), origin=info.name)

    @contextmanager
    def _staging(self) -> Iterator[None]:
        columns = "number, turns, system, owner_turns, characters, chats"
        self._db.execute("drop table if exists temp.incoming_rows")
        self._db.execute(f"create temp table incoming_rows as select {columns} from set_rows limit 0")  # noqa: S608
        try:
            yield
        finally:
            self._db.execute("drop table if exists temp.incoming_rows")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One transaction that takes the write lock at once, so that it never has to give up half-way."""
        self._db.conn.execute("begin immediate")
        try:
            yield
            self._db.conn.execute("commit")
        except BaseException:
            self._db.rollback()
            raise

    def _delete(self, name: str) -> None:
        self._db.execute("delete from set_rows where name = ?", [name])
        self._db.execute("delete from sets where name = ?", [name])


def check_name(name: str) -> None:
    """Refuse what cannot be a set's name before anything is read or asked.

    Raises:
        DatasetError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(
            "That cannot be the name of a set", 'use up to 64 letters, digits, "-", "_" and ".", not "telegram"'
        )


def check_weight(weight: float) -> None:
    """Refuse what cannot be a weight.

    Raises:
        DatasetError: it is not between 0 and MAX_WEIGHT.
    """
    if not 0 <= weight <= MAX_WEIGHT:
        raise DatasetError("That cannot be a weight", f"choose one from 0 (never) to {MAX_WEIGHT:.0f}")


def _share(name: str, turns: str) -> float:
    """Where in [0, 1) a row lies: by what it says, so that other rows' coming and going does not move it."""
    digest = hashlib.sha256(f"{name}\n{turns}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _write(number: int, row: SetRow) -> tuple[Any, ...]:
    learned = [turn for turn in row.turns if turn.is_supervisable]
    return (
        number,
        json.dumps([_write_turn(turn) for turn in row.turns], ensure_ascii=False, separators=(",", ":")),
        row.system or None,
        len(learned),
        sum(turn.characters for turn in learned),
        json.dumps(row.chats) if row.chats else None,
    )


def _write_turn(turn: Turn) -> dict[str, Any]:
    said = [part.text if part.authored else {"text": part.text, "authored": False} for part in turn.bubbles]
    return {"speaker": turn.speaker, "bubbles": said} | ({"withheld": turn.withheld} if turn.withheld else {})


def _read_turns(text: str) -> tuple[Turn, ...]:
    return tuple(
        Turn(
            turn["speaker"],
            tuple(Bubble(p) if isinstance(p, str) else Bubble(p["text"], p["authored"]) for p in turn["bubbles"]),
            withheld=turn.get("withheld"),
        )
        for turn in json.loads(text)
    )

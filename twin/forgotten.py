"""What the owner wanted forgotten, and what learned from it: the tables `forgotten` and `forgotten_snapshots`.

Knows nothing of how messages are deleted or where training sets lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from twin.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Forgetting:
    """One wish of the owner: messages of a dialog sent before a time (aware UTC) are gone and never stored again.

    `is_done` tells that they are gone; until then they are being deleted, or that was broken off.
    """

    id: int
    chat_id: int
    before: datetime
    forgotten_at: datetime
    is_done: bool = False


class Forgettings:
    """The wishes that hold, over one database connection."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, chat_id: int, before: datetime, now: datetime) -> Forgetting:
        """Record a wish, before the first message is deleted: from then on none of them is stored again."""
        cursor = self._db.conn.execute(
            "insert into forgotten (chat_id, before, forgotten_at) values (?, ?, ?)",
            [chat_id, int(before.timestamp()), now.timestamp()],
        )
        return next(wish for wish in self.all() if wish.id == cursor.lastrowid)

    def all(self) -> list[Forgetting]:
        """Every wish, oldest first."""
        rows = self._db.execute("select id, chat_id, before, forgotten_at, is_done from forgotten order by id")
        return [
            Forgetting(number, chat, _time(before), _time(at), bool(done)) for number, chat, before, at, done in rows
        ]

    def finish(self, wish: Forgetting) -> None:
        """Its messages are gone; those of earlier wishes that it includes, too."""
        self._db.execute(
            "update forgotten set is_done = 1 where chat_id = ? and before <= ?",
            [wish.chat_id, int(wish.before.timestamp())],
        )

    def until(self) -> dict[int, datetime]:
        """By dialog the time before which its messages are forgotten."""
        rows = self._db.execute("select chat_id, max(before) from forgotten group by chat_id")
        return {chat_id: _time(before) for chat_id, before in rows}

    def lift(self, chat_id: int) -> int:
        """Take all wishes about a dialog back; returns how many there were."""
        with self._db.atomic():
            self._db.execute(
                "delete from forgotten_snapshots where forgotten_id in (select id from forgotten where chat_id = ?)",
                [chat_id],
            )
            return int(self._db.execute("delete from forgotten where chat_id = ?", [chat_id]).rowcount)

    def note_snapshots(self, wish: Forgetting, held: Mapping[str, bool]) -> None:
        """Keep which training sets, by fingerprint, held messages that a wish is about."""
        with self._db.atomic():
            self._db.conn.executemany(
                "insert or replace into forgotten_snapshots (forgotten_id, fingerprint, held) values (?, ?, ?)",
                [(wish.id, fingerprint, int(is_held)) for fingerprint, is_held in held.items()],
            )

    def learned_by(self, manifest: Manifest, *wishes: Forgetting) -> Forgetting | None:
        """The first wish (of some, or of all) that makes an adapter stale: it learned from what was to be forgotten.

        That is so when its training set held some. When nothing tells what was in its training set any more, every
        adapter that is older than the wish counts as having learned from them.
        """
        known: dict[int, Any] = dict(
            self._db.execute(
                "select forgotten_id, held from forgotten_snapshots where fingerprint = ?", [manifest.dataset]
            ).fetchall()
        )
        made_at = datetime.fromisoformat(manifest.created_at)
        return next((w for w in wishes or self.all() if known.get(w.id, made_at <= w.forgotten_at)), None)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

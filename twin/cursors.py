"""Cursors: how far each dialog of the live account has been read.

Knows nothing of Telegram's client or of messages; it sees ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Cursor:
    """Every message of a dialog with `oldest_id` <= id <= `newest_id` is stored, or was left out and counted.

    Attributes:
        is_complete: nothing older is left to read.
    """

    oldest_id: int
    newest_id: int
    is_complete: bool = False


class Cursors:
    """The table `cursors` over one database connection."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> dict[int, Cursor]:
        """Every dialog's cursor by its chat id."""
        rows = self._db.execute("select chat_id, oldest_id, newest_id, is_complete from cursors")
        return {chat_id: Cursor(oldest, newest, bool(complete)) for chat_id, oldest, newest, complete in rows}

    def get(self, chat_id: int) -> Cursor | None:
        """One dialog's cursor; None before its first page."""
        row = self._db.execute(
            "select oldest_id, newest_id, is_complete from cursors where chat_id = ?", [chat_id]
        ).fetchone()
        return None if row is None else Cursor(row[0], row[1], bool(row[2]))

    def move(self, chat_id: int, before: Cursor | None, after: Cursor, owner_id: int, at: datetime) -> bool:
        """Move a cursor, in the transaction that writes what it then covers.

        Args:
            before: where it stood when the reading began; None for nowhere yet.
            owner_id: whose account was read.

        Returns:
            whether it moved: not if another process moved it meanwhile, for two stretches that were read apart might
            leave a gap between them.
        """
        values = [owner_id, after.oldest_id, after.newest_id, int(after.is_complete), int(at.timestamp())]
        if before is None:
            moved = self._db.execute(
                "insert into cursors (chat_id, owner_id, oldest_id, newest_id, is_complete, updated_at)"
                " values (?, ?, ?, ?, ?, ?) on conflict (chat_id) do nothing",
                [chat_id, *values],
            )
        else:
            moved = self._db.execute(
                "update cursors set owner_id = ?, oldest_id = ?, newest_id = ?, is_complete = ?, updated_at = ?"
                " where chat_id = ? and oldest_id = ? and newest_id = ? and is_complete = ?",
                [*values, chat_id, before.oldest_id, before.newest_id, int(before.is_complete)],
            )
        return moved.rowcount == 1

    def owner(self) -> int | None:
        """Whose account was read; None when none was."""
        row = self._db.execute("select owner_id from cursors limit 1").fetchone()
        return None if row is None else int(row[0])

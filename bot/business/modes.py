"""What the bot does in each of the owner's own chats: nothing, suggest, or answer; and who was seen there, and when.

Knows nothing of what is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from sqlite_utils import Database

from twin.console import printable

Mode = Literal["off", "draft", "auto"]
MODES: tuple[Mode, ...] = get_args(Mode)
_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody in whose chat something was said while the bot was connected."""

    chat_id: int
    name: str
    mode: Mode


class Modes:
    """Rows of `business_dialogs` over one database connection.

    Args:
        default: for chats of which the owner said nothing.
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, db: Database, default: Mode, clock: Callable[[], float]) -> None:
        self._db = db
        self.default: Mode = default
        self._clock = clock

    def saw(self, chat_id: int, name: str | None, heard_at: float | None = None) -> None:
        """Something was said in a chat; `heard_at`: when the other person said it, UTC epoch seconds."""
        self._db.execute(
            "insert into business_dialogs (chat_id, name, heard_at, seen_at) values (?, ?, ?, ?) on conflict (chat_id)"
            " do update set name = coalesce(excluded.name, name), seen_at = excluded.seen_at,"
            " heard_at = max(coalesce(heard_at, 0), coalesce(excluded.heard_at, 0))",
            [chat_id, printable(name or "")[:_NAME_LENGTH].strip() or None, heard_at, self._clock()],
        )

    def mode(self, chat_id: int) -> Mode:
        """What is done in a chat."""
        row = self._db.execute("select mode from business_dialogs where chat_id = ?", [chat_id]).fetchone()
        return next((mode for mode in MODES if row and row[0] == mode), self.default)

    def cycle(self, chat_id: int) -> Mode:
        """The next mode for a chat; returns it."""
        mode = MODES[(MODES.index(self.mode(chat_id)) + 1) % len(MODES)]
        self._db.execute("update business_dialogs set mode = ? where chat_id = ?", [mode, chat_id])
        return self.mode(chat_id)

    def heard_at(self, chat_id: int) -> float | None:
        """When the other person wrote last, in UTC epoch seconds; None if that was not seen."""
        row = self._db.execute("select heard_at from business_dialogs where chat_id = ?", [chat_id]).fetchone()
        return row[0] if row else None

    def name(self, chat_id: int) -> str:
        """What to call somebody."""
        row = self._db.execute("select name from business_dialogs where chat_id = ?", [chat_id]).fetchone()
        return row[0] if row and row[0] else f"User {chat_id}"

    def seen(self, most: int) -> list[Seen]:
        """The chats in which something was said last, newest first."""
        rows = self._db.execute("select chat_id from business_dialogs order by seen_at desc, chat_id limit ?", [most])
        return [Seen(chat_id, self.name(chat_id), self.mode(chat_id)) for (chat_id,) in rows.fetchall()]

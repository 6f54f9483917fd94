"""What the owner switched while the bot ran: named values that outlive a restart.

Knows nothing of what they mean.
"""

from __future__ import annotations

import json

from sqlite_utils import Database


class Switches:
    """Rows of `bot_switches`: numbers and short words by name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, name: str) -> float | str | None:
        """A value; None if it was never set, or taken back."""
        row = self._db.execute("select value from bot_switches where name = ?", [name]).fetchone()
        value: float | str | None = json.loads(row[0]) if row else None
        return value

    def set(self, name: str, value: float | str) -> None:
        """Set a value."""
        self._db.execute("insert or replace into bot_switches (name, value) values (?, ?)", [name, json.dumps(value)])

    def clear(self, name: str) -> None:
        """Take a value back."""
        self._db.execute("delete from bot_switches where name = ?", [name])

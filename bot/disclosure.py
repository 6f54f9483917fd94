"""Who was told, before the first reply, that a program answers; once.

Knows nothing of Telegram, or of the words.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlite_utils import Database

from twin.settings import Settings


class Disclosure:
    """Who was told already, over rows of `bot_people`.

    Args:
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, settings: Settings, db: Database, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._db = db
        self._clock = clock

    def is_due(self, user_id: int) -> bool:
        """Whether somebody was never told, and is to be."""
        if not self._settings.telegram.disclosure:
            return False
        told = self._db.execute(
            "select 1 from bot_people where user_id = ? and disclosed_at is not null", [user_id]
        ).fetchone()
        return told is None

    def told(self, user_id: int) -> None:
        """They know now."""
        self._db.execute(
            "insert into bot_people (user_id, disclosed_at) values (?, ?)"
            " on conflict (user_id) do update set disclosed_at = excluded.disclosed_at",
            [user_id, self._clock()],
        )

    def forget(self, user_id: int) -> None:
        """They are told again before the next reply."""
        self._db.execute("update bot_people set disclosed_at = null where user_id = ?", [user_id])

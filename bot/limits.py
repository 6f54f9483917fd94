"""How much the bot answers: so many messages a minute and a day from one person, and so many a day from all.

Knows nothing of what was asked. What was let through is a row, an id and a time, so that a restart forgets nothing; the
windows slide, and what was not let through counts against nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlite_utils import Database

from twin.sections import Telegram

MINUTE, DAY = 60.0, 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many messages in so many seconds; `of_all`: from everybody together."""

    name: str
    most: int
    seconds: float
    of_all: bool = False


class Limits:
    """The limits, over rows of `bot_admitted`.

    Args:
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, db: Database, telegram: Telegram, clock: Callable[[], float]) -> None:
        self._db = db
        self._clock = clock
        self._limits = (
            Limit("minute", telegram.messages_per_minute, MINUTE),
            Limit("day", telegram.messages_per_day, DAY),
            Limit("all", telegram.messages_per_day_in_all, DAY, of_all=True),
        )

    def admit(self, update_id: int, user_id: int) -> Limit | None:
        """Count an update of somebody's; the same update again counts once.

        Returns:
            None if it is to be answered, else the limit that forbids it.
        """
        now = self._clock()
        with self._db.atomic():
            self._db.execute("delete from bot_admitted where at <= ?", [now - DAY])
            if self._db.execute("select 1 from bot_admitted where update_id = ?", [update_id]).fetchone():
                return None
            reached = next((limit for limit in self._limits if self._count(limit, user_id, now) >= limit.most), None)
            if reached is None:
                self._db.execute("insert into bot_admitted values (?, ?, ?)", [update_id, user_id, now])
        return reached

    def is_news(self, limit: Limit, user_id: int) -> bool:
        """Whether they were not told of this limit within its period; asking counts as telling them."""
        now = self._clock()
        told = self._db.execute(
            "insert into bot_limits_told (user_id, what, at) values (?, ?, ?) on conflict (user_id, what)"
            " do update set at = excluded.at where at <= ?",
            [user_id, limit.name, now, now - limit.seconds],
        )
        return bool(told.rowcount)

    def _count(self, limit: Limit, user_id: int, now: float) -> int:
        (count,) = self._db.execute(
            "select count(*) from bot_admitted where at > ? and (user_id = ? or ?)",
            [now - limit.seconds, user_id, limit.of_all],
        ).fetchone()
        return int(count)

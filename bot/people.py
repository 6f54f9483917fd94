"""The people whom the owner let in or kept out from within Telegram, beside those whom the settings allow.

Knows nothing of messages: ids in, decisions out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlite_utils import Database

_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may talk to the bot, or is kept out.

    Attributes:
        name: as Telegram last told it; None when it never did.
        is_allowed: what the owner said last, else True, as the settings say.
    """

    user_id: int
    name: str | None
    is_allowed: bool


class People:
    """Who may talk to the bot, over rows of `bot_people`; the owner always may.

    Args:
        allowed_ids: whom the settings allow; a later /deny in Telegram outweighs them.
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, db: Database, owner: int, allowed_ids: frozenset[int], clock: Callable[[], float]) -> None:
        self._db = db
        self._owner = owner
        self._allowed_ids = allowed_ids
        self._clock = clock

    def may_talk(self, user_id: int) -> bool:
        """Whether the bot listens to them."""
        return user_id == self._owner or self._said(user_id, default=user_id in self._allowed_ids)

    def is_denied(self, user_id: int) -> bool:
        """Whether the owner kept out this very person."""
        return user_id != self._owner and not self._said(user_id, default=True)

    def allow(self, user_id: int, name: str | None = None) -> None:
        """Let somebody in, from now on."""
        self._say(user_id, name, is_allowed=True)

    def deny(self, user_id: int, name: str | None = None) -> None:
        """Keep somebody out, from now on, whatever the settings say."""
        self._say(user_id, name, is_allowed=False)

    def listed(self) -> list[Person]:
        """Everybody who is allowed or denied, but the owner: the allowed first, each by id."""
        rows = self._db.execute("select user_id, name, is_allowed from bot_people where is_allowed is not null")
        people = {user_id: Person(user_id, name, bool(is_allowed)) for user_id, name, is_allowed in rows}
        for user_id in self._allowed_ids:
            people.setdefault(user_id, Person(user_id, None, is_allowed=True))
        people.pop(self._owner, None)
        return sorted(people.values(), key=lambda person: (not person.is_allowed, person.user_id))

    def _said(self, user_id: int, *, default: bool) -> bool:
        row = self._db.execute("select is_allowed from bot_people where user_id = ?", [user_id]).fetchone()
        return default if row is None or row[0] is None else bool(row[0])

    def _say(self, user_id: int, name: str | None, *, is_allowed: bool) -> None:
        self._db.execute(
            "insert into bot_people (user_id, name, is_allowed, decided_at) values (?, ?, ?, ?) on conflict (user_id)"
            " do update set name = coalesce(excluded.name, name), is_allowed = excluded.is_allowed,"
            " decided_at = excluded.decided_at",
            [user_id, _one_line(name), is_allowed, self._clock()],
        )


def _one_line(name: str | None) -> str | None:
    """A name as it may stand in a list: no line of its own, no control character, not endless."""
    if name is None:
        return None
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:_NAME_LENGTH] or None

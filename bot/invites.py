"""One-time invites: random words that let one person in, once, for a day.

Knows nothing of links or messages. Only hashes are kept: whoever reads the database cannot come in with it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable

from sqlite_utils import Database

from bot.people import People

KEEP_SECONDS = 24 * 3600.0
_BYTES = 16  # 128 random bits: 22 characters, of those that a deep link may have
_SHAPE = re.compile(r"[A-Za-z0-9_-]{22}")


class Invites:
    """Rows of `bot_invites` over one database connection.

    Args:
        people: whom a used invite lets in.
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, db: Database, people: People, clock: Callable[[], float]) -> None:
        self._db = db
        self._people = people
        self._clock = clock

    def create(self) -> str:
        """A new invite; it is shown once and cannot be read again."""
        token = secrets.token_urlsafe(_BYTES)
        now = self._clock()
        with self._db.atomic():
            self._db.execute("delete from bot_invites where expires_at <= ? and used_by is null", [now])
            self._db.execute(
                "insert into bot_invites (hash, expires_at) values (?, ?)", [_hash(token), now + KEEP_SECONDS]
            )
        return token

    def redeem(self, token: str, user_id: int, name: str | None) -> bool:
        """Let somebody in with an invite that nobody used and that is not too old; not whom the owner denied.

        Returns:
            whether they are in.
        """
        if not looks_like_invite(token) or self._people.is_denied(user_id):
            return False
        with self._db.atomic():
            used = self._db.execute(
                "update bot_invites set used_by = ? where hash = ? and used_by is null and expires_at > ?",
                [user_id, _hash(token), self._clock()],
            )
            if used.rowcount:
                self._people.allow(user_id, name)
        return bool(used.rowcount)

    def arrivals(self) -> list[int]:
        """Who came in and was not told to the owner yet."""
        rows = self._db.execute("select used_by from bot_invites where used_by is not null and told = 0")
        return [user_id for (user_id,) in rows.fetchall()]

    def told(self, user_id: int) -> None:
        """The owner knows of this arrival."""
        self._db.execute("update bot_invites set told = 1 where used_by = ?", [user_id])


def looks_like_invite(token: str) -> bool:
    """Whether a word may be an invite at all."""
    return _SHAPE.fullmatch(token) is not None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

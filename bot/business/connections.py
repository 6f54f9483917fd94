"""Business connections: whose account the bot is connected to, and whether it may answer there.

Knows nothing of chats. Only the owner's connections count; those of other people are known by id, to be ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlite_utils import Database
from telegram import Bot, BusinessConnection
from telegram.error import BadRequest, Forbidden

from bot.delivery import deliver
from bot.pacing import Rhythm

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of the owner's; `can_reply` is the right to write in chats where somebody wrote lately."""

    id: str
    can_reply: bool
    is_enabled: bool


class Connections:
    """Rows of `business_connections` over one database connection.

    Args:
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, db: Database, bot: Bot, owner: int, rhythm: Rhythm, clock: Callable[[], float]) -> None:
        self._db = db
        self._bot = bot
        self._owner = owner
        self._rhythm = rhythm
        self._clock = clock
        self._foreign: set[str] = set()

    def note(self, told: BusinessConnection) -> None:
        """What Telegram says of a connection of the owner's; if that is news, the owner is to be told."""
        can_reply = told.rights is not None and bool(told.rights.can_reply)
        self._db.execute(
            "insert into business_connections (id, user_id, can_reply, is_enabled, seen_at, told)"
            " values (?, ?, ?, ?, ?, 0) on conflict (id) do update set seen_at = excluded.seen_at,"
            " told = told and can_reply = excluded.can_reply and is_enabled = excluded.is_enabled,"
            " can_reply = excluded.can_reply, is_enabled = excluded.is_enabled",
            [told.id, told.user.id, can_reply, told.is_enabled, self._clock()],
        )

    async def is_owners(self, connection_id: str | None) -> bool:
        """Whether messages of a connection are those of the owner's chats; Telegram is asked about unknown ones."""
        if connection_id is None or connection_id in self._foreign:
            return False
        if self._db.execute("select 1 from business_connections where id = ?", [connection_id]).fetchone():
            return True
        try:
            told = await deliver(partial(self._bot.get_business_connection, connection_id), self._rhythm)
        except (BadRequest, Forbidden) as error:
            _log.warning("Telegram does not tell whose a business connection is (%s)", type(error).__name__)
            return False
        if told.user.id == self._owner:
            self.note(told)
            return True
        self._foreign.add(connection_id)
        _log.warning("Ignoring user %d, who connected the bot to an account of theirs", told.user.id)
        return False

    def is_foreign(self, connection_id: str | None) -> bool:
        """Whether it is known to be somebody else's."""
        return connection_id in self._foreign

    def current(self) -> Connection | None:
        """The owner's connection: an enabled one if there is any, the newest of several."""
        row = self._db.execute(
            "select id, can_reply, is_enabled from business_connections order by is_enabled desc, seen_at desc limit 1"
        ).fetchone()
        return Connection(row[0], bool(row[1]), bool(row[2])) if row else None

    def sending(self) -> str | None:
        """The id to send through; None when nothing may be sent."""
        current = self.current()
        return current.id if current is not None and current.is_enabled and current.can_reply else None

    def untold(self) -> Connection | None:
        """The connection, if the owner was not told how it stands now."""
        current = self.current()
        if current is None:
            return None
        told = self._db.execute("select told from business_connections where id = ?", [current.id]).fetchone()
        return None if told[0] else current

    def told(self, connection: Connection) -> None:
        """The owner knows how this one stands; what other ones were is old news."""
        self._db.execute(
            "update business_connections set told = 1 where id <> :id or (can_reply = :can and is_enabled = :is)",
            {"id": connection.id, "can": connection.can_reply, "is": connection.is_enabled},
        )

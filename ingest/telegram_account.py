"""What live ingest needs of a Telegram account: a Protocol, and the shapes that pass through it.

Knows nothing of Telethon (ingest/telethon_account.py implements it) and nothing of databases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ingest.telegram_message import Names, person_name, username
from ingest.telegram_updates import Hint
from twin.errors import AccountError

PAGE = 100  # the most that Telegram gives at once
# Telegram itself, its verification codes, and the replies of comments: accounts that nobody sits behind.
_SERVICE_ACCOUNTS = frozenset({777000, 42777, 489000, 1271266957})


@dataclass(frozen=True, slots=True)
class Person:
    """Whose account it is; `name` is None if they have none."""

    id: int
    name: str | None
    username: str | None = None

    @classmethod
    def of(cls, user: Any) -> Person:
        """From Telegram's User."""
        return cls(user.id, person_name(user), username(user))


@dataclass(frozen=True, slots=True)
class RemoteDialog:
    """One dialog of the account's list.

    Attributes:
        chat_id: the other person's user id; of groups and channels their own id.
        top_id: id of its newest message, 0 when it is empty.
        reason: why it is no private dialog with a person ("in a group" ...); None when it is one.
        peer: what requests are made with; only the account that made it reads it.
    """

    chat_id: int
    name: str | None
    username: str | None
    top_id: int
    reason: str | None
    peer: Any


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a dialog's history, newest first.

    Attributes:
        messages: Message, MessageService and MessageEmpty of `telethon.tl.types`.
        names: of whoever is mentioned in them.
        total: how many messages the dialog has.
        is_whole: whether nothing but these is there.
    """

    messages: tuple[Any, ...]
    names: Names
    total: int
    is_whole: bool = False


class NoTakeout(AccountError):
    """Telegram does not allow a takeout now; `seconds` to wait, None when waiting does not help."""

    def __init__(self, seconds: int | None, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.seconds = seconds


class Refused(AccountError):
    """Telegram refuses one request for good; others may go through."""


class SessionGone(AccountError):
    """Telegram no longer knows the session: it was revoked, or has expired."""


class Account(Protocol):
    """An account that is logged in. Every method may raise AccountError."""

    async def me(self) -> Person:
        """Whose it is."""

    async def dialogs(self) -> list[RemoteDialog]:
        """Everything in the list of chats and in its archive, each once; the newest message first."""

    async def total(self, dialog: RemoteDialog) -> int:
        """How many messages a dialog has."""

    async def older(self, dialog: RemoteDialog, before: int) -> Page:
        """A page of the newest messages with an id below `before`, 0 for the newest of all. Empty at the start."""

    async def newer(self, dialog: RemoteDialog, after: int) -> Page:
        """A page of the oldest messages with an id above `after`. Empty at the end."""

    async def by_ids(self, message_ids: list[int]) -> Page:
        """Messages of private dialogs as they are now; what was deleted comes as MessageEmpty, or not at all."""

    def takeout(self) -> AbstractAsyncContextManager[None]:
        """While it lasts, histories are read as an export of the owner's own data, under milder limits.

        Ends as a success unless an exception leaves it.

        Raises:
            NoTakeout: Telegram does not allow it now.
        """

    def listening(self) -> AbstractAsyncContextManager[asyncio.Queue[Hint]]:
        """While it lasts, what happens comes into the queue, as far as it is heard of."""

    def be_patient(self) -> None:
        """From now on wait for the network and for Telegram as long as it takes: nobody waits for us."""

    async def catch_up(self) -> None:
        """Let the queue have everything that happened since the last time, heard of or not."""


def reason_to_leave_out(entity: Any, kind: str) -> str | None:
    """Why a dialog with this User, Chat or Channel (`kind`) is none with a person; None when it is one."""
    if kind in ("Channel", "ChannelForbidden"):
        return "in a group" if entity.megagroup else "in a channel"
    if kind not in ("User", "UserEmpty"):
        return "in a group"
    if entity.id in _SERVICE_ACCOUNTS:
        return "from Telegram itself"
    if getattr(entity, "is_self", False):
        return "saved messages"
    if kind == "UserEmpty":
        return "of an unknown person"
    return "with a bot" if entity.bot else None


Wait = Callable[[float, str], Awaitable[None]]
"""Waits so many seconds, and says why."""

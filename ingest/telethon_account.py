"""The account over Telethon: requests, pages, takeout, updates.

Knows nothing of databases, terminals or how one logs in. Only this module, ingest/telethon_client.py and
ingest/telethon_login.py import Telethon, and the command line imports them when they are needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from telethon import events, utils
from telethon.tl import functions, types

from ingest.telegram_account import PAGE, Page, Person, RemoteDialog, Wait, reason_to_leave_out
from ingest.telegram_message import Names, person_name, username
from ingest.telegram_patience import Flood, Patience
from ingest.telegram_updates import Hint, read_update
from ingest.telethon_client import TIMEOUT_SECONDS, Client, within

_FINISH_SECONDS = 15.0
_PACE_SECONDS = 1.0  # between pages, once Telegram asked to wait: what Telethon does from the start


class TelethonAccount:
    """See `ingest.telegram_account.Account`.

    Args:
        client: as `make_client` makes it.
        wait: how to sit out what has to be waited for.
        page: messages asked for at once.
    """

    def __init__(self, client: Client, wait: Wait, page: int = PAGE) -> None:
        self.client = client
        self._wait = wait
        self._page_size = page
        self._patience = Patience()
        self._takeout_id: int | None = None
        self._pace = 0.0
        self._was_connected = False
        self._hints: asyncio.Queue[Hint] = asyncio.Queue()
        self._state: Any = None

    async def connect(self, attempts: int = 3) -> None:
        """Connect; a few tries only, for nobody is in the middle of anything yet.

        Raises:
            AccountError: there is no network, or the session is gone.
        """
        patience = Patience(attempts=attempts, advice="check the network, then run this again")
        await patience.ask(self._connect, self._wait)

    async def close(self) -> None:
        """End the connection, not the session."""
        with suppress(Exception):
            async with asyncio.timeout(_FINISH_SECONDS):
                await self.client.disconnect()

    async def me(self) -> Person:
        """See `Account.me`."""
        (user,) = await self.ask(functions.users.GetUsersRequest([types.InputUserSelf()]))
        return Person.of(user)

    async def dialogs(self) -> list[RemoteDialog]:
        """See `Account.dialogs`."""
        found: dict[int, RemoteDialog] = {}
        for folder in (None, 1):  # all, and once more those in the archive
            async for dialog in self._list(folder):
                found.setdefault(dialog.chat_id, dialog)
        return sorted(found.values(), key=lambda dialog: -dialog.top_id)

    async def total(self, dialog: RemoteDialog) -> int:
        """See `Account.total`."""
        return self._page(await self.ask(_history(dialog.peer, 1))).total

    async def older(self, dialog: RemoteDialog, before: int) -> Page:
        """See `Account.older`."""
        return await self._history(dialog, lambda number: not before or number < before, offset_id=before)

    async def newer(self, dialog: RemoteDialog, after: int) -> Page:
        """See `Account.newer`."""
        return await self._history(
            dialog, lambda number: number > after, offset_id=after + 1, add_offset=-self._page_size
        )

    async def by_ids(self, message_ids: list[int]) -> Page:
        """See `Account.by_ids`."""
        wanted = [types.InputMessageID(number) for number in message_ids]
        return self._page(await self.ask(functions.messages.GetMessagesRequest(wanted)))

    @asynccontextmanager
    async def takeout(self) -> AsyncIterator[None]:
        """See `Account.takeout`."""
        begun = await self.ask(functions.account.InitTakeoutSessionRequest(message_users=True))
        self._takeout_id = begun.id
        success = False
        try:
            yield
            success = True
        finally:
            with suppress(Exception):  # Telegram ends it by itself when nobody does
                async with asyncio.timeout(_FINISH_SECONDS):
                    await self._send(functions.account.FinishTakeoutSessionRequest(success=success or None))
            self._takeout_id = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Queue[Hint]]:
        """See `Account.listening`."""

        async def listen(update: Any) -> None:
            self._hear(update)

        def reconnected() -> None:
            self._hints.put_nowait(Hint(missed=True))

        self._hints = asyncio.Queue()
        self._state = await self.ask(functions.updates.GetStateRequest())
        self.client.add_event_handler(listen, events.Raw)
        self.client.on_reconnect = reconnected
        try:
            yield self._hints
        finally:
            self.client.on_reconnect = lambda: None
            self.client.remove_event_handler(listen)

    async def catch_up(self) -> None:
        """See `Account.catch_up`.

        Telethon has a `catch_up` too, but of what it gets that way it passes on new messages only: edits and deletions
        are dropped as if they were still to come (`apply_pts_info` in its messagebox.py, 1.45).
        """
        while True:
            state = self._state
            request = functions.updates.GetDifferenceRequest(pts=state.pts, date=state.date, qts=state.qts)
            difference = await self.ask(request)
            for message in getattr(difference, "new_messages", ()):
                self._hear(types.UpdateNewMessage(message, 0, 0))
            for update in getattr(difference, "other_updates", ()):
                self._hear(update)
            match difference:
                case types.updates.DifferenceSlice():
                    self._state = difference.intermediate_state
                    continue
                case types.updates.Difference():
                    self._state = difference.state
                case types.updates.DifferenceTooLong():
                    self._state.pts = difference.pts
                    self._hints.put_nowait(Hint(lost=True))
            return

    def _hear(self, update: Any) -> None:
        if (hint := read_update(update)) is not None:
            self._hints.put_nowait(hint)

    def be_patient(self) -> None:
        """See `Account.be_patient`."""
        self._patience = Patience(attempts=None, floods=1_000_000, longest_flood=float("inf"))

    async def ask(self, request: Any) -> Any:
        """One request's answer, with patience; see `Patience.ask`."""
        return await self._patience.ask(lambda: self._send(request), self._wait)

    async def _send(self, request: Any) -> Any:
        if self._takeout_id is not None:
            request = functions.InvokeWithTakeoutRequest(self._takeout_id, request)
        try:
            if not self.client.is_connected():
                await self._connect()
            return await within(self.client(request))
        except Flood:
            self._pace = _PACE_SECONDS
            raise

    async def _connect(self) -> None:
        """Anew: what is left of a broken connection is cleared away first."""
        await within(self.client.disconnect())
        await within(self.client.connect(), TIMEOUT_SECONDS * 2)
        if self._was_connected:
            self._hints.put_nowait(Hint(missed=True))
        self._was_connected = True

    async def _history(self, dialog: RemoteDialog, is_asked_for: Callable[[int], bool], **offsets: int) -> Page:
        if self._pace and self._takeout_id is None:
            await asyncio.sleep(self._pace)
        page = self._page(await self.ask(_history(dialog.peer, self._page_size, **offsets)))
        messages = [message for message in page.messages if is_asked_for(message.id)]
        messages.sort(key=lambda message: -message.id)
        return Page(tuple(messages), page.names, page.total, page.is_whole)

    def _page(self, answer: Any) -> Page:
        is_whole = isinstance(answer, types.messages.Messages)
        total = len(answer.messages) if is_whole else answer.count
        return Page(tuple(answer.messages), Names(answer.users, answer.chats), total, is_whole)

    async def _list(self, folder: int | None) -> AsyncIterator[RemoteDialog]:
        """The list of chats, page by page, until a page brings nothing new."""
        seen: set[int] = set()
        request = functions.messages.GetDialogsRequest(
            offset_date=None,
            offset_id=0,
            offset_peer=types.InputPeerEmpty(),
            limit=PAGE,
            hash=0,
            folder_id=folder,
        )
        while True:
            answer = await self.ask(request)
            entities = {utils.get_peer_id(entity): entity for entity in (*answer.users, *answer.chats)}
            times = {(utils.get_peer_id(message.peer_id), message.id): message for message in _dated(answer.messages)}
            fresh = [one for one in answer.dialogs if isinstance(one, types.Dialog) and _marked(one) not in seen]
            for one in fresh:
                seen.add(_marked(one))
                if (entity := entities.get(_marked(one))) is not None:
                    yield _remote(one, entity)
            dated = [one for one in fresh if (_marked(one), one.top_message) in times and _marked(one) in entities]
            last = dated[-1] if dated else None
            if last is None or isinstance(answer, types.messages.Dialogs):
                return
            request.exclude_pinned = True
            request.offset_id = last.top_message
            request.offset_date = times[_marked(last), last.top_message].date
            request.offset_peer = _peer(entities[_marked(last)])


def _history(peer: Any, limit: int, offset_id: int = 0, add_offset: int = 0) -> Any:
    return functions.messages.GetHistoryRequest(
        peer=peer,
        offset_id=offset_id,
        offset_date=None,
        add_offset=add_offset,
        limit=limit,
        max_id=0,
        min_id=0,
        hash=0,
    )


def _dated(messages: Iterable[Any]) -> list[Any]:
    return [message for message in messages if not isinstance(message, types.MessageEmpty)]


def _marked(dialog: Any) -> int:
    return int(utils.get_peer_id(dialog.peer))


def _remote(dialog: Any, entity: Any) -> RemoteDialog:
    kind = type(entity).__name__
    reason = reason_to_leave_out(entity, kind)
    if reason is None and entity.access_hash is None:
        reason = "of an unknown person"
    return RemoteDialog(
        chat_id=entity.id,
        name=person_name(entity) if kind.startswith("User") else getattr(entity, "title", None),
        username=username(entity),
        top_id=dialog.top_message,
        reason=reason,
        peer=_peer(entity),
    )


def _peer(entity: Any) -> Any:
    try:
        return utils.get_input_peer(entity)
    except TypeError:  # one that cannot be asked for
        return types.InputPeerEmpty()

"""A Telegram server in this process: Telethon's own client talks to it, in Telegram's own objects and bytes.

Only the lowest layer is replaced, the one that sends a request and awaits its answer (telethon's MTProtoSender): what
stands above it, from paging to the reading of updates and gaps, is Telethon itself. Answers follow
https://core.telegram.org/api/offsets and https://core.telegram.org/api/updates.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from telethon import TelegramClient, errors, utils
from telethon.crypto import AuthKey
from telethon.extensions import BinaryReader
from telethon.sessions import StringSession
from telethon.tl import functions, types

from tests.exports import OWNER
from tests.telegram_objects import START, people

API_ID, API_HASH = 12345, "0123456789abcdef0123456789abcdef"
KEY = bytes(range(256))
_OPEN = (
    functions.auth.SendCodeRequest,
    functions.auth.SignInRequest,
    functions.auth.CheckPasswordRequest,
    functions.auth.ExportLoginTokenRequest,
    functions.account.GetPasswordRequest,
    functions.help.GetConfigRequest,
)


def session_text(key: bytes = KEY) -> str:
    """The text of a session that the server knows."""
    session = StringSession()
    session.set_dc(2, "127.0.0.1", 443)
    session.auth_key = AuthKey(key)
    return str(session.save())


@dataclass
class Server:
    """What Telegram knows of one account.

    Attributes:
        histories: messages by dialog and id, as they are now.
        left: names of who is in the list of chats without a word: groups, channels, by marked id.
        archived: ids of dialogs in the archive.
        requests: the names of all requests that came in, in order.
        before: told every request before it is answered; what it raises is the answer.
        latency: seconds until an answer comes.
        fills: whether a stretch that reaches over the newest message is filled up with older ones.
        takeout_delay: seconds until takeouts are allowed; None for now.
        tells: of what was missed it tells "all", "one by one", or "nothing" since it is too much.
        silent: keeps its updates to itself, as one does whose connection is lost.
    """

    users: dict[int, Any] = field(default_factory=lambda: {one.id: one for one in people()})
    chats: dict[int, Any] = field(default_factory=dict)
    histories: dict[int, dict[int, Any]] = field(default_factory=dict)
    archived: set[int] = field(default_factory=set)
    pinned: set[int] = field(default_factory=set)
    authorised: set[bytes] = field(default_factory=lambda: {KEY})
    requests: list[str] = field(default_factory=list)
    before: Callable[[Any], None] = lambda _: None
    latency: float = 0.0
    fills: bool = False
    takeout_delay: int | None = None
    takeouts: dict[int, bool | None] = field(default_factory=dict)
    tells: str = "all"
    silent: bool = False
    offline: bool = False
    dialogs_a_page: int = 100
    login: Any = None
    pts: int = 1
    events: list[tuple[int, Any]] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    last_id: int = 0
    counted: Counter[str] = field(default_factory=Counter)

    # --- what people do

    def add(self, *messages: Any) -> None:
        """Messages that are there already."""
        for message in messages:
            self.histories.setdefault(utils.get_peer_id(message.peer_id), {})[message.id] = message
            self.last_id = max(self.last_id, message.id)

    def new(self, message: Any) -> None:
        """A message comes in."""
        self.add(message)
        self._happen(lambda pts: types.UpdateNewMessage(message, pts, 1))

    def edit(self, chat_id: int, number: int, text: str, at: datetime) -> None:
        """Somebody thinks better of it."""
        message = self.histories[chat_id][number]
        message.message, message.edit_date, message.edit_hide = text, at, None
        self._happen(lambda pts: types.UpdateEditMessage(message, pts, 1))

    def react(self, chat_id: int, number: int, reactions: Any, at: datetime | None = None) -> None:
        """Somebody likes it; Telegram tells of that as of an edit that it hides."""
        message = self.histories[chat_id][number]
        message.reactions = reactions
        if message.edit_date is None and at is not None:
            message.edit_date, message.edit_hide = at, True
        self._happen(lambda pts: types.UpdateEditMessage(message, pts, 1))

    def delete(self, chat_id: int, *numbers: int) -> None:
        """Somebody takes it back, for both."""
        for number in numbers:
            del self.histories[chat_id][number]
        self._happen(lambda pts: types.UpdateDeleteMessages(list(numbers), pts, len(numbers)), len(numbers))

    def _happen(self, update: Callable[[int], Any], count: int = 1) -> None:
        self.pts += count
        self.events.append((self.pts, update(self.pts)))
        if not self.silent:
            for wire in self.wires:
                wire.push(types.Updates([self.events[-1][1]], list(self.users.values()), [], _now(), 0))

    def loop_of_wire(self) -> asyncio.AbstractEventLoop:
        """The loop in which the client runs, for those who do something in another thread."""
        return self.wires[0].loop

    # --- what the client asks

    def answer(self, request: Any, wire: Wire) -> Any:
        """The answer to one request, or the error that Telegram would give."""
        takeout_id = None
        while isinstance(
            request,
            (
                functions.InvokeWithLayerRequest,
                functions.InitConnectionRequest,
                functions.InvokeWithTakeoutRequest,
                functions.InvokeWithoutUpdatesRequest,
            ),
        ):
            takeout_id = getattr(request, "takeout_id", takeout_id)
            request = request.query
        name = type(request).__name__.removesuffix("Request")
        self.requests.append(name)
        self.before(request)
        if wire.auth_key.key not in self.authorised and not isinstance(request, _OPEN):
            raise errors.AuthKeyUnregisteredError(request)
        if takeout_id is not None and takeout_id not in self.takeouts:
            raise errors.TakeoutInvalidError(request)
        self.counted["in takeout" if takeout_id else "outside"] += 1
        return getattr(self, f"_{name}", self._other)(request, wire, takeout_id)

    def _other(self, request: Any, wire: Wire, takeout_id: int | None) -> Any:
        if self.login is not None:
            return self.login.answer(request, wire)
        raise errors.BadRequestError(request, "METHOD_INVALID")

    def _GetConfig(self, request: Any, *_: Any) -> Any:
        return None

    def _GetUsers(self, request: Any, *_: Any) -> Any:
        return [self.users[OWNER] for one in request.id if isinstance(one, types.InputUserSelf)]

    def _GetState(self, *_: Any) -> Any:
        return types.updates.State(self.pts, 0, _now(), 0, 0)

    def _GetDifference(self, request: Any, *_: Any) -> Any:
        missed = [update for pts, update in self.events if pts > request.pts]
        if not missed:
            return types.updates.DifferenceEmpty(_now(), 0)
        if self.tells == "nothing":
            return types.updates.DifferenceTooLong(self.pts)
        missed, more = (missed[:1], missed[1:]) if self.tells == "one by one" else (missed, [])
        new = [update.message for update in missed if isinstance(update, types.UpdateNewMessage)]
        other = [update for update in missed if not isinstance(update, types.UpdateNewMessage)]
        rest = (new, [], other, [], list(self.users.values()))
        if not more:
            return types.updates.Difference(*rest, self._GetState())
        at = next(pts for pts, update in self.events if update is missed[-1])
        return types.updates.DifferenceSlice(*rest, types.updates.State(at, 0, _now(), 0, 0))

    def _GetHistory(self, request: Any, *_: Any) -> Any:
        chat_id = OWNER if isinstance(request.peer, types.InputPeerSelf) else utils.get_peer_id(request.peer)
        messages = sorted(self.histories.get(chat_id, {}).values(), key=lambda message: -message.id)
        newer = sum(message.id >= request.offset_id for message in messages) if request.offset_id else 0
        start, limit = newer + request.add_offset, min(request.limit, 100)
        end = start + limit
        if start < 0:
            start, end = 0, limit if self.fills else max(end, 0)
        return self._messages(messages[start:end], len(messages))

    def _GetMessages(self, request: Any, *_: Any) -> Any:
        there = {number: message for history in self.histories.values() for number, message in history.items()}
        found = [there.get(one.id) or types.MessageEmpty(one.id, None) for one in request.id]
        return self._messages(found, len(found))

    def _messages(self, messages: list[Any], total: int) -> Any:
        chats = list(self.chats.values())
        if len(messages) == total:
            return types.messages.Messages(messages, [], chats, list(self.users.values()))
        return types.messages.MessagesSlice(total, messages, [], chats, list(self.users.values()))

    def _GetDialogs(self, request: Any, *_: Any) -> Any:
        tops = {chat_id: max(history) for chat_id, history in self.histories.items() if history}
        marked = [*tops, *(utils.get_peer_id(chat) for chat in self.chats.values())]
        order = sorted(marked, key=lambda number: (number not in self.pinned, -tops.get(number, 0), number))
        if request.folder_id is not None:
            order = [number for number in order if (number in self.archived) == bool(request.folder_id)]
        if request.exclude_pinned:
            order = [number for number in order if number not in self.pinned]
        total = len(order)
        if not isinstance(request.offset_peer, types.InputPeerEmpty):
            order = order[order.index(utils.get_peer_id(request.offset_peer)) + 1 :]
        page = order[: min(request.limit, self.dialogs_a_page)]
        dialogs = [self._dialog(number, tops.get(number, 0)) for number in page]
        messages = [self.histories[number][tops[number]] for number in page if number in tops]
        rest = (list(self.chats.values()), list(self.users.values()))
        if len(page) == total:
            return types.messages.Dialogs(dialogs, messages, *rest)
        return types.messages.DialogsSlice(total, dialogs, messages, *rest)

    def _dialog(self, number: int, top_id: int) -> types.Dialog:
        return types.Dialog(
            peer=utils.get_peer(number),
            top_message=top_id,
            read_inbox_max_id=0,
            read_outbox_max_id=0,
            unread_count=0,
            unread_mentions_count=0,
            unread_reactions_count=0,
            unread_poll_votes_count=0,
            notify_settings=types.PeerNotifySettings(),
            folder_id=1 if number in self.archived else None,
        )

    def _InitTakeoutSession(self, request: Any, *_: Any) -> Any:
        if self.takeout_delay is not None:
            raise errors.TakeoutInitDelayError(request, self.takeout_delay)
        self.takeouts[len(self.takeouts) + 1] = None
        return types.account.Takeout(len(self.takeouts))

    def _FinishTakeoutSession(self, request: Any, wire: Wire, takeout_id: int | None) -> Any:
        assert takeout_id is not None
        self.takeouts[takeout_id] = bool(request.success)
        return True

    def _LogOut(self, request: Any, wire: Wire, takeout_id: int | None) -> Any:
        self.authorised.discard(wire.auth_key.key)
        return types.auth.LoggedOut()


class Wire:
    """In the place of telethon.network.MTProtoSender: the way from one client to the server."""

    def __init__(self, server: Server, client: TelegramClient) -> None:
        self._server = server
        self._client = client
        self._up = False
        self._ended: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.auth_key = client.session.auth_key or AuthKey(None)

    async def connect(self, connection: Any) -> bool:
        await asyncio.sleep(0)
        if self._server.offline:
            raise ConnectionError("Connection to Telegram failed 3 time(s)")
        if self._up:
            return False
        if self.auth_key.key is None:
            self.auth_key.key = os.urandom(256)
        self._up = True
        self.loop = asyncio.get_running_loop()
        self._ended = asyncio.get_running_loop().create_future()
        self._server.wires.append(self)
        return True

    def is_connected(self) -> bool:
        return self._up

    def _transport_connected(self) -> bool:
        return self._up

    def _keepalive_ping(self, _: int) -> None:
        return

    @property
    def disconnected(self) -> asyncio.Future[None]:
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
            self._ended.set_result(None)
        return asyncio.shield(self._ended)

    async def disconnect(self) -> None:
        self.drop(None)
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task

    def drop(self, error: BaseException | None) -> None:
        """The connection ends; whoever waits for an answer gets the error, or is cancelled as Telethon does."""
        self._up = False
        if self in self._server.wires:
            self._server.wires.remove(self)
        for task in self._tasks:
            task.cancel()
        if self._ended is not None and not self._ended.done():
            if error is None:
                self._ended.set_result(None)
            else:
                self._ended.set_exception(error)
                self._ended.exception()

    def push(self, updates: Any) -> None:
        """Something that the client did not ask for."""
        self._client._updates_queue.put_nowait(through_bytes(updates))

    def push_later(self, updates: Any, seconds: float = 0.05) -> None:
        """The same, when the answer to the request at hand is out."""
        asyncio.get_running_loop().call_later(seconds, self.push, updates)

    def send(self, request: Any, ordered: bool = False) -> asyncio.Future[Any]:
        if not self._up:
            raise ConnectionError("Cannot send requests while disconnected")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        task = asyncio.get_running_loop().create_task(self._deliver(request, future))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return future

    async def _deliver(self, request: Any, future: asyncio.Future[Any]) -> None:
        try:
            await asyncio.sleep(self._server.latency)
            answer = through_bytes(self._server.answer(request, self))
            if not future.done():
                future.set_result(answer)
        except asyncio.CancelledError:
            future.cancel()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            if not future.done():
                future.set_exception(error)


def through_bytes(answer: Any) -> Any:
    """As it comes out of Telegram's own serialisation."""
    if isinstance(answer, list):
        return [through_bytes(one) for one in answer]
    if answer is None or isinstance(answer, bool):
        return answer
    with BinaryReader(answer if isinstance(answer, bytes) else bytes(answer)) as reader:
        return reader.tgread_object()


def client_of(server: Server, client: TelegramClient) -> TelegramClient:
    """The same client, on the wire to this server."""
    client._sender = Wire(server, client)
    return client


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def talk(server: Server, chat_id: int, count: int, *, by: Iterable[bool] = (), first: int | None = None) -> None:
    """So many messages in a dialog, by turns, with gaps between their ids as there are in life."""
    from tests.telegram_objects import said

    number = first or server.last_id + 1
    for turn in range(count):
        server.add(
            said(
                number,
                f"marzipan {number}",
                chat_id=chat_id,
                by_owner=turn % 2 == 1,
                at=START + timedelta(minutes=number),
            )
        )
        number += 1 + number % 3

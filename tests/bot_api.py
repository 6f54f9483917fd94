"""A Bot API server nobody here wrote, in this process, and the bot talking to it: for tests of what users see.

async with bot_api() as api, running_bot(api, settings, build):
    await api.write(OWNER, "hi")
    await api.until(lambda: api.texts(OWNER) == ["hello"])
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from lo_bot_api_emulator import ApiRefusal, LoBotApiEmulator, updates
from telegram.constants import ReactionEmoji

from bot.app import run_bot
from bot.pacing import Rhythm
from inference.generator import ANYHOW, Generator, TwinReply, Wish
from twin.messages import Conversation
from twin.prompt import PromptSpec
from twin.settings import Settings

OWNER, FRIEND, STRANGER = 1001, 2002, 3003
TOKEN = "123456789:AAF-synthetic_token_of_the_tests_000"
FAST = Rhythm(typing=0.05, watch=0.02, retry=0.02, retry_most=0.1)
_NEWER = ("link_preview_options", "language_code")  # fields that Telegram knows, and the emulator does not
PATIENCE_S = 60.0  # a loaded machine may be slow; a broken one never gets there
updates.KINDS.add("edited_message")


@dataclass(frozen=True)
class Call:
    """A request that the bot made and the server accepted."""

    method: str
    chat_id: int | None
    message_id: int | None
    text: str | None
    markup: Any = None


class BotApi(LoBotApiEmulator):  # type: ignore[misc]
    """The emulator, with a name for the bot, an eye on the token, and a record of what the bot did.

    Attributes:
        calls: every accepted request, in order.
        reactions: every emoji that was given, as (chat, message, all of the bot's there).
        refuse: method to errors that its next requests get, one each.
        menus: what Telegram shows of commands, by chat (None: everywhere) and language (None: any).
        watched: running bots; `until` raises what one of them ended with.
    """

    def __init__(self, **limits: int) -> None:
        super().__init__(allow_insecure_loopback_webhooks=True, **limits)
        self.calls: list[Call] = []
        self.refuse: dict[str, list[ApiRefusal]] = {}
        self.url = ""
        self.menus: dict[tuple[int | None, str | None], dict[str, str]] = {}
        self.watched: list[asyncio.Task[Any]] = []
        self.reactions: list[tuple[int, int, list[str]]] = []
        self._next_message = 500_000

    async def write(self, user_id: int, text: str, *, chat: dict[str, Any] | None = None, **fields: Any) -> int:
        """A user writes to the bot (in private unless told otherwise); returns the update's id."""
        self._next_message += 1
        sender = {"id": user_id, "is_bot": False, "first_name": "Somebody"}
        message: dict[str, Any] = {
            "message_id": self._next_message,
            "date": int(time.time()),
            "chat": chat or {"id": user_id, "type": "private", "first_name": "Somebody"},
            "from": sender,
            **({"text": text} if text else {}),
            **fields,
        }
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
        return int(await self.enqueue_update({"message": message}, token=TOKEN))

    async def edit(self, user_id: int, message_id: int, text: str, **fields: Any) -> int:
        """A user edits what they wrote in private; returns the update's id."""
        message = {
            "message_id": message_id,
            "date": int(time.time()),
            "edit_date": int(time.time()),
            "chat": {"id": user_id, "type": "private", "first_name": "Somebody"},
            "from": {"id": user_id, "is_bot": False, "first_name": "Somebody"},
            "text": text,
            **fields,
        }
        return int(await self.enqueue_update({"edited_message": message}, token=TOKEN))

    @property
    def newest(self) -> int:
        """The id of the message that was written last."""
        return self._next_message

    async def press(self, user_id: int, data: str, message_id: int = 1, text: str = "?") -> int:
        """A user presses a button under a message of the bot's in private, which says this; returns the update's id."""
        query = {
            "id": "4242",
            "from": {"id": user_id, "is_bot": False, "first_name": "Somebody"},
            "chat_instance": "7",
            "data": data,
            "message": {
                "message_id": message_id,
                "date": int(time.time()),
                "chat": {"id": user_id, "type": "private", "first_name": "Somebody"},
                "from": {"id": 123456789, "is_bot": True, "first_name": "Twin"},
                "text": text,
            },
        }
        return int(await self.enqueue_update({"callback_query": query}, token=TOKEN))

    async def told(self, user_id: int, text: str, **fields: Any) -> str:
        """A user writes; returns the first thing that the bot then says there."""
        before = len(self.texts(user_id))
        await self.write(user_id, text, **fields)
        await self.until(lambda: len(self.texts(user_id)) > before)
        return self.texts(user_id)[before]

    async def changed(self, user_id: int, data: str) -> str:
        """A user presses a button; returns what the message then reads."""
        before = len(self.edits(user_id))
        await self.press(user_id, data)
        await self.until(lambda: len(self.edits(user_id)) > before)
        return self.edits(user_id)[before]

    def buttons(self, chat_id: int) -> dict[str, str]:
        """The buttons of the bot's newest message or edit in a chat: what they send, by what they say."""
        markup = next((call.markup for call in reversed(self.calls) if call.chat_id == chat_id and call.text), None)
        rows = markup["inline_keyboard"] if markup else []
        return {button["text"]: button["callback_data"] for row in rows for button in row}

    def texts(self, chat_id: int) -> list[str]:
        """What the bot sent to a chat, oldest first; edits do not count."""
        return [call.text or "" for call in self.calls if call.method == "sendMessage" and call.chat_id == chat_id]

    def edits(self, chat_id: int) -> list[str]:
        """What the bot's messages in a chat were changed to, oldest first."""
        return [call.text or "" for call in self.calls if call.method == "editMessageText" and call.chat_id == chat_id]

    def shown(self, chat_id: int) -> list[str]:
        """What a user of that chat sees of the bot now: its messages, each as last edited."""
        messages: dict[int, str] = {}
        for call in self.calls:
            if call.chat_id == chat_id and call.message_id is not None and call.text is not None:
                messages[call.message_id] = call.text
        return list(messages.values())

    def methods(self, chat_id: int) -> list[str]:
        """The requests about a chat, in order."""
        return [call.method for call in self.calls if call.chat_id == chat_id]

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
        """Wait for something to become true; if the bot ends first, its error is raised here."""
        deadline = time.monotonic() + seconds
        while not condition():
            for task in self.watched:
                if task.done():
                    task.result()
            assert time.monotonic() < deadline, f"waited {seconds} s in vain; the bot did {self.calls[-20:]}"
            await asyncio.sleep(0.01)

    def validate(self, method: str, fields: dict[str, Any], uploads: dict[str, Any]) -> Any:
        """The emulator's checks, plus errors on demand."""
        if errors := self.refuse.get(method):
            raise errors.pop(0)
        if method == "setMessageReaction":  # the emulator has it not
            result = self._react(int(fields["chat_id"]), int(fields["message_id"]), json.loads(fields["reaction"]))
        else:
            known = {name: value for name, value in fields.items() if name not in _NEWER}
            result = super().validate(method, known, uploads)
        if method == "getMe":
            result["username"] = "emulated_twin_bot"
        if method != "getUpdates":
            chat, message = fields.get("chat_id"), fields.get("message_id")
            if method == "sendMessage":
                message = result["message_id"]
            markup = json.loads(fields["reply_markup"]) if isinstance(fields.get("reply_markup"), str) else None
            numbers = [int(number) if number else None for number in (chat, message)]
            self.calls.append(Call(method, *numbers, fields.get("text"), markup))
        if method in ("setMyCommands", "deleteMyCommands"):
            self._show_menu(fields)
        return result

    def _show_menu(self, fields: dict[str, Any]) -> None:
        chat = json.loads(fields["scope"])["chat_id"] if "scope" in fields else None
        menu = {one["command"]: one["description"] for one in json.loads(fields.get("commands", "[]"))}
        self.menus[chat and int(chat), fields.get("language_code")] = menu

    def _react(self, chat_id: int, message_id: int, given: list[dict[str, str]]) -> bool:
        """A bot sets at most one emoji, of a fixed list, and only on what is there."""
        if len(given) > 1 or any(one["emoji"] not in set(ReactionEmoji) for one in given):
            raise ApiRefusal("Bad Request: REACTION_INVALID", 400)
        if not 500_000 < message_id <= self._next_message:
            raise ApiRefusal("Bad Request: message to react not found", 400)
        self.reactions.append((chat_id, message_id, [one["emoji"] for one in given]))
        return True

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """As Telegram, unlike the emulator: only the right token is let in."""
        if request.match_info["token"] != TOKEN:
            refusal = {"ok": False, "error_code": 401, "description": "Unauthorized"}
            return web.json_response(refusal, status=401)
        response: web.StreamResponse = await super().handle(request)
        return response


Server = TypeVar("Server", bound=BotApi)


@asynccontextmanager
async def served(api: Server) -> AsyncIterator[Server]:
    """A Bot API server on a free port; `api.url` is what telegram.bot_api_url should say."""
    runner = web.AppRunner(api.app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


def bot_api() -> AbstractAsyncContextManager[BotApi]:
    """An ordinary one."""
    return served(BotApi())


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody else gets by chance, and that the bot can listen at."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def by_webhook(port: int) -> dict[str, Any]:
    """What [telegram] says when messages are brought there, by a Bot API server of one's own."""
    return {"webhook_url": f"http://127.0.0.1:{port}/hook", "webhook_port": port}


def bot_settings(home: Path, api: BotApi, *, telegram: dict[str, Any] | None = None, **sections: Any) -> Settings:
    """Settings for a bot at that server: the owner and one friend may write, each message is answered at once."""
    chosen = {"owner_id": OWNER, "allowed_ids": [FRIEND], "bot_api_url": api.url}
    hasty = {"bubble_pause_seconds": 0, "debounce_seconds": 0, "disclosure": False, "busy_seconds": 0}
    return Settings(home=home, telegram=chosen | hasty | (telegram or {}), **sections)


@asynccontextmanager
async def running_bot(
    api: BotApi, settings: Settings, build: Callable[[], Generator], rhythm: Rhythm = FAST, token: str = TOKEN
) -> AsyncIterator[asyncio.Event]:
    """The bot in this event loop, stopped at the end as SIGTERM stops it; yields the event that stops it.

    Args:
        build: the generator factory; it runs in the bot's generator thread.

    Raises:
        Exception: what the bot ended with, if it was not stopped.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(run_bot(settings, token, build, stop, rhythm))
    api.watched.append(task)
    try:
        yield stop
    finally:
        stop.set()
        api.watched.remove(task)
        await asyncio.wait_for(task, PATIENCE_S)


@dataclass
class Parrot:
    """A Generator without a model: answers by a function, and remembers what it was asked.

    Attributes:
        say: the last turn's bubbles to the reply's.
        adapter: a trained version unless told otherwise.
        prompt: how it would read conversations.
        asked: every conversation, as (speaker, bubbles) pairs; `conversations` holds them whole.
    """

    say: Callable[[Sequence[str]], Sequence[str]] = lambda heard: [f"you said {heard[-1]}"]
    adapter: str | None = "v0"
    refused: str | None = None
    prompt: PromptSpec = field(default_factory=PromptSpec)
    asked: list[list[tuple[str, list[str]]]] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    closed: bool = False

    def refresh(self) -> None:
        """There is never another adapter."""

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        """Answer the last turn."""
        turns = [(turn.speaker, [bubble.text for bubble in turn.bubbles]) for turn in conversation.turns]
        self.asked.append(turns)
        self.conversations.append(conversation)
        return TwinReply(tuple(self.say(turns[-1][1])), self.adapter)

    def replies(self, conversations: Sequence[Conversation], wish: Wish = ANYHOW) -> list[TwinReply]:
        """One by one."""
        return [self.reply(conversation, wish) for conversation in conversations]

    def release(self) -> None:
        """There is no memory to free."""

    def resume(self) -> None:
        """Nor to take back."""

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


@dataclass
class Held:
    """What a Parrot says, once it may."""

    may: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def __call__(self, heard: Sequence[str]) -> Sequence[str]:
        self.begun.set()
        assert self.may.wait(PATIENCE_S)
        return [f"you said {heard[-1]}"]

"""A Bot API server with the owner's own chats: connections, messages of both sides, edits, deletions; Telegram's rules.

async with business_api() as api, running_bot(api, settings, build):
    await api.connect()
    await api.friend("hi")
    await api.until(lambda: api.card("hi"))
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lo_bot_api_emulator import ApiRefusal, updates

from tests.bot_api import FRIEND, OWNER, TOKEN, BotApi, bot_settings, served
from twin.settings import Settings
from twin.store import Store

CONNECTION = "owners-connection"
updates.KINDS |= {
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
}
_PRIVATE = {"type": "private", "first_name": "Anna"}


class BusinessApi(BotApi):
    """The server, with what the emulator does not model of Telegram Business.

    Attributes:
        own: what the bot wrote through a business connection, as (chat, text, connection), in order.
        typed: chats of the owner's in which the bot was seen typing.
        rights: what getBusinessConnection tells of a connection: its owner's id, the right to reply, if it is enabled.
        asked: how often it was asked for.
        refuse_own: what its next messages through a connection get, one each; None: they are taken.
        sent_updates: the ids of all updates so far.
        clock: the time by which the 24-hour rule goes; messages are dated by it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own: list[tuple[int, str, str]] = []
        self.typed: set[int] = set()
        self.rights: dict[str, tuple[int, bool, bool]] = {CONNECTION: (OWNER, True, True)}
        self.asked = 0
        self.clock = time.time
        self.refuse_own: list[ApiRefusal | None] = []
        self.sent_updates: list[int] = []
        self._heard: dict[int, float] = {}

    async def enqueue_update(self, update: dict[str, Any], *, token: str) -> int:
        """As the emulator's; remembers the update's id."""
        self.sent_updates.append(int(await super().enqueue_update(update, token=token)))
        return self.sent_updates[-1]

    async def connect(
        self, *, can_reply: bool = True, enabled: bool = True, user: int = OWNER, name: str = CONNECTION
    ) -> int:
        """Somebody connects the bot to their account, or changes what it may; returns the update's id."""
        self.rights[name] = (user, can_reply, enabled)
        return int(await self.enqueue_update({"business_connection": self._connection(name)}, token=TOKEN))

    async def friend(self, text: str, *, chat: int = FRIEND, age: float = 0, **fields: Any) -> int:
        """Somebody writes to the owner in the owner's own chat; returns the update's id. `newest` is the message's."""
        self._heard[chat] = max(self._heard.get(chat, 0), self.clock() - age)
        return await self._say("business_message", chat, chat, text, age, **fields)

    async def owner(self, text: str, *, chat: int = FRIEND, **fields: Any) -> int:
        """The owner writes in their own chat with somebody."""
        return await self._say("business_message", OWNER, chat, text, 0, **fields)

    async def change(self, message_id: int, text: str, *, sender: int = FRIEND, chat: int = FRIEND) -> int:
        """A message in one of the owner's chats is edited."""
        return await self._say("edited_business_message", sender, chat, text, 0, message_id=message_id)

    async def delete(self, *message_ids: int, chat: int = FRIEND) -> int:
        """Messages in one of the owner's chats are deleted."""
        gone = {
            "business_connection_id": CONNECTION,
            "chat": {"id": chat, **_PRIVATE},
            "message_ids": list(message_ids),
        }
        return int(await self.enqueue_update({"deleted_business_messages": gone}, token=TOKEN))

    def said(self, chat: int = FRIEND) -> list[str]:
        """What stands in the owner's own chat with somebody, of the bot's."""
        return [text for to, text, _ in self.own if to == chat]

    def cards(self) -> list[str]:
        """The cards that the owner sees, each as last edited."""
        return [text for text in self.shown(OWNER) if text.startswith(("Anna", "Boris"))]

    def card_id(self, words: str) -> int:
        """The newest message to the owner that says something, as last edited."""
        texts = {call.message_id: call.text or "" for call in self.calls if call.chat_id == OWNER and call.text}
        return next(number for number in reversed(list(texts)) if number is not None and words in texts[number])

    def keys(self, card_id: int) -> dict[str, str]:
        """The buttons under a message to the owner, as they are now."""
        markup = [call.markup for call in self.calls if call.message_id == card_id and call.text][-1]
        return {key["text"]: key["callback_data"] for row in (markup or {}).get("inline_keyboard", []) for key in row}

    async def open_card(self, words: str) -> int:
        """Wait for a card with buttons that says something; returns its message's id."""
        await self.until(lambda: any(words in text for text in self.cards()) and self.keys(self.card_id(words)))
        return self.card_id(words)

    async def push(self, card_id: int, button: str, user: int = OWNER) -> int:
        """Somebody, the owner unless told otherwise, presses a button of a card."""
        return await self.press(user, self.keys(card_id)[button], card_id)

    async def answer_card(self, card_id: int, text: str, **fields: Any) -> int:
        """The owner answers a card."""
        sender = {"id": 123456789, "is_bot": True, "first_name": "Twin"}
        chat = {"id": OWNER, **_PRIVATE}
        card = {"message_id": card_id, "date": int(time.time()), "chat": chat, "from": sender, "text": "?"}
        return await self.write(OWNER, text, reply_to_message=card, **fields)

    def validate(self, method: str, fields: dict[str, Any], uploads: dict[str, Any]) -> Any:
        """Telegram's rules for business connections, which the emulator does not know."""
        if method == "getBusinessConnection":
            self.asked += 1
            if fields["business_connection_id"] not in self.rights:
                raise ApiRefusal("Bad Request: BUSINESS_CONNECTION_INVALID")
            return self._connection(fields["business_connection_id"])
        connection = fields.pop("business_connection_id", None)
        if connection is None:
            return super().validate(method, fields, uploads)
        _, can_reply, is_enabled = self.rights[connection]
        chat = int(fields["chat_id"])
        if not is_enabled or not can_reply:
            raise ApiRefusal("Bad Request: BUSINESS_CONNECTION_NOT_ALLOWED")
        if self.clock() - self._heard.get(chat, 0) > 24 * 3600:
            raise ApiRefusal("Bad Request: BUSINESS_PEER_USAGE_MISSING")
        if method == "sendMessage" and self.refuse_own and (refusal := self.refuse_own.pop(0)) is not None:
            raise refusal
        if method == "sendChatAction":
            self.typed.add(chat)
            return True
        result = super().validate(method, fields, uploads)
        assert method == "sendMessage", "the bot only writes there"
        self.calls.pop()
        self.own.append((chat, str(fields["text"]), connection))
        return result

    def _connection(self, name: str) -> dict[str, Any]:
        user, can_reply, is_enabled = self.rights[name]
        return {
            "id": name,
            "user": {"id": user, "is_bot": False, "first_name": "Olga"},
            "user_chat_id": user,
            "date": int(self.clock()),
            "is_enabled": is_enabled,
            "rights": {"can_reply": can_reply},
        }

    async def _say(self, kind: str, sender: int, chat: int, text: str, age: float, **fields: Any) -> int:
        self._next_message += "message_id" not in fields
        name = "Anna" if chat == FRIEND else "Boris"
        message: dict[str, Any] = {
            "business_connection_id": CONNECTION,
            "message_id": self._next_message,
            "date": int(self.clock() - age),
            "chat": {"id": chat, "type": "private", "first_name": name},
            "from": {"id": sender, "is_bot": False, "first_name": "Olga" if sender == OWNER else name},
            **({"text": text} if text else {}),
            **fields,
        }
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
        return int(await self.enqueue_update({kind: message}, token=TOKEN))


@asynccontextmanager
async def business_api() -> AsyncIterator[BusinessApi]:
    """Such a server on a free port."""
    async with served(BusinessApi()) as api:
        yield api


def business_settings(home: Path, api: BotApi, mode: str = "draft", **telegram: Any) -> Settings:
    """Settings for a bot that is connected to the owner's account."""
    return bot_settings(home, api, telegram={"business": mode, "bubble_pause_seconds": 0} | telegram)


def is_quiet(home: Path, updates_in_all: int) -> bool:
    """Whether so many updates came, and all were handled to their end."""
    if not (home / "twin.db").exists():
        return False
    with Store.open(home / "twin.db") as store:
        found = store.db.execute("select count(answered_at), count(*) from bot_inbox").fetchone()
    return bool(found == (updates_in_all, updates_in_all))


def outcomes(home: Path) -> list[str]:
    """What became of every suggestion, in order."""
    with Store.open(home / "twin.db") as store:
        return [row[0] for row in store.db.execute("select outcome from business_drafts order by id")]


def words(home: Path, chat: int = FRIEND) -> list[tuple[str, str]]:
    """What is remembered of one of the owner's chats, as (speaker, text)."""
    from twin.places import owners_own

    with Store.open(home / "twin.db") as store:
        rows = store.db.execute(
            "select speaker, text from bot_messages where chat_id = ? order by id", [owners_own(chat)]
        )
        return [(speaker, text) for speaker, text in rows]


def inbox_words(home: Path) -> str:
    """All that the inbox holds of messages."""
    with Store.open(home / "twin.db") as store:
        return json.dumps([row[0] for row in store.db.execute("select payload from bot_inbox")])

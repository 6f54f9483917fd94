"""What the owner says to the bot of their own chats: /business, the buttons of cards, and what cards are answered with.

Knows nothing of who may press what: bot/access.py lets only the owner's commands and buttons through.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import filters

from bot.business import wording
from bot.business.cards import EDIT, PREFIX, SEND, SKIP
from bot.business.chats import OwnersChats
from bot.business.connections import Connections
from bot.business.drafts import Draft, Drafts
from bot.business.leave import Leave
from bot.business.modes import Modes
from bot.buttons import Screen, acknowledge, change
from bot.delivery import deliver
from bot.incoming import as_message
from bot.pacing import Rhythm
from twin.store import Store

_MODE = f"{PREFIX}mode:"
_MOST = 12


class BusinessDesk:
    """Commands and buttons over the owner's own chats."""

    def __init__(
        self,
        store: Store,
        owner: int,
        chats: OwnersChats,
        connections: Connections,
        modes: Modes,
        leave: Leave,
        drafts: Drafts,
        rhythm: Rhythm,
    ) -> None:
        self._store = store
        self._owner = owner
        self._chats = chats
        self._connections = connections
        self._modes = modes
        self._leave = leave
        self._drafts = drafts
        self._rhythm = rhythm

    async def business(self, update: Update, _: Any) -> None:
        """/business: how the connection stands, and what is done in which chat."""
        message = update.message
        assert message is not None
        text, keyboard = self._overview()
        await deliver(partial(message.reply_text, text, reply_markup=keyboard), self._rhythm)

    async def pressed(self, update: Update, _: Any) -> None:
        """A button under a card, or under the list of chats."""
        query = update.callback_query
        assert query is not None and query.data is not None
        kind, _, number = query.data.rpartition(":")
        if not (number.isascii() and number.isdecimal() and len(number) < 20):
            await acknowledge(update, self._rhythm)
        elif f"{kind}:" == _MODE:
            await self._turn(update, int(number))
        else:
            await acknowledge(update, self._rhythm)
            self._decide(update, f"{kind}:", self._drafts.get(int(number)))

    async def words(self, update: Update, _: Any) -> None:
        """The owner answered a card: that is sent in the suggestion's stead, if they were asked for it."""
        message = update.message
        assert message is not None and message.reply_to_message is not None
        draft = self._drafts.on_card(message.reply_to_message.message_id)
        lines = [line.strip() for line in (message.text or "").splitlines() if line.strip()]
        if draft is None:
            return
        if draft.decided_by != update.update_id and draft.outcome == "open":
            problem = None if lines else wording.ONLY_WORDS
            if not draft.is_asked:
                problem = wording.EDIT_FIRST
            if problem is not None:
                await deliver(partial(message.reply_text, problem), self._rhythm)
                return
            self._send(update.update_id, draft, lines)
        elif draft.decided_by != update.update_id:
            await deliver(partial(message.reply_text, wording.DONE_ALREADY), self._rhythm)
            return
        self._chats.go_on(update.update_id, draft.place, as_message(message))

    def is_on_card(self, update: Update) -> bool:
        """Whether the owner answers a card."""
        message = update.message
        if message is None or message.reply_to_message is None or message.chat.id != self._owner:
            return False
        is_owners = message.from_user is not None and message.from_user.id == self._owner
        is_command = (message.text or "").startswith("/")
        return is_owners and not is_command and self._drafts.on_card(message.reply_to_message.message_id) is not None

    def _decide(self, update: Update, kind: str, draft: Draft | None) -> None:
        if draft is None:
            return
        if kind == SEND:
            self._send(update.update_id, draft)
            query = update.callback_query
            assert query is not None and query.message is not None
            at = as_message(query.message)  # type: ignore[arg-type]  # the gate lets no inaccessible one in
            self._chats.go_on(update.update_id, draft.place, at)
        elif kind == EDIT:
            self._drafts.ask(draft)
        elif kind == SKIP:
            self._drafts.end(draft, "skipped")

    def _send(self, update_id: int, draft: Draft, lines: list[str] | None = None) -> None:
        """Write down what is to be sent, and that it was decided; or why nothing can be sent."""
        if draft.outcome != "open":
            return
        problem = self._leave.obstacle(draft.place)
        if problem is not None and self._leave.is_late(draft.place):
            self._drafts.end(draft, "late")
        elif problem is not None:
            self._drafts.note(draft, problem)
        else:
            with self._store.atomic():
                if self._drafts.send(draft, update_id, lines or ()):
                    adapter = None if lines else draft.adapter
                    self._chats.say(update_id, draft.place, lines or draft.bubbles, adapter)

    async def _turn(self, update: Update, chat_id: int) -> None:
        """The next mode for a chat, and the list as it is then."""
        if self._modes.cycle(chat_id) == "off":
            await self._chats.stop(chat_id, wording.SWITCHED_OFF)
        await acknowledge(update, self._rhythm)
        await change(update, self._overview(), self._rhythm)

    def _overview(self) -> Screen:
        seen = self._modes.seen(_MOST)
        rows = [[InlineKeyboardButton(wording.button(one), callback_data=f"{_MODE}{one.chat_id}")] for one in seen]
        text = wording.overview(self._connections.current(), self._modes.default, seen)
        return text, InlineKeyboardMarkup(rows) if rows else None


class OnCard(filters.UpdateFilter):
    """Messages by which the owner answers a card."""

    def __init__(self, desk: BusinessDesk) -> None:
        super().__init__()
        self._desk = desk

    def filter(self, update: Update) -> bool:
        return self._desk.is_on_card(update)

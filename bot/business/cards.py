"""Cards: messages of the bot to its owner that show a draft, and change as it does; and how the connection stands.

Knows nothing of what the buttons do. One task shows whatever is not shown yet, so nothing that changes a draft waits
for Telegram, and what a killed bot did not come to show is shown at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, TelegramError

from bot.business import wording
from bot.business.connections import Connections
from bot.business.drafts import Draft, Drafts
from bot.business.modes import Modes
from bot.delivery import deliver
from bot.history import History
from bot.pacing import Rhythm
from twin.places import chat_at

PREFIX = "business:"
SEND, EDIT, SKIP = f"{PREFIX}send:", f"{PREFIX}edit:", f"{PREFIX}skip:"
_NEEDS_NO_CARD = ("skipped", "answered", "stale")
_log = logging.getLogger(__name__)


class Cards:
    """Shows drafts to the owner.

    Args:
        owner: the chat to write to.
        is_paused: whether nothing new is to be shown just now.
    """

    def __init__(
        self,
        bot: Bot,
        owner: int,
        connections: Connections,
        modes: Modes,
        drafts: Drafts,
        history: History,
        rhythm: Rhythm,
        is_paused: Callable[[], bool],
    ) -> None:
        self._bot = bot
        self._owner = owner
        self._connections = connections
        self._modes = modes
        self._drafts = drafts
        self._history = history
        self._rhythm = rhythm
        self._is_paused = is_paused
        self._news = asyncio.Event()
        drafts.changed = self._news.set

    async def run(self) -> None:
        """Show what is not shown, until cancelled."""
        while True:
            self._news.clear()
            await self._tell_connection()
            for draft in self._drafts.unshown():
                if draft.card_id is not None or not self._is_paused():
                    await self._show(draft.id)
            try:
                await asyncio.wait_for(self._news.wait(), self._rhythm.watch)
            except TimeoutError:
                continue

    async def _show(self, draft_id: int) -> None:
        draft = self._drafts.get(draft_id)  # as it is now, not as it was when the round began
        if draft is None:
            return
        card_id = draft.card_id
        try:
            text, keyboard = self._text(draft), _keyboard(draft)
            if card_id is not None:
                edit = partial(self._bot.edit_message_text, text, self._owner, card_id, reply_markup=keyboard)
                await deliver(edit, self._rhythm)
            elif draft.outcome not in _NEEDS_NO_CARD:
                sent = await deliver(
                    partial(self._bot.send_message, self._owner, text, reply_markup=keyboard), self._rhythm
                )
                card_id = sent.message_id
        except BadRequest as error:  # deleted, or it reads so already
            if "not modified" not in error.message and "not found" not in error.message:
                _log.warning("The owner could not be shown a suggestion (%s)", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - they blocked the bot; and one bad card must not end it
            _log.warning("The owner could not be shown a suggestion (%s)", type(error).__name__)
        self._drafts.shown(draft, card_id)

    async def _tell_connection(self) -> None:
        found = self._connections.untold()
        if found is None:
            return
        text = f"{wording.connection(found)}\n{wording.default(self._modes.default)} /business has more."
        try:
            await deliver(partial(self._bot.send_message, self._owner, text), self._rhythm)
        except TelegramError as error:
            _log.warning("The owner could not be told of a connection (%s)", type(error).__name__)
        self._connections.told(found)

    def _text(self, draft: Draft) -> str:
        heard = [text for _, text in self._history.asked(draft.place, draft.until_id)]
        return wording.card(draft, self._modes.name(chat_at(draft.place)), heard)


def _keyboard(draft: Draft) -> InlineKeyboardMarkup | None:
    if draft.outcome != "open":
        return None
    buttons = [("Send", SEND), ("Edit", EDIT), ("Skip", SKIP)]
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(text, callback_data=f"{prefix}{draft.id}") for text, prefix in buttons]]
    )

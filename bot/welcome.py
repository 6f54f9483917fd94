"""What stands between a guest's message and its answer: the limits, and the line that a program answers.

Knows nothing of who is a guest: access let them in before this, and the owner passes.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from telegram import Message, Update
from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop

from bot.access import Access, sender_and_message
from bot.delivery import deliver
from bot.disclosure import Disclosure
from bot.history import History
from bot.incoming import as_message
from bot.limits import Limit, Limits
from bot.pacing import Rhythm
from bot.speech import Speech
from twin.conversations import fate

_log = logging.getLogger(__name__)


class Welcome:
    """The second handler of every update."""

    def __init__(
        self,
        access: Access,
        limits: Limits,
        disclosure: Disclosure,
        history: History,
        speech: Speech,
        rhythm: Rhythm,
    ) -> None:
        self._access = access
        self._limits = limits
        self._disclosure = disclosure
        self._history = history
        self._speech = speech
        self._rhythm = rhythm

    async def gate(self, update: Update, _: Any) -> None:
        """Stop what is over a limit: it is taken in and not answered, and they are told so once in a period."""
        found = sender_and_message(update)
        if found is None or self._access.is_owners(update):
            return
        sender, message = found
        limit = self._limits.admit(update.update_id, sender.id)
        if limit is not None:
            await self._refuse(update, message, sender.id, limit)
            raise ApplicationHandlerStop
        if update.message is not None and self._disclosure.is_due(sender.id):
            await self._tell(message, self._speech.say(sender.id, "disclosure"))
            self._disclosure.told(sender.id)

    async def _refuse(self, update: Update, message: Message, user_id: int, limit: Limit) -> None:
        if update.message is not None and fate(heard := as_message(message)) == "shown":
            self._history.hear(update.update_id, heard)
        is_news = self._limits.is_news(limit, user_id)
        text = self._speech.say(user_id, f"over_{limit.name}", most=limit.most) if is_news else None
        if update.callback_query is not None:
            await update.callback_query.answer(text)
        elif text is not None:
            await self._tell(message, text)

    async def _tell(self, message: Message, text: str) -> None:
        try:
            await deliver(partial(message.chat.send_message, text), self._rhythm)
        except TelegramError as error:  # they blocked the bot
            _log.warning("Telegram refused a request (%s)", type(error).__name__)

"""Who may talk to the bot, and who commands it: the one place that decides.

Knows nothing of what is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from telegram import Update
from telegram.ext import ApplicationHandlerStop

from twin.errors import BotError
from twin.settings import Settings, settings_file

Handler = Callable[[Update, Any], Coroutine[Any, Any, None]]
_log = logging.getLogger(__name__)


class Access:
    """The owner, the allow-list, and the ids that were turned away already.

    Raises:
        BotError: the settings do not say who the owner is.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.bot_owner is None:
            raise BotError(
                "The bot does not know whose it is",
                f"set telegram.owner_id to your Telegram user id in {settings_file(settings.home)}",
            )
        self.owner: int = settings.bot_owner
        self.allowed = settings.telegram.allowed_ids | {self.owner}
        self._owner_name = settings.owner.name
        self._turned_away: set[int] = set()

    async def gate(self, update: Update, _: Any) -> None:
        """The first handler of every update: whoever may not talk to the bot gets no further, and no answer."""
        message = update.message or update.edited_message
        sender = message.from_user if message else None
        if message is None or sender is None:
            raise ApplicationHandlerStop
        if sender.id not in self.allowed:
            self._note(sender.id, "user %d, who is not on the allow-list")
            raise ApplicationHandlerStop
        if message.chat.type != message.chat.PRIVATE:
            self._note(message.chat.id, "chat %d, which is not a private one")
            raise ApplicationHandlerStop

    def owner_only(self, handler: Handler) -> Handler:
        """The same handler, for the owner; everybody else is told so."""

        async def guarded(update: Update, context: Any) -> None:
            assert update.message is not None and update.message.from_user is not None
            if update.message.from_user.id == self.owner:
                await handler(update, context)
            else:
                await update.message.reply_text(f"Only {self._owner_name} can do that.")

        return guarded

    def _note(self, identity: int, what: str) -> None:
        if identity not in self._turned_away:
            self._turned_away.add(identity)
            _log.warning("Ignoring " + what, identity)

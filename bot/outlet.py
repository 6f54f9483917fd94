"""What goes out into chats as the twin's: bubbles and the typing action, through a network that fails.

Knows nothing of what is said, or of what is remembered of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from telegram import Bot
from telegram.error import BadRequest, InvalidToken

from bot.delivery import deliver
from bot.pacing import Rhythm, typing
from bot.places import chat_at


class Outlet:
    """The twin's mouth in Telegram."""

    def __init__(self, bot: Bot, rhythm: Rhythm) -> None:
        self._bot = bot
        self._rhythm = rhythm

    async def send(self, place: int, text: str) -> int:
        """Send a message, however long that takes; returns its id.

        Raises:
            TelegramError: it is refused for good; see `deliver`.
        """
        message = await deliver(partial(self._bot.send_message, chat_at(place), text), self._rhythm)
        return message.message_id

    async def react(self, place: int, message_id: int, emoji: str) -> None:
        """Put an emoji to a message, however long that takes.

        Raises:
            TelegramError: it is refused for good: that chat has no such reactions, the message is gone.
        """

        async def react() -> None:
            try:
                await self._bot.set_message_reaction(chat_at(place), message_id, emoji)
            except InvalidToken as error:  # "not found": a self-hosted server that is older than reactions by bots
                raise BadRequest("no such method") from error

        await deliver(react, self._rhythm)

    @asynccontextmanager
    async def typing(self, place: int) -> AsyncIterator[None]:
        """Show "typing" for as long as the block runs."""
        async with typing(self._bot, chat_at(place), self._rhythm.typing):
            yield

"""What goes out into chats as the twin's: bubbles and the typing action, through a network that fails.

Knows nothing of what is said, or of what is remembered of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from telegram import Bot
from telegram.error import BadRequest, Forbidden, InvalidToken

from bot.delivery import deliver
from bot.pacing import Rhythm, typing
from twin.places import chat_at, is_owners_own


class Outlet:
    """The twin's mouth in Telegram.

    Args:
        connection: tells the business connection through which the owner's own chats are reached, if there is one.
    """

    def __init__(self, bot: Bot, rhythm: Rhythm, connection: Callable[[], str | None] = lambda: None) -> None:
        self._bot = bot
        self._rhythm = rhythm
        self._connection = connection

    async def send(self, place: int, text: str) -> int:
        """Send a message, however long that takes; returns its id.

        Raises:
            TelegramError: it is refused for good; see `deliver`.
        """
        through = self._through(place)
        send = partial(self._bot.send_message, chat_at(place), text, business_connection_id=through)
        message = await deliver(send, self._rhythm)
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
        async with typing(self._bot, chat_at(place), self._rhythm.typing, self._through(place)):
            yield

    def _through(self, place: int) -> str | None:
        """The connection for a place; none for a chat with the bot. Without it, words for the owner's own chat
        would go into that person's chat with the bot."""
        if not is_owners_own(place):
            return None
        connection = self._connection()
        if connection is None:
            raise Forbidden("There is no business connection")
        return connection

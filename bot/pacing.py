"""How fast the bot moves: its clock, its intervals, its chance, and the typing action.

Knows nothing of what is said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import TelegramError


class Clock:
    """The time, and waiting for it: tests have one of their own."""

    def now(self) -> float:
        """UTC epoch seconds."""
        return time.time()

    def ticks(self) -> float:
        """Seconds since some moment; unlike `now`, nobody sets them."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait so long."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The bot's intervals, in seconds.

    Attributes:
        typing: between two typing actions; Telegram shows one for about five.
        watch: between two looks at a training; every change is an edit, and Telegram limits those.
        retry: before the first new attempt after a network error; it doubles up to `retry_most`.
        grace: how long a stopping bot waits for replies under way.
        close: how long it then waits for the generator to free its model.
        look: how long /status waits for the generator before it tells what was last known.
        check: between two looks at whether Telegram still brings messages to the webhook.
        clock: what bursts and pauses are timed by.
        random: what pauses are drawn with.
    """

    typing: float = 4.0
    watch: float = 3.0
    retry: float = 1.0
    retry_most: float = 30.0
    grace: float = 5.0
    close: float = 1.5
    look: float = 3.0
    check: float = 60.0
    clock: Clock = field(default_factory=Clock)
    random: Random = field(default_factory=Random)


@asynccontextmanager
async def typing(bot: Bot, chat_id: int, every: float, connection: str | None = None) -> AsyncIterator[None]:
    """Show "typing" in a chat for as long as the block runs; a failing action is of no matter.

    Args:
        connection: in the owner's own chat, the business connection through which.
    """

    async def show() -> None:
        while True:
            with suppress(TelegramError):
                await bot.send_chat_action(chat_id, ChatAction.TYPING, business_connection_id=connection)
            await asyncio.sleep(every)

    showing = asyncio.create_task(show())
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)

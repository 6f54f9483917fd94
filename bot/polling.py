"""Long polling: keep asking Telegram for updates, through outages, and know which failures are final.

Knows nothing of updates' contents.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.delivery import seconds_to_wait
from bot.inbox import KINDS, LONG_POLL_SECONDS
from bot.pacing import Rhythm
from bot.places import place_of
from twin.errors import BotError

CONFLICTS = 3  # a poll that a killed process left behind conflicts once or twice
_log = logging.getLogger(__name__)

Accept = Callable[[Update], Awaitable[None]]
Receive = Callable[[Bot, Accept, Rhythm], Coroutine[Any, Any, None]]
"""Hands on new messages for ever, each once; raises BotError when there is no more hope."""


class Patience:
    """What to do about failing requests: wait longer each time, or give up for good."""

    def __init__(self, rhythm: Rhythm) -> None:
        self._rhythm = rhythm
        self._failures = 0
        self._conflicts = 0

    async def after(self, error: TelegramError) -> None:
        """Wait until another attempt makes sense.

        Raises:
            BotError: none does: the token is rejected, or somebody else polls with it.
        """
        if isinstance(error, InvalidToken):
            raise BotError(
                "Telegram rejects the bot's token",
                "copy it again from @BotFather, and check telegram.bot_api_url if that is set",
            )
        self._conflicts += isinstance(error, Conflict)
        if self._conflicts >= CONFLICTS:
            raise BotError(
                "Another program receives this bot's messages", "stop it, or make this twin a bot of its own"
            )
        if isinstance(error, RetryAfter):
            await asyncio.sleep(seconds_to_wait(error))
            return
        if not self._failures:
            _log.warning("Telegram cannot be reached (%s); the bot keeps trying", type(error).__name__)
        wait = min(self._rhythm.retry_most, self._rhythm.retry * 2 ** min(self._failures, 10))
        self._failures += 1
        await asyncio.sleep(wait)

    def reached(self) -> None:
        """A request succeeded."""
        if self._failures:
            _log.info("Telegram answers again")
        self._failures = self._conflicts = 0


async def reach(call: Callable[[], Awaitable[object]], rhythm: Rhythm) -> None:
    """Make a request until it succeeds, however long that takes.

    Raises:
        BotError: it never will: the token is rejected, or somebody else receives the bot's messages.
    """
    patience = Patience(rhythm)
    while True:
        try:
            await call()
        except TelegramError as error:
            problem = error
        else:
            patience.reached()
            return
        await patience.after(problem)


async def poll(bot: Bot, accept: Accept, rhythm: Rhythm) -> None:
    """End a webhook that would forbid polling, then hand on new messages for ever.

    See `InboxRequest` for why none is lost or handed on twice.

    Raises:
        BotError: the token is rejected, or somebody else polls with it.
    """
    await reach(bot.delete_webhook, rhythm)
    patience = Patience(rhythm)
    offset = 0
    while True:
        try:
            updates = await bot.get_updates(offset=offset, timeout=LONG_POLL_SECONDS, allowed_updates=KINDS)
        except TelegramError as error:
            problem = error
        else:
            patience.reached()
            for update in updates:
                offset = update.update_id + 1
                if place_of(update) is not None:
                    await accept(update)
            continue
        await patience.after(problem)

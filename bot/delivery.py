"""Sending through a network that fails: wait and try again where that helps, and only there.

Knows nothing of conversations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from telegram.constants import MessageLimit
from telegram.error import BadRequest, InvalidToken, NetworkError, RetryAfter

from bot.pacing import Rhythm

T = TypeVar("T")


async def deliver(call: Callable[[], Awaitable[T]], rhythm: Rhythm) -> T:
    """Make a request until the server took it; an outage is waited out, for ever if need be.

    Args:
        call: makes the request; called again for every attempt.

    Raises:
        TelegramError: the server refused it (a blocked bot, a bad request): trying again would not help.
    """
    delay = rhythm.retry
    while True:
        try:
            return await call()
        except RetryAfter as error:
            await asyncio.sleep(seconds_to_wait(error))
        except BadRequest:  # a NetworkError by inheritance only
            raise
        except (NetworkError, InvalidToken):  # polling meets a rejected token too, and ends the bot
            await asyncio.sleep(delay)
            delay = min(rhythm.retry_most, 2 * delay)


async def to_its_end(sending: Coroutine[Any, Any, T], seconds: float) -> T:
    """Send and note it, as one: a stop waits so long for it, as Telegram may have it, and sent again it is there twice.

    Raises:
        CancelledError: the bot stops.
    """
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=seconds)
        task.cancel()
        raise


def seconds_to_wait(error: RetryAfter) -> float:
    """How long the server asks to wait, in seconds."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else wait


def pieces(text: str) -> list[str]:
    """A text as messages that Telegram takes: one, unless it is longer than 4,096 UTF-16 units."""
    most = MessageLimit.MAX_TEXT_LENGTH // 2  # a character is at most two units
    if len(text.encode("utf-16-le")) // 2 <= MessageLimit.MAX_TEXT_LENGTH:
        return [text]
    return [part for start in range(0, len(text), most) if (part := text[start : start + most].strip())]

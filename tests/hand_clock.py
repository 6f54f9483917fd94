"""A clock that stands still until a test moves it, in place of `bot.pacing.Clock`."""

from __future__ import annotations

import asyncio
import time

from bot.pacing import Clock


class HandClock(Clock):
    """Time passes by `advance` alone.

    Attributes:
        asked: how long each sleep was to be, in seconds, in order.
    """

    def __init__(self) -> None:
        self._now = time.time()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.asked: list[float] = []

    def now(self) -> float:
        return self._now

    def ticks(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, waking))
        await waking

    @property
    def sleepers(self) -> int:
        """How many wait for it just now."""
        return sum(not waking.done() for _, waking in self._sleepers)

    def advance(self, seconds: float) -> None:
        """Let time pass; whoever's time has come goes on."""
        self._now += seconds
        for until, waking in self._sleepers:
            if until <= self._now + 1e-6 and not waking.done():
                waking.set_result(None)

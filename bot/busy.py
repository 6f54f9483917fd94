"""Back-pressure in the owner's voice: who waits because the machine is busy is told so, in one short line.

Knows nothing of how an answer is made. The line is a courtesy: it is written down before it is sent and never sent
again, so that a kill can lose it, and cannot say it twice. It stays out of the conversation that the twin reads: the
owner would not have said it there, and an answer must not depend on how busy a machine was.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from statistics import median
from typing import TypeVar

from telegram.error import BadRequest, Forbidden

from bot.bursts import Burst
from bot.busy_phrases import owners_phrase
from bot.history import History
from bot.outlet import Outlet
from bot.pacing import Clock, Rhythm
from twin.places import is_owners_own
from twin.settings import Settings
from twin.store import Store

QUIET_SECONDS = 600.0
"""For so long nobody is told again."""

_REMEMBERED = 9  # replies; their median, as one that waited for a training to end says nothing of the next

T = TypeVar("T")
U = TypeVar("U")
_log = logging.getLogger(__name__)


class Load:
    """How many replies are being made or wait for it, and how long one takes.

    Args:
        at_once: how many are made side by side.
    """

    def __init__(self, at_once: int, clock: Clock) -> None:
        self._at_once = at_once
        self._clock = clock
        self._ahead = 0
        self._took: deque[float] = deque(maxlen=_REMEMBERED)

    def expected(self) -> float:
        """Seconds until a reply asked for now would be there; 0 while none was made yet."""
        usual = median(self._took) if self._took else 0.0
        return usual * (self._ahead // self._at_once + 1)

    @contextmanager
    def reply(self, asked: Callable[[T], U]) -> Iterator[Callable[[T], U]]:
        """A reply is asked for; yields `asked`, which is called in a thread once its turn has come."""
        begun: list[float] = []

        def begin(given: T) -> U:
            begun.append(self._clock.ticks())
            return asked(given)

        self._ahead += 1
        try:
            yield begin
            if begun:
                self._took.append(self._clock.ticks() - begun[0])
        finally:
            self._ahead -= 1


class Busy:
    """Tells who waits.

    Attributes:
        load: what the machine has to do.
    """

    def __init__(self, settings: Settings, history: History, outlet: Outlet, rhythm: Rhythm) -> None:
        self._settings = settings
        self._history = history
        self._outlet = outlet
        self.rhythm = rhythm
        self._phrase: str | None = None
        self._finding = asyncio.Lock()
        self.load = Load(settings.engine.at_once, rhythm.clock)

    @asynccontextmanager
    async def watching(self, burst: Burst, pause: float) -> AsyncIterator[None]:
        """Tell the chat if the block takes too long; once it is told, that is sent before the block ends.

        Args:
            pause: how long the owner themselves would still take, in seconds from now.
        """
        limit = self._settings.telegram.busy_seconds
        if not limit or is_owners_own(burst.chat_id):
            yield
            return
        pause = max(0.0, pause)
        is_late = self.load.expected() > limit + pause
        telling = _Telling(self, burst, pause if is_late else pause + limit - burst.waited)
        try:
            yield
            await telling.over()
        finally:
            await telling.stop()

    async def tell(self, burst: Burst, begun: asyncio.Event) -> None:
        """Tell a chat now, unless it was told already; `begun` is set before anything goes out."""
        text = await self._text()
        leader, now = burst.heard[0].update_id, self.rhythm.clock.now()
        if not self._history.plan_busy(leader, burst.chat_id, text, now, QUIET_SECONDS):
            return
        begun.set()
        try:
            await self._outlet.send(burst.chat_id, text)
        except (BadRequest, Forbidden):
            _log.warning("Telegram refused a line in chat %d", burst.chat_id)

    async def _text(self) -> str:
        """One of the settings' lines, else the owner's own; that one is found once, in a thread."""
        chosen = [line.strip() for line in self._settings.telegram.busy_phrases if line.strip()]
        if chosen:
            return self.rhythm.random.choice(chosen)
        async with self._finding:
            if self._phrase is None:
                self._phrase = await asyncio.to_thread(self._found)
        return self._phrase

    def _found(self) -> str:
        with Store.of(self._settings) as store:
            return owners_phrase(store.db, self._settings)


class _Telling:
    """A chat that is told after some seconds, unless that is stopped before."""

    def __init__(self, busy: Busy, burst: Burst, seconds: float) -> None:
        self._begun = asyncio.Event()
        self._task = asyncio.create_task(self._run(busy, burst, seconds))

    async def _run(self, busy: Busy, burst: Burst, seconds: float) -> None:
        if seconds > 0:
            await busy.rhythm.clock.sleep(seconds)
        await busy.tell(burst, self._begun)

    async def over(self) -> None:
        """There is an answer: nobody is told any more, but what is going out goes before it."""
        if self._begun.is_set():
            await self._task

    async def stop(self) -> None:
        """Wherever it is."""
        self._task.cancel()
        failed = (await asyncio.gather(self._task, return_exceptions=True))[0]
        if isinstance(failed, Exception):  # the answer is what counts
            _log.warning("Nobody could be told that they wait (%s)", type(failed).__name__)

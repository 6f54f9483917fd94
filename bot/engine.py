"""The generator for an event loop: asked in threads, several chats at once, stopped in the middle when the bot stops.

Knows nothing of Telegram.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from inference.generator import Generator, TwinReply, Wish
from inference.yielding import yielding
from twin.errors import BotError, TwinError
from twin.manifest import Manifest
from twin.messages import Conversation
from twin.sections import Reply
from twin.settings import Settings

T = TypeVar("T")
_SPARE_THREADS = 2  # so that a look is not kept waiting by replies
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """What the generator last said of itself; see `Generator.adapter` and `Generator.refused`."""

    adapter: str | None
    refused: str | None


class Engine:
    """A generator for an event loop.

    Args:
        build: makes the generator; called once, in a thread.
        how: sampling instead of the settings', if any; asked before each reply.
    """

    def __init__(
        self, settings: Settings, build: Callable[[], Generator], how: Callable[[], Reply | None] = lambda: None
    ) -> None:
        self._settings = settings
        self._build = build
        self._how = how
        self._threads = ThreadPoolExecutor(settings.engine.at_once + _SPARE_THREADS, thread_name_prefix="generator")
        self._calls: set[Future[Any]] = set()  # in threads just now
        self._generator: Generator | None = None
        self._yielding = ExitStack()
        self._loaded = asyncio.Event()
        self._is_closing = threading.Event()
        self.serving: Serving | None = None  # None until the model is loaded

    async def load(self) -> None:
        """Build the generator; replies asked for meanwhile wait.

        Raises:
            TwinError: it cannot be built. Replies then wait until the bot stops, and for its next start.
        """
        try:
            await self._run(self._load)
        except TwinError:
            raise
        except Exception as error:
            raise BotError(
                f"The model could not be loaded ({type(error).__name__})", "run `twin doctor` for what is missing"
            ) from error
        self._loaded.set()

    async def reply(
        self,
        asked: Callable[[str], Conversation],
        is_dropped: Callable[[], bool] = lambda: False,
        version: str | None = None,
    ) -> TwinReply | None:
        """Answer one conversation, beside those of other chats.

        Args:
            asked: makes the conversation, given the language (ISO 639-1) in which what answers was taught to read
                placeholders; called in a thread.
            is_dropped: tells, in any thread, that nobody waits for the reply any more: it then ends where it is.
            version: which one is to answer, whatever serves; default: the one that serves.

        Returns:
            None while no trained version serves: what the bare base model would say are not the owner's words.

        Raises:
            CancelledError: the bot stops; half a reply is no reply.
            AdapterError: the version asked for cannot answer.
            Exception: whatever the generator raised.
        """
        await self._loaded.wait()
        how = self._how()
        wish = Wish(how=how, version=version, is_cancelled=lambda: self._is_closing.is_set() or is_dropped())
        reply = await self._run(lambda: self._reply(asked, wish))
        if reply is not None and reply.ended == "cancelled":
            raise asyncio.CancelledError
        return reply

    async def loaded(self) -> None:
        """Return once the model is loaded, and it is known what serves."""
        await self._loaded.wait()

    async def look(self, seconds: float) -> Serving | None:
        """What serves now, after a look for a newly promoted adapter; what was last known if that takes too long."""
        if self._loaded.is_set():
            looking = asyncio.ensure_future(self._run(self._refresh))
            await asyncio.wait({looking}, timeout=seconds)
        return self.serving

    async def close(self, seconds: float) -> bool:
        """Stop what is being written and free the model.

        Returns:
            whether that was done in time.
        """
        self._is_closing.set()
        under_way = [*self._calls, self._threads.submit(self._close)]
        self._threads.shutdown(wait=False)
        _, still = await asyncio.wait([asyncio.wrap_future(call) for call in under_way], timeout=seconds)
        return not still

    def _run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """In a thread. Whoever waits may stop waiting; the thread cannot be stopped, so it is remembered."""
        running = self._threads.submit(call)
        self._calls.add(running)
        running.add_done_callback(self._calls.discard)
        return asyncio.wrap_future(running)

    def _load(self) -> None:
        generator = self._build()
        self._look_at(generator)
        self._yielding.enter_context(yielding(self._settings, generator))
        self._generator = generator

    def _reply(self, asked: Callable[[str], Conversation], wish: Wish) -> TwinReply | None:
        generator = self._generator
        assert generator is not None
        try:
            generator.refresh()
            if wish.version is not None:
                prompt = Manifest.read(self._settings.adapters / wish.version).prompt
                return generator.reply(asked(prompt.language), wish)
            if generator.adapter is None:
                return None
            return generator.reply(asked(generator.prompt.language), wish)
        finally:
            self._look_at(generator)

    def _refresh(self) -> None:
        assert self._generator is not None
        try:
            self._generator.refresh()
        except Exception as error:  # noqa: BLE001 - looking is a courtesy; the next reply meets the same failure
            _log.warning("The generator could not look for a new adapter (%s)", type(error).__name__)
        self._look_at(self._generator)

    def _close(self) -> None:
        self._yielding.close()
        if self._generator is not None:
            self._generator.close()
            self._generator = None

    def _look_at(self, generator: Generator) -> None:
        self.serving = Serving(generator.adapter, generator.refused)

"""The generator in its one thread: loaded, asked and closed there, while the event loop goes on.

Knows nothing of Telegram.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from inference.generator import Generator, TwinReply
from twin.errors import BotError, TwinError
from twin.messages import Conversation

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """What the generator last said of itself; see `Generator.adapter` and `Generator.refused`."""

    adapter: str | None
    refused: str | None


class Engine:
    """A generator for an event loop. `Generator` and its database connection belong to one thread: this one's.

    Args:
        build: makes the generator; called once, in the thread.
    """

    def __init__(self, build: Callable[[], Generator]) -> None:
        self._build = build
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generator")
        self._generator: Generator | None = None  # only ever touched in the thread
        self._loaded = asyncio.Event()
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

    async def reply(self, asked: Callable[[str], Conversation]) -> TwinReply | None:
        """Answer one conversation; requests are served in the order they came in.

        Args:
            asked: makes the conversation, given the language (ISO 639-1) in which what answers was taught to read
                placeholders; called in the generator's thread.

        Returns:
            None while no trained version serves: what the bare base model would say are not the owner's words.

        Raises:
            Exception: whatever the generator raised.
        """
        await self._loaded.wait()
        return await self._run(lambda: self._reply(asked))

    async def look(self, seconds: float) -> Serving | None:
        """What serves now, after a look for a newly promoted adapter; what was last known if that takes too long."""
        if self._loaded.is_set():
            looking = asyncio.ensure_future(self._run(self._refresh))
            await asyncio.wait({looking}, timeout=seconds)
        return self.serving

    async def close(self, seconds: float) -> bool:
        """Free the model.

        Returns:
            whether that was done in time; a thread in the middle of a long reply cannot be interrupted.
        """
        closing = asyncio.ensure_future(self._run(self._close))
        self._thread.shutdown(wait=False)
        await asyncio.wait({closing}, timeout=seconds)
        return closing.done()

    def _run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _load(self) -> None:
        self._generator = self._build()
        self._look_at(self._generator)

    def _reply(self, asked: Callable[[str], Conversation]) -> TwinReply | None:
        assert self._generator is not None
        try:
            self._generator.refresh()
            if self._generator.adapter is None:
                return None
            return self._generator.reply(asked(self._generator.prompt.language))
        finally:
            self._look_at(self._generator)

    def _refresh(self) -> None:
        assert self._generator is not None
        try:
            self._generator.refresh()
        except Exception as error:  # noqa: BLE001 - looking is a courtesy; the next reply meets the same failure
            _log.warning("The generator could not look for a new adapter (%s)", type(error).__name__)
        self._look_at(self._generator)

    def _close(self) -> None:
        if self._generator is not None:
            self._generator.close()
            self._generator = None

    def _look_at(self, generator: Generator) -> None:
        self.serving = Serving(generator.adapter, generator.refused)

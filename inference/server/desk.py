"""The desk: where replies are asked for from an event loop, while a generator writes them in threads.

Knows nothing of HTTP, nor of what is asked.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from inference.generator import Generator, TwinReply, Wish
from inference.server.metrics import Metrics
from inference.server.problems import UNFORESEEN, Refused
from twin.errors import AdapterError, TwinError
from twin.messages import Conversation

_log = logging.getLogger(__name__)
_SOON = 2  # seconds after which it is worth trying again


@dataclass(frozen=True, slots=True)
class Said:
    """A bubble of a reply as soon as it may be said: which reply, and which version writes it."""

    index: int
    text: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Replied:
    """A reply that is complete."""

    index: int
    reply: TwinReply


class Replies:
    """Replies to one conversation while they come about. Belongs to the event loop; leave it with `leave`."""

    def __init__(self, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Said | Replied | Refused] = asyncio.Queue()
        self._count = count
        self._is_gone = threading.Event()

    def leave(self) -> None:
        """Want no more of it; what is still being written is cancelled."""
        self._is_gone.set()

    @property
    def is_gone(self) -> bool:
        """Whether nobody wants them any more."""
        return self._is_gone.is_set()

    async def events(self, idle_seconds: float) -> AsyncIterator[Said | Replied | None]:
        """What happens, until every reply is complete; None when nothing happened for so long.

        Raises:
            Refused: one of them cannot be given; the others are cancelled.
        """
        left = self._count
        while left:
            try:
                event = await asyncio.wait_for(self._events.get(), idle_seconds)
            except TimeoutError:
                yield None
                continue
            if isinstance(event, Refused):
                raise event
            left -= isinstance(event, Replied)
            yield event

    async def all(self) -> list[TwinReply]:
        """Every reply, in order. Raises as `events` does."""
        found: dict[int, TwinReply] = {}
        async for event in self.events(3600.0):
            if isinstance(event, Replied):
                found[event.index] = event.reply
        return [found[index] for index in range(self._count)]

    def tell(self, event: Said | Replied | Refused) -> None:
        """Called from any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)


class Desk:
    """Takes conversations in and hands replies out, a thread for each. Belongs to the event loop.

    Args:
        places: how many replies are under way or wait at the same time; more are refused.
    """

    def __init__(self, places: int, metrics: Metrics) -> None:
        self.places = places
        self.metrics = metrics
        self.generator: Generator | None = None
        self.engine: str | None = None  # its kind, once known
        metrics.generator = lambda: self.generator
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="reply")
        self._taken = 0
        self._is_stopping = threading.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded and nobody asked to stop."""
        return self.generator is not None and not self._is_stopping.is_set()

    @property
    def is_reachable(self) -> bool:
        """Whether the engine answers, as far as is known: a server elsewhere that failed again and again does not."""
        return bool(getattr(self.generator, "is_reachable", True))

    def ask(self, conversation: Conversation, wishes: Sequence[Wish]) -> Replies:
        """Begin a reply for each wish.

        Raises:
            Refused: the model is not loaded yet, there are too few places, or the server is about to end.
        """
        generator = self.generator
        if generator is None or not self.is_ready:
            self.metrics.refused("not_ready")
            raise Refused(503, "The model is not loaded: try again soon.", "not_ready", retry_after=_SOON)
        if len(wishes) > self.places:
            raise Refused(400, f"n is at most {self.places} here.", "invalid_value", "n")
        if self._taken + len(wishes) > self.places:
            self.metrics.refused("busy")
            raise Refused(503, "Too many replies are waited for: try again soon.", "overloaded", retry_after=_SOON)
        replies = Replies(len(wishes))
        loop = asyncio.get_running_loop()
        for index, wish in enumerate(wishes):
            self._took(1)
            future = loop.run_in_executor(self._threads, self._write, generator, conversation, wish, replies, index)
            future.add_done_callback(lambda _: self._took(-1))
        return replies

    def look(self) -> None:
        """Have the generator look for a newly promoted version, so that it serves before anybody asks."""
        if self.generator is not None and self.is_ready:
            threading.Thread(target=_refreshed, args=(self.generator,), daemon=True, name="look").start()

    def stop(self) -> None:
        """Cancel what is under way, and take nothing in any more."""
        self._is_stopping.set()

    def close(self) -> None:
        """Let the threads go once they are done."""
        self.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _took(self, places: int) -> None:
        self._taken += places
        self.metrics.open.set(self._taken)

    def _write(
        self, generator: Generator, conversation: Conversation, wish: Wish, replies: Replies, index: int
    ) -> None:
        """One reply, in its thread; whatever happens, somebody is told."""
        began = time.perf_counter()
        heard, version = 0, generator.adapter

        def on_begin(writes: str | None) -> None:
            nonlocal version
            version = writes

        def on_bubble(text: str) -> None:
            nonlocal heard
            if not heard:
                self.metrics.began(time.perf_counter() - began)
            heard += 1
            replies.tell(Said(index, text, version))

        def is_cancelled() -> bool:
            return replies.is_gone or self._is_stopping.is_set()

        try:
            if wish.version is None:
                _refuse_to_pretend(generator)
            listening = replace(wish, on_begin=on_begin, on_bubble=on_bubble, is_cancelled=is_cancelled)
            reply = generator.reply(conversation, listening)
        except Exception as error:  # noqa: BLE001 - told to whoever asked, by kind; its words might quote a message
            self.metrics.failed()
            replies.tell(_explained(error, wish))
            replies.leave()
            return
        self.metrics.replied(reply, time.perf_counter() - began)
        if reply.ended == "cancelled" and self._is_stopping.is_set():
            replies.tell(Refused(503, "The server is stopping.", "stopping", retry_after=_SOON))
        else:
            replies.tell(Replied(index, reply))


def _refreshed(generator: Generator) -> None:
    try:
        generator.refresh()
    except Exception as error:  # noqa: BLE001 - looking is a courtesy; the next reply meets the same failure
        _log.warning("The generator could not look for a new adapter (%s)", type(error).__name__)


def _refuse_to_pretend(generator: Generator) -> None:
    """The bare base model never speaks in the place of an adapter that was refused.

    Raises:
        AdapterError: something is promoted, and nothing that is promoted can serve.
    """
    if generator.adapter is None:
        generator.refresh()
    if generator.adapter is None and generator.refused is not None:
        raise AdapterError("Nothing that was promoted can serve", generator.refused.removesuffix("."))


def _explained(error: Exception, wish: Wish) -> Refused:
    if isinstance(error, AdapterError) and wish.version is not None:
        return Refused(400, str(error), "model_unusable", "model")
    if isinstance(error, TwinError):
        _log.warning("A reply failed: %s", error)
        return Refused(503, str(error), "model_failed", retry_after=_SOON)
    _log.error("A reply failed: %s", type(error).__name__)
    return UNFORESEEN

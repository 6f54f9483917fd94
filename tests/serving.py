"""A server that really runs, in a thread and at a free port, and a generator that is told what to say."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from openai import OpenAI

from inference.generator import ANYHOW, BASE, TwinReply, Wish
from inference.server.running import Patience, address_of, listen, run_server
from twin.messages import Conversation
from twin.prompt import PromptSpec
from twin.sections import Reply
from twin.settings import Settings

PATIENCE = 60.0
KEY = "a-key-for-tests-0123456789"


@dataclass
class Scripted:
    """Fulfils `Generator`: says the same bubbles each time, or one for the seed, and remembers what it was asked.

    Attributes:
        caught: what its guard keeps back of every reply.
        hold: replies wait, after their first bubble, until it is set, or until they are cancelled.
        fails: raised instead of a reply.
    """

    bubbles: Sequence[str] = ("hey", "what's up")
    adapter: str | None = "20260101-000000-aaaa"
    refused: str | None = None
    kind: str = "local"
    caught: tuple[str, ...] = ()
    fails: BaseException | None = None
    hold: threading.Event = field(default_factory=threading.Event)
    prompt: PromptSpec = field(default_factory=PromptSpec)
    asked: list[tuple[Conversation, Wish]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    cancelled: int = 0
    at_once: int = 0
    most_at_once: int = 0
    swaps: int = 0
    waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.hold.set()

    def refresh(self) -> None:
        self.calls.append("refresh")

    def release(self) -> None:
        self.calls.append("release")

    def resume(self) -> None:
        self.calls.append("resume")

    def close(self) -> None:
        self.calls.append("close")

    def replies(self, conversations: Sequence[Conversation], wish: Wish = ANYHOW) -> list[TwinReply]:
        return [self.reply(conversation, wish) for conversation in conversations]

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        with self._lock:
            self.asked.append((conversation, wish))
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            return self._written(wish)
        finally:
            with self._lock:
                self.at_once -= 1

    def _written(self, wish: Wish) -> TwinReply:
        if self.fails is not None:
            raise self.fails
        version = self.adapter if wish.version is None else wish.version
        reply = TwinReply((), None if version == BASE else version, "turn", 7, 0, self.caught)
        wish.on_begin(reply.adapter)
        for bubble in self._bubbles(wish):
            if any(stop in bubble for stop in wish.stops):
                return replace(reply, ended="stopped")
            if wish.how is not None and reply.tokens >= wish.how.max_tokens:
                return replace(reply, ended="length")
            wish.on_bubble(bubble)
            reply = replace(reply, bubbles=(*reply.bubbles, bubble), tokens=reply.tokens + 3)
            while not self.hold.wait(0.01):
                if wish.is_cancelled():
                    self.cancelled += 1
                    return replace(reply, ended="cancelled")
        return reply

    def _bubbles(self, wish: Wish) -> list[str]:
        return [bubble.format(seed=wish.seed) for bubble in self.bubbles]


@dataclass
class Running:
    """A server that runs.

    Attributes:
        address: of the server, without a slash at the end.
        stop: tells it to stop, and returns whether the model was freed.
        ended: waits until it ends by itself.
        clients: those of `openai`, closed at the end.
    """

    address: str
    key: str | None
    stop: Callable[[], bool]
    ended: Callable[[], None]
    clients: list[OpenAI] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://").rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def openai(self, key: str | None = None, **options: Any) -> OpenAI:
        """The official client; it does not try anything again by itself."""
        shown = key or self.key or "none"
        options = {"base_url": f"{self.address}/v1", "timeout": PATIENCE, "max_retries": 0, **options}
        self.clients.append(OpenAI(api_key=shown, **options))
        return self.clients[-1]

    def http(self, **headers: str) -> httpx2.Client:
        """A plain client; underscores in headers' names become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            named = {"authorization": f"Bearer {self.key}", **named}
        return httpx2.Client(base_url=self.address, headers=named, timeout=PATIENCE, trust_env=False)


def serve_with(settings: Settings, **changes: Any) -> Settings:
    """Settings with another [serve]; enough requests a minute for any test unless it says otherwise."""
    changes = {"port": 0, "requests_per_minute": 100_000, **changes}
    return settings.model_copy(update={"serve": settings.serve.model_copy(update=changes)})


@contextmanager
def running(
    settings: Settings,
    build: Callable[[], Any],
    key: str | None = None,
    *,
    wait: bool = True,
    finish: float = 5.0,
    close: float = PATIENCE,
) -> Iterator[Running]:
    """A server while it lasts.

    Args:
        build: makes its generator.
        wait: until the model is loaded.
        finish, close: see Patience.
    """
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ended: list[bool | BaseException] = []
    patience = Patience(finish, int(finish + PATIENCE), close)

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            ended.append(loop.run_until_complete(run_server(settings, listening, key, build, stop, patience)))
        except BaseException as error:  # noqa: BLE001 - told to the test
            ended.append(error)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def finish() -> bool:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join(3 * PATIENCE)
        assert not thread.is_alive(), "the server did not end"
        if isinstance(ended[0], BaseException):
            raise ended[0]
        return bool(ended[0])

    with listen(settings.serve.host, settings.serve.port, key) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        server = Running(address_of(listening), key, finish, lambda: thread.join(PATIENCE))
        try:
            with server.http() as client:
                until(lambda: client.get("/readyz" if wait else "/healthz").status_code == 200)
            yield server
        finally:
            for opened in server.clients:
                opened.close()
            finish()


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until it holds, generously."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def sampling(wish: Wish) -> Reply:
    """How a reply was asked for."""
    assert wish.how is not None
    return wish.how

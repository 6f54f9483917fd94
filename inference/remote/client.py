"""The client of a server elsewhere: requests and streams with time limits, tries, a circuit breaker and one sentence.

Knows nothing of what is asked: bodies go in, JSON comes out. It never shows a body or a key.

All requests live on an event loop in a thread of their own, so that a stream that nobody wants any more is closed at
once, even while the server keeps silent. httpx asks; httpx-sse reads events (httpx's own lines end at signs that JSON
may hold, such as U+2028); tenacity tries again. A stream is only begun again as long as nothing of it came.
"""

from __future__ import annotations

import random
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from httpx_sse import EventSource, SSEError
from tenacity import AsyncRetrying

from inference.remote.circuit import Circuit, CircuitOpen
from inference.retrying import Passing, Pause, retry_after, tries
from twin.addresses import is_loopback, place
from twin.errors import ModelError, SettingsError

ATTEMPTS = 4
LONGEST_ASKED = 30.0  # a server that asks to wait longer is not waited for
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_CONNECT_SECONDS = 5.0
_TOO_MUCH = (408, 425, 429)
_GONE = (502, 503, 504)
_READABLE = (SSEError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

Found = TypeVar("Found")


class Sink(Protocol):
    """Takes what a stream brings."""

    @property
    def is_begun(self) -> bool:
        """Whether anything came that must not come twice."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing any more."""

    def take(self, value: dict[str, Any]) -> None:
        """The JSON of the next event; must return at once.

        Raises:
            ValueError, TypeError, KeyError, IndexError, AttributeError: it cannot be read.
        """


class NoSuchModel(Exception):
    """The server does not know the model that was asked for (HTTP 404)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a whole request.

    Attributes:
        status: of HTTP; 200, or one that whoever asked has to judge.
        value: its JSON; None if it was none.
    """

    status: int
    value: Any


class _Down(Passing):
    """The server is not there or not well; of a busy one, which is well, nothing is learned."""


class RemoteClient:
    """Asks one server. Any thread may call anything; whoever made it closes it.

    Args:
        url: with the path of its API, without a slash at its end.
        timeout_seconds: the longest silence: before an answer begins, and between its parts.
        sleep: an async function that waits between tries.
        chance: in [0, 1); makes their pauses uneven.
        transport: instead of the network.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        timeout_seconds: float,
        *,
        circuit: Circuit | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        chance: Callable[[], float] = random.random,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if key is not None and not (key.isascii() and key.isprintable()):
            raise SettingsError("The remote engine's key has signs that no key has", "copy it again, without a newline")
        self.url = url
        self.root = url.removesuffix("/v1")
        self.place = place(url)
        self.circuit = circuit or Circuit()
        self._seconds = timeout_seconds
        self._tries = tries(ATTEMPTS, Pause(_FIRST_PAUSE, _LONGEST_PAUSE, chance), sleep)
        # A proxy of the environment must not carry what is meant for this machine; redirects are never followed.
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_seconds, connect=_CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=not is_loopback(url),
            transport=transport,
        )
        portal = start_blocking_portal(name="twin-remote")
        self._portal = portal.__enter__()
        self._stop = weakref.finalize(self, portal.__exit__, None, None, None)  # at the process's end at the latest

    def close(self) -> None:
        """Close every connection."""
        if self._stop.alive:
            self._portal.call(self._http.aclose)
        self._stop()

    def get(self, path: str) -> Answer:
        """Ask; see `post`."""
        answer: Answer = self._portal.call(self._asked, "GET", path, None)
        return answer

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """Ask with a body, and wait for the whole answer.

        Args:
            path: below `url`, or a whole address.

        Returns:
            what it said, HTTP 4xx and 500 too.

        Raises:
            SettingsError: it refuses the key.
            ModelError: it does not answer.
        """
        answer: Answer = self._portal.call(self._asked, "POST", path, body)
        return answer

    def stream(self, path: str, body: dict[str, Any], sink: Sink) -> Future[None]:
        """Begin a stream of events, which `sink` takes in the client's thread.

        Returns:
            done when the stream is; cancelling it closes the connection. Its exception is one of `post`'s, or
            NoSuchModel.
        """
        return self._portal.start_task_soon(self._streamed, path, body, sink)

    async def _asked(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        async def once() -> Answer:
            response = await self._http.request(method, self._address(path), json=body)
            if 300 <= response.status_code < 400:
                raise self._refusal(response)
            if response.status_code in (401, 403, *_TOO_MUCH, *_GONE):
                raise self._fault(response)
            try:
                return Answer(response.status_code, response.json())
            except _READABLE:
                return Answer(response.status_code, None)

        return await self._tried(once)

    async def _streamed(self, path: str, body: dict[str, Any], sink: Sink) -> None:
        async def once() -> None:
            try:
                await self._events(path, body, sink)
            except (httpx.RequestError, *_READABLE) as error:
                if sink.is_whole:
                    return
                if sink.is_begun:
                    raise _GivenUp(
                        f"The remote server at {self.place} broke off in the middle of a text",
                        "ask again; what it wrote so far is not written twice",
                    ) from error
                if isinstance(error, httpx.RequestError):
                    raise
                raise _Down("an answer that cannot be read") from error

        await self._tried(once)

    async def _events(self, path: str, body: dict[str, Any], sink: Sink) -> None:
        async with self._http.stream("POST", self._address(path), json=body) as response:
            if response.status_code != 200:
                raise self._fault(response)
            async with aclosing(EventSource(response).aiter_sse()) as events:
                async for event in events:
                    if event.data == "[DONE]":
                        break
                    if event.data:
                        sink.take(_value(event.json()))
        if not sink.is_whole:
            raise ValueError("a stream without an end")

    async def _tried(self, once: Callable[[], Awaitable[Found]]) -> Found:
        """Try until it passes, is no passing fault, or was tried often enough."""
        try:
            return await AsyncRetrying(**self._tries)(self._through_circuit, once)
        except CircuitOpen as error:
            soon = f"in {error.seconds:.0f} seconds" if error.seconds >= 1 else "at once"
            raise ModelError(
                f"The remote server at {self.place} failed {self.circuit.failures} times in a row and is left alone",
                f"see to it; it is tried again {soon}",
            ) from None
        except Passing as fault:
            raise ModelError(
                f"The remote server at {self.place} did not answer, {ATTEMPTS} times: {fault.what}",
                "check that it runs, and engine.url",
            ) from None

    async def _through_circuit(self, once: Callable[[], Awaitable[Found]]) -> Found:
        self.circuit.enter()
        try:
            found = await self._named(once)
        except (_Down, _GivenUp):
            self.circuit.fail()
            raise
        except (Passing, ModelError, SettingsError, NoSuchModel):
            self.circuit.succeed()  # it refuses, but it answers
            raise
        except BaseException:
            self.circuit.leave()
            raise
        self.circuit.succeed()
        return found

    async def _named(self, once: Callable[[], Awaitable[Found]]) -> Found:
        """A client's exceptions as ours; their texts may hold addresses, so they are not shown."""
        try:
            return await once()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _Down(f"no connection ({type(error).__name__})") from error
        except httpx.TimeoutException as error:
            raise _GivenUp(
                f"The remote server at {self.place} said nothing for {self._seconds:g} seconds",
                "see what keeps it busy, or raise engine.timeout_seconds",
            ) from error
        except httpx.RequestError as error:
            raise _Down(f"the connection broke ({type(error).__name__})") from error

    def _fault(self, response: httpx.Response) -> Exception:
        """What an answer other than 200 means."""
        status = response.status_code
        asked = retry_after(response.headers)
        if asked is not None and asked > LONGEST_ASKED and status in (*_TOO_MUCH, *_GONE):
            return ModelError(f"The remote server at {self.place} asks to wait {asked:.0f} seconds", "wait as long")
        if status in _TOO_MUCH:
            return Passing(f"HTTP {status}", asked)
        if status >= 500:
            return _Down(f"HTTP {status}", asked)
        if status in (401, 403):
            return SettingsError(
                f"The remote server at {self.place} refuses our key (HTTP {status})",
                "check TWIN_REMOTE_KEY, or the file remote-key in the home",
            )
        if status == 404:
            return NoSuchModel()
        return self._refusal(response)

    def _refusal(self, response: httpx.Response) -> ModelError:
        return ModelError(
            f"The remote server at {self.place} refuses the request (HTTP {response.status_code})",
            "check engine.url and engine.prompts, and the server's own log",
        )

    def _address(self, path: str) -> str:
        return path if urlsplit(path).scheme else self.url + path


class _GivenUp(ModelError):
    """The server is not well, and trying again would not help who waits."""


def _value(found: Any) -> dict[str, Any]:
    """An event's JSON.

    Raises:
        ValueError: it is no object, or tells of an error.
    """
    if not isinstance(found, dict) or found.get("error"):
        raise ValueError("an event that tells of an error")
    return found

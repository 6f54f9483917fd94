"""Numbers for Prometheus, in a registry of their own.

Knows nothing of who asked for what: no version, chat or address is ever a label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.generator import Generator, TwinReply

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
_TOKENS = (1, 5, 10, 20, 40, 80, 160, 320, 640)
_RATES = (1, 2, 5, 10, 20, 40, 80, 160, 320, 640)
_KIND = re.compile(r"[a-z]+([_-][a-z]+){0,4}")


@runtime_checkable
class Counted(Protocol):
    """A generator that counts its swaps and who waits."""

    @property
    def swaps(self) -> int:
        """How often another version began to serve."""

    @property
    def waiting(self) -> int:
        """How many replies wait to be begun."""


class Metrics:
    """What is counted; any thread may count."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.generator: Callable[[], Generator | None] = lambda: None
        self._replies = Counter("twin_replies", "Replies, by how they ended", ["outcome"], registry=registry)
        self._tokens = Counter("twin_tokens", "Tokens written", registry=registry)
        self._read = Counter("twin_prompt_tokens", "Tokens read", registry=registry)
        self._lengths = Histogram("twin_reply_tokens", "Tokens of a reply", buckets=_TOKENS, registry=registry)
        self._seconds = Histogram(
            "twin_reply_seconds", "From the request to the end of a reply", buckets=_SECONDS, registry=registry
        )
        self._rates = Histogram(
            "twin_tokens_per_second", "Tokens of a reply by its seconds", buckets=_RATES, registry=registry
        )
        self._first = Histogram(
            "twin_time_to_first_bubble_seconds",
            "From the request to the first bubble",
            buckets=_SECONDS,
            registry=registry,
        )
        self._caught = Counter("twin_guard_caught", "What the guard kept back", ["kind"], registry=registry)
        self._refused = Counter("twin_requests_refused", "Requests not answered", ["why"], registry=registry)
        self.open = Gauge("twin_replies_open", "Replies under way or waiting", registry=registry)
        waiting = Gauge("twin_waiting", "Replies that wait to be begun", registry=registry)
        waiting.set_function(lambda: counted.waiting if (counted := self._counted()) else 0)
        ready = Gauge("twin_ready", "Whether the model is loaded", registry=registry)
        ready.set_function(lambda: float(self.generator() is not None))
        reachable = Gauge("twin_engine_reachable", "0 while a server elsewhere is left alone", registry=registry)
        reachable.set_function(lambda: float(getattr(self.generator(), "is_reachable", True)))
        registry.register(_Swaps(self._counted))

    def replied(self, reply: TwinReply, seconds: float) -> None:
        """Count a reply that came about, or was cancelled on the way."""
        self._replies.labels(reply.ended).inc()
        self._tokens.inc(reply.tokens)
        self._read.inc(reply.prompt_tokens)
        self._lengths.observe(reply.tokens)
        self._seconds.observe(seconds)
        if reply.tokens and seconds > 0:
            self._rates.observe(reply.tokens / seconds)
        for kind in reply.caught:
            self._caught.labels(kind if _KIND.fullmatch(kind) else "other").inc()

    def began(self, seconds: float) -> None:
        """Count a first bubble."""
        self._first.observe(seconds)

    def failed(self) -> None:
        """Count a reply that the generator could not give."""
        self._replies.labels("failed").inc()

    def refused(self, why: str) -> None:
        """Count a request that was not let in; `why` is one of a few words."""
        self._refused.labels(why).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counted(self) -> Counted | None:
        generator = self.generator()
        return generator if isinstance(generator, Counted) else None


class _Swaps(Collector):
    """The generator counts its own swaps; they are only read here."""

    def __init__(self, counted: Callable[[], Counted | None]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        counted = self._counted()
        yield CounterMetricFamily("twin_swaps", "Versions that began to serve", value=counted.swaps if counted else 0)

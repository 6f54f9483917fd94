"""How much one address may ask for, and how large a request may be.

Knows nothing of what is asked, nor of who may ask.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.server.metrics import Metrics
from inference.server.problems import Refused

_LOOKING = 10
"""How many times as often one may look (the page's state, models, metrics) as ask for something."""
_UNCOUNTED = ("/healthz", "/readyz")
_BODY_SECONDS = 30.0
_BODYLESS = ("GET", "HEAD", "OPTIONS")


class RateLimit:
    """Sends away an address that asks too often, with a 429 that says when to come again.

    Args:
        per_minute: requests that ask for something; ten times as many that only look, and both count apart.
    """

    def __init__(self, app: ASGIApp, per_minute: int, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._asking = RateLimitItemPerMinute(per_minute)
        self._looking = RateLimitItemPerMinute(per_minute * _LOOKING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] in _UNCOUNTED:
            await self._app(scope, receive, send)
            return
        item = self._looking if scope["method"] in _BODYLESS else self._asking
        kind, address = scope["method"] in _BODYLESS, _asker(scope)
        if self._limiter.hit(item, str(kind), address):
            await self._app(scope, receive, send)
            return
        self._metrics.refused("rate")
        again = self._limiter.get_window_stats(item, str(kind), address).reset_time - time.time()
        wait = max(1, math.ceil(again))
        refused = Refused(429, f"Too many requests: try again in {wait} s.", "rate_limit_exceeded", retry_after=wait)
        await refused.response()(scope, receive, send)


class SizeLimit:
    """Reads bodies before anything looks at them, and refuses one as soon as it is too large, or does not come.

    Args:
        most: bytes.
    """

    def __init__(self, app: ASGIApp, most: int, metrics: Metrics) -> None:
        self._app = app
        self._most = most
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] in _BODYLESS:
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._read(scope, receive), _BODY_SECONDS)
        except TimeoutError:
            await Refused(408, "The body did not come.", "timeout").response()(scope, receive, send)
        except Refused as refused:
            self._metrics.refused("size")
            await refused.response()(scope, receive, send)
        else:
            if body is not None:
                await self._app(scope, _replayed(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None when the client went away before its end."""
        told = Headers(scope=scope).get("content-length", "")
        if told.isascii() and told.isdecimal() and (len(told) > 15 or int(told) > self._most):
            raise self._too_large()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._most:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> Refused:
        return Refused(413, f"The request is larger than {self._most // 1024} kilobytes.", "too_large")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What was read, once; then whatever comes next, which is the client going away."""
    is_told = False

    async def replay() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _asker(scope: Scope) -> str:
    """An address; of IPv6 the network of which one customer usually has all addresses."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)

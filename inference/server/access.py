"""Who may ask: the API key, the names under which this server may be called, and pages of other sites.

Knows nothing of what is asked, nor of where the key is kept.

A server that only this machine reaches needs no key, but every page that the owner's browser opens could reach it too:
by a request across sites, or by a name that suddenly means 127.0.0.1 (DNS rebinding). So without a key only this
machine's own names are answered to, and requests of other sites never are.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.server.metrics import Metrics
from inference.server.problems import Refused

_OPEN = ("/healthz", "/readyz", "/")
_PAGE = "/page/"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens at an IP address."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def names_of(hosts: Iterable[str]) -> frozenset[str]:
    """The host names that a server without a key answers to: this machine's own, and those it was told to listen at."""
    return _LOCAL_NAMES | {f"[{host}]" if ":" in host else host.lower() for host in hosts}


class Access:
    """Lets in who may ask, and answers the others.

    Args:
        key: what everybody must show, except for the page's files and signs of life; None: nothing.
        names: see `names_of`; they only count without a key.
    """

    def __init__(self, app: ASGIApp, key: str | None, names: frozenset[str], metrics: Metrics) -> None:
        self._app = app
        self._key = None if key is None else key.encode()
        self._names = names
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            why, refused = self._judge(scope) or (None, None)
            if why is not None and refused is not None:
                self._metrics.refused(why)
                await refused.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _judge(self, scope: Scope) -> tuple[str, Refused] | None:
        headers = Headers(scope=scope)
        if self._key is None and _name(headers.get("host", "")) not in self._names:
            return "host", Refused(403, "This server does not answer to that name.", "wrong_host")
        if _is_cross_site(headers, scope):
            return "cross_site", Refused(403, "Pages of other sites may not ask.", "cross_site")
        if self._key is None or scope["path"] in _OPEN or scope["path"].startswith(_PAGE):
            return None
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), self._key):
            return None
        return "key", Refused(401, "The API key is missing or wrong: send it as a Bearer token.", "invalid_api_key")


def _is_cross_site(headers: Headers, scope: Scope) -> bool:
    """By what the browser says of itself (https://www.w3.org/TR/fetch-metadata/); to follow a link is no request."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        follows_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        is_page = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        return site not in ("same-origin", "none") and not (follows_link and is_page)
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def _name(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()

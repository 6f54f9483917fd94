"""Addresses of servers: whether one is an address, fit for its purpose, and whether it is this machine.

Knows nothing of HTTP or of who asks; it resolves no names. What is wrong is told without the address, which may hold
secrets.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_WEBHOOK_PORTS = (443, 80, 88, 8443)  # https://core.telegram.org/bots/api#setwebhook
_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_PROXIES = ("http", "https", "socks5", "socks5h")


def is_loopback(url: str) -> bool:
    """Whether an address can only be this machine; a name that merely resolves to it is not believed."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def fault_of(url: str) -> str | None:
    """What is wrong with an address, as it stands after "it is" or "it holds"; None if nothing is.

    Returns:
        "no address" (no http(s), no host, a port that is none), or "more than an address" (a user, a key, a query),
        which should not be shown.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "no address"
        _ = parts.port
    except ValueError:
        return "no address"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "more than an address"
    return None


def place(url: str) -> str:
    """Host and port, as they may be shown."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def webhook_fault(url: str, *, is_self_hosted: bool) -> str | None:
    """What is wrong with an address as Telegram's webhook, as a sentence without its end; None if nothing is.

    Args:
        is_self_hosted: a Bot API server of one's own brings the messages: it takes any port, and http on this machine.
    """
    if fault := fault_of(url):
        return f"it is {fault}; write it as https://bot.example.org/hook"
    parts = urlsplit(url)
    if not _PATH.fullmatch(parts.path):
        return "its path may hold letters, digits, and . _ ~ - alone"
    if parts.scheme == "http" and not (is_self_hosted and is_loopback(url)):
        return (
            "Telegram brings messages to https:// addresses alone"
            if not is_self_hosted
            else "http:// is for this machine alone, as http://127.0.0.1:8391/hook"
        )
    if not is_self_hosted and (parts.port or 443) not in _WEBHOOK_PORTS:
        return f"Telegram knows the ports {', '.join(map(str, _WEBHOOK_PORTS))} alone"
    return None


def proxy_fault(url: str) -> str | None:
    """What is wrong with the address of a proxy, as a sentence without its end; None if nothing is."""
    fault = "it is no address of a proxy; write it as socks5://user:password@host:1080, odd characters as %40"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return fault
    if parts.scheme not in _PROXIES:
        return "a proxy's address begins with http://, https:// or socks5://"
    if (
        not parts.hostname
        or not url.isprintable()
        or " " in url
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
    ):
        return fault
    return None

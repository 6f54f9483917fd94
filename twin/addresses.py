"""Addresses of servers that are told private things: whether one is an address, and whether it is this machine.

Knows nothing of HTTP or of who asks; it resolves no names.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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

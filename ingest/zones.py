"""Time zones: the machine's, or the one that the owner names.

Knows nothing of files.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twin.console import printable
from twin.errors import IngestError


def machine_zone() -> str:
    """The IANA name of the machine's own zone, such as "Europe/Berlin"; "UTC" where it has none."""
    from tzlocal import get_localzone_name

    try:
        return get_localzone_name() or "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    Raises:
        IngestError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise IngestError(
            f"There is no time zone called {printable(name)}", "give an IANA name such as Europe/Berlin"
        ) from None

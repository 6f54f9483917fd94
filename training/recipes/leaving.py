"""What may leave this machine: nothing, unless its owner said so, and then scrubbed.

Knows nothing of what is sent; it fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from twin.addresses import is_loopback
from twin.errors import TeacherError

# Texts of one conversation, as they may be sent, in order.
Scrub = Callable[[Sequence[str]], list[str]]


class CannotScrub(Exception):
    """The scrubber failed on these texts: they must not be sent."""


def scrub_for(url: str, *, is_allowed: bool) -> Scrub:
    """What has to be done with private texts before they are sent to an address: nothing if it is this machine.

    Args:
        is_allowed: whether the owner said in so many words that they may be sent elsewhere.

    Raises:
        TeacherError: they may not, or nothing here can scrub them.
    """
    if is_loopback(url):
        return list
    if not is_allowed:
        raise TeacherError(
            f"What you wrote would leave this machine for {urlsplit(url).hostname}",
            "say so with --send-to-teacher (it is scrubbed first), or run a model on this machine",
        )
    try:
        from twin.privacy import find_window, replace
    except ImportError as error:
        raise TeacherError(
            "What you wrote cannot be scrubbed, so it is not sent", "install twin again, or use a model on this machine"
        ) from error

    def scrub(texts: Sequence[str]) -> list[str]:
        try:
            found = find_window(texts)
            return [replace(text, spans) for text, spans in zip(texts, found, strict=True)]
        except Exception as error:
            raise CannotScrub from error

    return scrub

"""Numbers for chats and messages that have none, the same whenever the same chat is exported again.

Knows nothing of formats. A message is who said what when, and the how-manieth of its like that was.
"""

from __future__ import annotations

import hashlib

_REMEMBERED = 100_000


def chat_number(kind: str, name: str) -> int:
    """A negative number of 62 bits: Telegram's users have positive ones.

    Args:
        kind: where the chat is from, such as "whatsapp".
        name: what it is called there, in any case.
    """
    return -1 - _number(kind, " ".join(name.split()).casefold())


class MessageNumbers:
    """Positive numbers of 62 bits for messages, in the order of a file.

    Of the latest 100,000 messages it remembers how often each was there; what is the same to the letter and further
    apart than that gets one number.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def of(self, *parts: str) -> int:
        """The number of the next message: of what it says, who said it, when, and where."""
        like = _number(*parts)
        count = self._seen.pop(like, 0)
        self._seen[like] = count + 1
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return _number(str(like), str(count))


def _number(*parts: str) -> int:
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 2

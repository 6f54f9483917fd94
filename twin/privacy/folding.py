"""A message as the rules read it: one kind of digit, dash, quote and space, and nothing invisible.

Knows nothing of secrets; it only remembers where each character stood in the message as it was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from twin.privacy.spans import Hit, Span

# First code points of the decimal digits 0-9 of scripts that are typed in chats (Unicode category Nd).
_ZEROS = (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6)
_SAME_LENGTH = (
    {zero + digit: str(digit) for zero in _ZEROS for digit in range(10)}
    | {0x2460 + digit: str(digit + 1) for digit in range(9)}  # circled digits
    | {0xFF21 + letter: chr(0x41 + letter) for letter in range(26)}
    | {0xFF41 + letter: chr(0x61 + letter) for letter in range(26)}
    | dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
    | dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D], "-")
    | dict.fromkeys(map(ord, "“”„«»″＂"), '"')
    | dict.fromkeys(map(ord, "‘’ʼ′＇`"), "'")
    | {
        ord(wide): narrow
        for wide, narrow in zip("＠．＿＋＃／＝＊％＆：（）［］～＄→İ", "@._+#/=*%&:()[]~$>I", strict=True)
    }
)
# Joiners, direction marks, soft hyphens, variation selectors and the keycap's box: written, but not seen.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\u20e3\ufe00-\ufe0f\ufeff]")


@dataclass(frozen=True)
class Folded:
    """A message without the differences that mean nothing.

    Attributes:
        text: what the rules match against.
        low: the same in lower case, ё as е; as long as `text`, so that offsets are shared.
        offsets: where each character of `text` stands in the message, and then the message's end; None when it is
            the same place.
    """

    text: str
    low: str
    offsets: tuple[int, ...] | None

    def span(self, hit: Hit) -> Span:
        """A hit in offsets of the message as it was written; what is not seen belongs to the character before it."""
        if self.offsets is None:
            return Span(hit.start, hit.end, hit.label)
        return Span(self.offsets[hit.start], self.offsets[hit.end], hit.label)

    def before(self, position: int, characters: int) -> str:
        """At most so many characters before a position, in lower case."""
        return self.low[max(0, position - characters) : position]

    def after(self, position: int, characters: int) -> str:
        """At most so many characters from a position on, in lower case."""
        return self.low[position : position + characters]

    @cached_property
    def digits(self) -> int:
        """How many decimal digits there are."""
        return sum(map(self.low.count, "0123456789"))


def fold(text: str) -> Folded:
    """Fold a message; any text will do."""
    offsets: tuple[int, ...] | None = None
    if not text.isascii():
        text = text.translate(_SAME_LENGTH)
        if _INVISIBLE.search(text):
            kept = [place for place, char in enumerate(text) if not _INVISIBLE.match(char)]
            text, offsets = "".join([text[place] for place in kept]), (*kept, len(text))
    else:
        text = text.replace("`", "'")
    return Folded(text, _lower(text), offsets)


def _lower(text: str) -> str:
    low = text.lower().replace("ё", "е")
    if len(low) != len(text):
        low = "".join(char.lower() if len(char.lower()) == 1 else char for char in text).replace("ё", "е")
    return low

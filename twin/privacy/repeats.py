"""A secret that stands twice in a message is secret both times.

Knows nothing of why it was one the first time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_SHORTEST = 6
_MOST = 50


def find_repeats(folded: Folded, hits: Sequence[Hit]) -> Iterator[Hit]:
    """Further places where the very value of a hit stands as a word of its own; not of words that are letters only.

    Only fifty different values are looked for: a message with more is a list, and its rules find the rest.
    """
    first: dict[str, Hit] = {}
    for hit in hits:
        value = folded.text[hit.start : hit.end]
        if len(first) < _MOST and len(value) >= _SHORTEST and not value.isalpha():
            first.setdefault(value, hit)
    for value, hit in first.items():
        place = folded.text.find(value, hit.end)
        while place >= 0:
            end = place + len(value)
            if not _continues(folded.text, place - 1, value[0]) and not _continues(folded.text, end, value[-1]):
                yield Hit(place, end, hit.label, hit.rank - 50)
            place = folded.text.find(value, end)


def _continues(text: str, position: int, edge: str) -> bool:
    """Whether the character at a position belongs to the same word as the edge of the value beside it."""
    if not 0 <= position < len(text) or not edge.isalnum() or not text[position].isalnum():
        return False
    return text[position].isascii() == edge.isascii()

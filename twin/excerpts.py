"""A piece of a message around what was found in it, fit to be printed on a line.

Knows nothing of how it was found.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 160
_BEFORE = 40
_JOINERS = "\u200c\u200d"  # unprintable, but without them Persian words and pictures of families fall apart
_MORE = "…"


def excerpt(text: str, places: Sequence[tuple[int, int]], width: int = WIDTH) -> tuple[str, list[tuple[int, int]]]:
    """At most about `width` characters of a text, from shortly before the first place on.

    Line breaks become spaces and control characters are replaced, so that it cannot steer a terminal.

    Returns:
        the piece, with dots where something is cut off, and the places in it.
    """
    first = places[0][0] if places else 0
    back = min(_BEFORE, width // 4)
    start = 0 if len(text) <= width or first <= back else _word_start(text, first - back, first)
    start = min(start, max(0, len(text) - width))
    end = len(text) if len(text) - start <= width else start + width
    before, after = _MORE * (start > 0), _MORE * (end < len(text))
    shift = len(before) - start
    inside = [(max(a, start) + shift, min(b, end) + shift) for a, b in places if a < end and b > start]
    return before + plain(text[start:end]) + after, inside


def plain(text: str) -> str:
    """A text of the same length on one line, without what would steer a terminal."""
    return "".join(_plain(sign) for sign in text)


def _plain(sign: str) -> str:
    if sign.isprintable() or sign in _JOINERS:
        return sign
    return " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}"


def _word_start(text: str, place: int, latest: int) -> int:
    """The first start of a word from `place` on, but not behind `latest`."""
    for at in range(place, latest):
        if at == 0 or text[at - 1].isspace():
            return at
    return place

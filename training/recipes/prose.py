"""Prose cut where it may be cut: at the ends of paragraphs, sentences, clauses, words.

Knows nothing of books or transcripts; it is pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FULL = 0.85  # parts are not filled to the brim, so that there is a choice of places
# A sentence ends at its sign, with quotes and brackets behind it; Latin and Cyrillic ones are followed by a space.
_SENTENCE = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*(?=\s+[^\sa-zа-яё])|[。！？…]+[”’」』）]*)")
_CLAUSE = re.compile(r"[,;:—–](?=\s)|[，；：、]")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:\w|mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|no|vol|fig|т\.\s?е|т\.\s?д|т\.\s?п|им|ул|стр|см|гл|рис)\.$",
    re.IGNORECASE,
)


def pieces(text: str, longest: int, shortest: int = 1) -> list[str]:
    """Cut a text into a few parts, about equally long, at the best places there are.

    Args:
        text: its only white space is single spaces and newlines, a newline ends a paragraph.
        longest: no part has more characters than this.
        shortest: no part has fewer, unless the text has; at most a quarter of `longest`.

    Returns:
        the parts in order; white space at the cuts is gone, everything else is there.
    """
    found = []
    while len(text) > longest:
        parts = int(len(text) / (_FULL * longest)) + 1
        low = max(shortest, len(text) - (parts - 1) * longest)
        high = min(longest, len(text) - 1 - (parts - 1) * shortest)
        cut = _best(text, low, max(low, high), len(text) // parts)
        found.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*found, text] if text else found


def end_of(text: str, longest: int) -> str:
    """The last sentences of a text that fit, at least its last characters."""
    if len(text) <= longest:
        return text
    starts = [place + (text[place : place + 1].isspace()) for place in sentence_ends(text)]
    start = next((place for place in starts if len(text) - place <= longest), len(text) - longest)
    return text[start:] if start < len(text) else text[-longest:]


def sentence_ends(text: str) -> Iterator[int]:
    """Indices after which a new sentence begins, ascending; abbreviations and initials end none."""
    for found in _SENTENCE.finditer(text):
        sign = found[0][0]
        if sign != "." or not _ABBREVIATION.search(text[max(0, found.start() - 12) : found.start() + 1]):
            yield found.end()


def _best(text: str, low: int, high: int, target: int) -> int:
    """The place of a cut in [low, high]: the highest kind of boundary there is, nearest to the target."""
    part = text[: high + 1]
    kinds = (
        (found.start() for found in re.finditer("\n", part)),
        sentence_ends(text[: high + 8]),
        (found.end() for found in _CLAUSE.finditer(part)),
        (found.start() for found in re.finditer(" ", part)),
    )
    for kind in kinds:
        places = [place for place in kind if low <= place <= high]
        if places:
            return min(places, key=lambda place: abs(place - target))
    return min(max(target, low), high)

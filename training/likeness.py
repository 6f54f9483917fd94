"""Likeness: whether two replies say the same in nearly the same words.

Knows nothing of turns' times, dialogs or what is done about it. Deterministic: its hash functions are constants.

Short replies are alike when they are equal without case, punctuation, numbers and drawn-out letters. Long ones are
alike when their sets of words and pairs of neighbouring words overlap by 0.65 (Jaccard): "happy birthday anna, all the
best for you and yours" is then like the same wish to Boris. Only those are compared that agree in one of 16 bands of 4
min-wise hashes (Broder 1997; banding as in Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3):
that finds 95 in 100 pairs that overlap by 0.65 and 999 in 1,000 that overlap by 0.8, in linear time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

from twin.messages import Turn
from twin.words import fold, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONG = 40
"""Characters from which a reply is long."""
ALIKE = 0.65
_BANDS, _ROWS = 16, 4
_MULTIPLIER, _STEP, _PAIR = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # odd constants of splitmix64

_DRAWN_OUT = re.compile(r"(.)\1{2,}", re.DOTALL)
_NOT_WORDS = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"\d+")


def units(turn: Turn) -> list[str]:
    """What of a turn may be a repetition by itself: each long bubble; where none is long, all of the turn."""
    authored = [bubble.text for bubble in turn.bubbles if bubble.authored]
    return [text for text in authored if len(text) >= LONG] or ["\n".join(authored)]


def short_key(text: str) -> str:
    """The same for replies that differ in case, punctuation, numbers, spaces and drawn-out letters only.

    What holds neither letters nor digits (emoji, "?!") is told apart by itself.
    """
    folded = _DRAWN_OUT.sub(r"\1", fold(text).strip())
    return _NUMBER.sub("0", _NOT_WORDS.sub(" ", folded)).strip() or "".join(dict.fromkeys(folded.split()))


class Likeness:
    """Long texts, and how many of those counted so far are like one of them.

    Args:
        texts: all of them; they are called by their place in this list.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._near = _near(texts)
        self._counted: defaultdict[int, list[int]] = defaultdict(list)

    def count(self, place: int) -> int:
        """How many of the texts counted so far are like this one."""
        near = {other for group in self._near.get(place, ()) for other in self._counted.get(group, ())}
        if not near:
            return 0
        mine = _pieces(self._texts[place])
        return sum(_overlap(mine, _pieces(self._texts[other])) >= ALIKE for other in near)

    def add(self, place: int) -> None:
        """Count this one from now on."""
        for group in self._near.get(place, ()):
            self._counted[group].append(place)


def _overlap(one: set[int], other: set[int]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _hashes(text: str) -> list[int]:
    """A text's words as numbers; signs alone are one word."""
    words = words_of(_NUMBER.sub("0", _DRAWN_OUT.sub(r"\1", text))) or [text.strip()]
    return [crc32(word.encode("utf-8", "surrogatepass")) for word in words]


def _pieces(text: str) -> set[int]:
    """A text's words and pairs of words."""
    words = _hashes(text)
    return {*words, *((one * _PAIR + other) % 2**64 for one, other in pairwise(words))}


def _near(texts: Sequence[str]) -> dict[int, list[int]]:
    """Which texts agree in a band: groups, by number, for each text (by its place) that is not alone in all bands."""
    near: defaultdict[int, list[int]] = defaultdict(list)
    if not texts:
        return near
    import numpy as np

    hashed = [_hashes(text) for text in texts]
    words = np.fromiter((word for its in hashed for word in its), dtype=np.uint64)
    ends = np.cumsum([len(its) for its in hashed])
    starts = ends - [len(its) for its in hashed]
    pairs = words * np.uint64(_PAIR) + np.roll(words, -1)
    pairs[ends - 1] = words[ends - 1]  # the last word of a text has none after it
    groups = 0
    for band in range(_BANDS):
        key = np.zeros(len(texts), dtype=np.uint64)
        for row in range(_ROWS):
            multiplier = np.uint64((_MULTIPLIER + 2 * (band * _ROWS + row) * _STEP) % 2**64)
            least = [np.minimum.reduceat(_mix(pieces * multiplier), starts) for pieces in (words, pairs)]
            key = _mix(key ^ np.minimum(*least))
        _, group, members = np.unique(key, return_inverse=True, return_counts=True)
        for place in np.flatnonzero(members[group] > 1).tolist():
            near[place].append(groups + int(group[place]))
        groups += len(members)
    return near


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Half of splitmix64's finaliser (Steele, Lea and Flood 2014): multiplication alone is a poor hash function."""
    import numpy as np

    return (values ^ (values >> np.uint64(29))) * np.uint64(_STEP)

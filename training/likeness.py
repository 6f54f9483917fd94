"""Likeness: which long replies say the same in nearly the same words.

Knows nothing of turns, dialogs or what is done about it. Deterministic: its hash functions are constants.

Two replies are alike when their sets of words and pairs of neighbouring words overlap by 0.65 (Jaccard): "happy
birthday anna, all the best for you and yours" is then like the same wish to Boris. Only those are compared that agree
in one of 16 bands of 4 min-wise hashes (Broder 1997; banding as in Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", chapter 3): that finds 95 in 100 pairs that overlap by 0.65 and 999 in 1,000 that overlap by 0.8, in linear
time.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.sheet import Ints

ALIKE = 0.65
_BANDS, _ROWS = 16, 4
_MULTIPLIER, _STEP, _PAIR = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # odd constants of splitmix64

Hashes = NDArray[np.uint64]


class Likeness:
    """Texts, called by their number, and how many of those counted so far are like one of them.

    Args:
        words: of all texts in a row, as numbers.
        starts, ends: where each text's words begin and end; none is empty.
    """

    def __init__(self, words: NDArray[np.uint32], starts: Ints, ends: Ints) -> None:
        self._words, self._starts, self._ends = words, starts, ends
        self._near = _near(words, starts, ends)
        self._counted: defaultdict[int, list[int]] = defaultdict(list)

    def is_alone(self, text: int) -> bool:
        """Whether no other text can be like this one."""
        return text not in self._near

    def count(self, text: int) -> int:
        """How many of the texts counted so far are like this one."""
        near = {other for group in self._near.get(text, ()) for other in self._counted.get(group, ())}
        mine = self._pieces(text) if near else set()
        return sum(_overlap(mine, self._pieces(other)) >= ALIKE for other in near)

    def add(self, text: int) -> None:
        """Count this one from now on."""
        for group in self._near.get(text, ()):
            self._counted[group].append(text)

    def _pieces(self, text: int) -> set[int]:
        words = self._words[self._starts[text] : self._ends[text]].tolist()
        return {*words, *((one * _PAIR + other) % 2**64 for one, other in pairwise(words))}


def _overlap(one: set[int], other: set[int]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _near(words: NDArray[np.uint32], starts: Ints, ends: Ints) -> dict[int, list[int]]:
    """Which texts agree in a band: groups, by number, for each text that is not alone in all bands."""
    near: defaultdict[int, list[int]] = defaultdict(list)
    if not len(starts):
        return near
    own = gather(words, starts, ends).astype(np.uint64)
    ends = np.cumsum(ends - starts)
    starts = np.concatenate([[0], ends[:-1]])
    pairs = own * np.uint64(_PAIR) + np.roll(own, -1)
    pairs[ends - 1] = own[ends - 1]  # the last word of a text has none after it
    groups = 0
    for band in range(_BANDS):
        key = np.zeros(len(starts), dtype=np.uint64)
        for row in range(_ROWS):
            multiplier = np.uint64((_MULTIPLIER + 2 * (band * _ROWS + row) * _STEP) % 2**64)
            least = [np.minimum.reduceat(_half_mix(pieces * multiplier), starts) for pieces in (own, pairs)]
            key = _half_mix(key ^ np.minimum(*least))
        _, group, members = np.unique(key, return_inverse=True, return_counts=True)
        for text in np.flatnonzero(members[group] > 1).tolist():
            near[text].append(groups + int(group[text]))
        groups += len(members)
    return near


def gather(values: NDArray[np.uint32], starts: Ints, ends: Ints) -> NDArray[np.uint32]:
    """The ranges of an array, one after the other."""
    lengths = ends - starts
    skipped = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return values[skipped + np.arange(len(skipped))]


def mix(values: Hashes) -> Hashes:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): neighbouring numbers come out far apart."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(_STEP)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_PAIR)
    mixed: Hashes = values ^ (values >> np.uint64(31))
    return mixed


def in_order(words: NDArray[np.uint32], starts: Ints, ends: Ints) -> Hashes:
    """A number for each range of words: the same for the same words in the same order. No range is empty."""
    lengths = ends - starts
    own = gather(words, starts, ends).astype(np.uint64)
    firsts = np.cumsum(lengths) - lengths
    places = np.arange(len(own)) - np.repeat(firsts, lengths)
    weights = np.cumprod(np.full(int(lengths.max(initial=1)), _MULTIPLIER, dtype=np.uint64))
    summed: Hashes = np.add.reduceat(mix(own + np.uint64(1)) * weights[places], firsts)
    return summed


def _half_mix(values: Hashes) -> Hashes:
    mixed: Hashes = (values ^ (values >> np.uint64(29))) * np.uint64(_STEP)
    return mixed

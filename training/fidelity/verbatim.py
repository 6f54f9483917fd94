"""Verbatim runs: the longest stretch of a reply that stands so, word for word, in one of many texts.

Knows nothing of whose texts they are.

A run counts from 8 words or signs on (`twin/signs.py`), where a character of a script without spaces
weighs two thirds of a word, so that it takes twelve: a guess, for many Chinese words have two characters. The texts
are one row of numbers; the stretches of that weight are found by a 64-bit hash, then compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.signs import is_character, tokens_of

GRAM = 8
_WORD, _CHARACTER = 3, 2
_BASE, _INVERSE = 0x9E3779B97F4A7C15, pow(0x9E3779B97F4A7C15, -1, 1 << 64)
_MIX = 0xBF58476D1CE4E5B9  # odd constants of splitmix64

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Index:
    """Texts to be found again.

    Attributes:
        numbers: of the known tokens, from 1.
        row: all texts' tokens as numbers, a 0 after each.
        hashes, places: of every stretch of the weight of 8 words, by hash, and where in the row it begins.
    """

    numbers: dict[str, int]
    row: list[int]
    hashes: Hashes
    places: Ints

    @classmethod
    def of(cls, texts: Iterable[str]) -> Index:
        """Index texts in the order given."""
        numbers: dict[str, int] = {}
        row: list[int] = []
        for text in texts:
            row += [numbers.setdefault(token, len(numbers) + 1) for token in tokens_of(text)]
            row.append(0)
        hashes, places = _stretches(row, _weights(numbers))
        order = np.argsort(hashes, kind="stable")
        return cls(numbers, row, hashes[order], places[order])

    def longest(self, texts: Sequence[str]) -> Ints:
        """Of each text, how many tokens its longest run has; 0 when there is none of 8 words."""
        return np.array([self._longest(tokens_of(text)) for text in texts], dtype=np.int64)

    def _longest(self, tokens: Sequence[str]) -> int:
        mine = [self.numbers.get(token, 0) for token in tokens]
        weights = np.array([_weight(token) for token in tokens], dtype=np.int64)
        hashes, starts = _stretches(mine, weights, by_place=True)
        first, after = (np.searchsorted(self.hashes, hashes, side=side) for side in ("left", "right"))
        longest = 0
        for hit in np.flatnonzero(after > first).tolist():
            start = int(starts[hit])
            least = _end(weights, start) - start
            for place in self.places[first[hit] : after[hit]].tolist():
                longest = max(longest, self._run(mine, start, place, max(least, longest + 1)))
        return longest

    def _run(self, mine: list[int], start: int, place: int, least: int) -> int:
        """Tokens that stand alike from `start` and from `place` on; 0 if fewer than `least`."""
        if start + least > len(mine) or mine[start : start + least] != self.row[place : place + least]:
            return 0
        length = least
        while start + length < len(mine) and mine[start + length] == self.row[place + length] != 0:
            length += 1
        return length


def _weight(token: str) -> int:
    return _CHARACTER if is_character(token) else _WORD


def _weights(numbers: dict[str, int]) -> Ints:
    """By number of a token; a 0 weighs more than any stretch."""
    return np.array([GRAM * _WORD * 2, *map(_weight, numbers)], dtype=np.int64)


def _end(weights: Ints, start: int) -> int:
    """Where the shortest stretch from `start` that weighs 8 words ends."""
    return start + int(np.searchsorted(np.cumsum(weights[start : start + 2 * GRAM]), GRAM * _WORD)) + 1


def _stretches(row: list[int], weights: Ints, *, by_place: bool = False) -> tuple[Hashes, Ints]:
    """Hashes of the shortest stretches that weigh 8 words, and where they begin; none with a 0 in it.

    Args:
        weights: by number, or of each place of the row.
    """
    numbers = np.array(row, dtype=np.int64)
    weight = weights if by_place else weights[numbers]
    before = np.concatenate([[0], np.cumsum(weight)]).astype(np.int64)
    zeros = np.concatenate([[0], np.cumsum(numbers == 0)]).astype(np.int64)
    ends = np.searchsorted(before, before[:-1] + GRAM * _WORD)
    starts = np.flatnonzero(ends <= len(row))
    starts = starts[zeros[ends[starts]] == zeros[starts]]
    ends = ends[starts]
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(_MIX)
    mixed ^= mixed >> np.uint64(29)
    summed = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed * _powers(_BASE, len(row)), dtype=np.uint64)])
    return (summed[ends] - summed[starts]) * _powers(_INVERSE, len(row) + 1)[starts], starts


def _powers(base: int, count: int) -> Hashes:
    """1, base, base squared ... modulo 2^64."""
    steps = np.full(count, base, dtype=np.uint64)
    steps[:1] = 1
    return np.cumprod(steps, dtype=np.uint64)

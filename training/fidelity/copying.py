"""Copying and degeneration: what a system repeats, of the training set, of itself, and within a reply.

Knows nothing of how near that comes to the owner's style.

A reply copies when it shares an 8-gram with a training reply: eight words or signs in a row, folded, across bubbles
("don't" is two words and a sign). A character of a script without spaces weighs two thirds of a word, so that it takes
twelve. People repeat themselves too: the rate counts as excess over the owner's own in the held-out replies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from training.fidelity import bootstrap
from training.fidelity.bootstrap import Floats, plain
from training.fidelity.loops import loops
from training.fidelity.material import Bubbles, Material, Measured
from twin.words import UNSPACED, fold

GRAM = 8
_WORST = 20
_TOKEN = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+|[^\\w\\s]|_")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_WORD, _CHARACTER = 3, 2  # weights


@dataclass(frozen=True, slots=True)
class Habits:
    """How much is repeated in a list of replies; shares are between 0 and 1.

    Attributes:
        rate: of the replies that share an 8-gram with a training reply.
        longest: words and signs of the longest run that stands so in a training reply.
        distinct_2: different pairs of neighbouring words among all of them (Li et al. 2016).
        most_frequent: share of the commonest reply; case and width do not count.
        loops: of the replies in which a phrase loops (`training/fidelity/loops.py`).
        missing: of the replies that were not given.
    """

    rate: float
    longest: int
    distinct_2: float
    most_frequent: float
    loops: float
    missing: float

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {name: round(getattr(self, name), 4) for name in self.__slots__}


@dataclass(frozen=True)
class Record:
    """What there is to copy, and how much the owner repeats in the held-out replies."""

    grams: frozenset[tuple[str, ...]]
    texts: tuple[str, ...]
    copied: Floats
    owner: Habits
    seed: int


@dataclass(frozen=True, slots=True)
class Copied:
    """How much a system repeats.

    Attributes:
        excess: its rate of copying less the owner's own.
        worst: places of the replies with the longest copied runs, longest first, at most twenty.
        looping: places of the replies in which a phrase loops.
    """

    excess: Measured
    habits: Habits
    worst: tuple[int, ...]
    looping: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {"excess": plain(self.excess), **self.habits.as_dict()}


def record(material: Material, seed: int = 0) -> Record:
    """Index the training replies, and measure the owner's own held-out ones."""
    train = [_tokens(reply.bubbles) for reply in material.owner_train]
    grams = frozenset(gram for tokens in train for gram in _grams(tokens))
    texts = tuple(f" {' '.join(tokens)} " for tokens in train)
    empty = Record(grams, texts, np.zeros(0), Habits(0, 0, 0, 0, 0, 0), seed)
    runs, _, habits = _measure(empty, [context.true.bubbles for context in material.contexts])
    return Record(grams, texts, np.asarray(runs > 0, dtype=np.float64), habits, seed)


def copied(of: Record, replies: Sequence[Bubbles]) -> Copied:
    """Measure a system.

    Args:
        replies: aligned with the contexts the record was made for.
    """
    runs, looping, habits = _measure(of, replies)
    excess = bootstrap.mean((runs > 0) - of.copied, of.seed)
    order = np.argsort(-runs, kind="stable")[:_WORST]
    return Copied(excess, habits, tuple(int(place) for place in order if runs[place]), looping)


def _measure(of: Record, replies: Sequence[Bubbles]) -> tuple[Floats, tuple[int, ...], Habits]:
    """The copied run of each reply (0 when no 8-gram is), the looping ones, and all of the numbers."""
    tokens = [_tokens(reply) for reply in replies]
    runs = np.array([_run(of, its) for its in tokens], dtype=np.float64)
    looping = tuple(place for place, reply in enumerate(replies) if loops(reply))
    size = max(1, len(replies))
    said = Counter(fold("\n".join(reply)).strip() for reply in replies if any(reply))
    pairs = [pair for its in tokens for pair in pairwise(its)]
    habits = Habits(
        rate=float((runs > 0).sum()) / size,
        longest=int(runs.max(initial=0)),
        distinct_2=len(set(pairs)) / max(1, len(pairs)),
        most_frequent=max(said.values(), default=0) / size,
        loops=len(looping) / size,
        missing=sum(not any(reply) for reply in replies) / size,
    )
    return runs, looping, habits


def _tokens(reply: Bubbles) -> list[str]:
    return _TOKEN.findall(fold("\n".join(reply)))


def _grams(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The shortest stretches from each token on that weigh eight words."""
    weight = [_CHARACTER if _UNSPACED.match(token) else _WORD for token in tokens]
    end = total = 0
    for start in range(len(tokens)):
        while total < GRAM * _WORD and end < len(tokens):
            total += weight[end]
            end += 1
        if total < GRAM * _WORD:
            return
        yield tuple(tokens[start:end])
        total -= weight[start]


def _run(of: Record, tokens: Sequence[str]) -> int:
    """Tokens of the longest run that stands in a training reply, if it is an 8-gram or longer; else 0."""
    longest = 0
    for start, gram in enumerate(_grams(tokens)):
        if gram in of.grams:
            longest = max(longest, len(gram), _extended(of.texts, tokens, start, max(longest, len(gram))))
    return longest


def _extended(texts: Iterable[str], tokens: Sequence[str], start: int, length: int) -> int:
    """How long the run from `start` is that some text has, beginning from a length that one is known to have."""
    held = [text for text in texts if f" {' '.join(tokens[start : start + length])} " in text]
    while held and start + length < len(tokens):
        held = [text for text in held if f" {' '.join(tokens[start : start + length + 1])} " in text]
        length += bool(held)
    return length

"""Copying and degeneration: what a system repeats, of the training set, of itself, and within a reply.

Knows nothing of how near that comes to the owner's style.

A reply copies when it shares a verbatim run of 8 words or signs or more with a training reply
(`training/fidelity/verbatim.py`), across bubbles, case aside; "don't" is two words and a sign. People repeat themselves
too: the rate counts as excess over the owner's own in the held-out replies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from training.fidelity import bootstrap
from training.fidelity.bootstrap import Floats, plain
from training.fidelity.material import Bubbles, Material, Measured
from training.fidelity.verbatim import Index, Ints
from twin.loops import loops
from twin.signs import tokens_of
from twin.words import fold

_WORST = 20


@dataclass(frozen=True, slots=True)
class Habits:
    """How much is repeated in a list of replies; shares are between 0 and 1.

    Attributes:
        rate: of the replies that share an 8-gram with a training reply.
        longest: words and signs of the longest run that stands so in a training reply; 0 below 8.
        distinct_2: different pairs of neighbouring words or signs among all of them (Li et al. 2016); falls with the
            number of replies, so compare it for the same contexts only.
        most_frequent: share of the commonest reply; case, width and white space around it do not count.
        loops: of the replies in which a phrase loops (`twin/loops.py`).
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
    """What there is to copy, and how much the owner repeats in the held-out replies.

    Attributes:
        copied: of each context, 1 if the owner's true reply copies, else 0.
        owner: the true replies' habits, which everybody's are compared with.
    """

    index: Index
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
    index = Index.of("\n".join(reply.bubbles) for reply in material.owner_train)
    true = [context.true.bubbles for context in material.contexts]
    runs, looping = _runs(index, true), _looping(true)
    return Record(index, np.asarray(runs > 0, dtype=np.float64), _habits(true, runs, looping), seed)


def copied(of: Record, replies: Sequence[Bubbles]) -> Copied:
    """Measure a system.

    Args:
        replies: aligned with the contexts the record was made for.
    """
    runs, looping = _runs(of.index, replies), _looping(replies)
    excess = bootstrap.mean((runs > 0) - of.copied, of.seed)
    worst = tuple(int(place) for place in np.argsort(-runs, kind="stable")[:_WORST] if runs[place])
    return Copied(excess, _habits(replies, runs, looping), worst, looping)


def _runs(index: Index, replies: Sequence[Bubbles]) -> Ints:
    return index.longest(["\n".join(reply) for reply in replies])


def _looping(replies: Sequence[Bubbles]) -> tuple[int, ...]:
    return tuple(place for place, reply in enumerate(replies) if loops(reply))


def _habits(replies: Sequence[Bubbles], runs: Ints, looping: tuple[int, ...]) -> Habits:
    size = max(1, len(replies))
    texts = ["\n".join(reply) for reply in replies]
    said = Counter(fold(text).strip() for text in texts if text.strip())
    pairs = [pair for text in texts for pair in pairwise(tokens_of(text))]
    return Habits(
        rate=float((runs > 0).sum()) / size,
        longest=int(runs.max(initial=0)),
        distinct_2=len(set(pairs)) / max(1, len(pairs)),
        most_frequent=max(said.values(), default=0) / size,
        loops=len(looping) / size,
        missing=sum(not text.strip() for text in texts) / size,
    )

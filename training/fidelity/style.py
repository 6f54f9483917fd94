"""Style divergence: how far the habits of a system's replies are from the owner's.

Knows nothing of what the habits are (`training/fidelity/traits.py`), nor of what is said.

For each of ten traits the base-2 Jensen-Shannon divergence (Lin 1991) between how a system and how the owner writes to
the same contexts: 0 the same, 1 nothing in common. Two samples of one person diverge too, the more the smaller they
are; the floor is what the owner's training period diverges by, at the same number of replies, and is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.fidelity.bootstrap import NOTHING, Floats, measured, plain, rounded, weights
from training.fidelity.material import Bubbles, Material, Measured
from training.fidelity.traits import OF_BUBBLES, OF_TURNS

TRAITS = (*OF_BUBBLES, *OF_TURNS)
_DRAWS = 20

Counted = dict[str, list[list[str]]]
"""By trait, by reply: the values that occur."""


@dataclass(frozen=True)
class Profile:
    """How the owner writes in the held-out period, and how far their past is from it.

    Attributes:
        floors: by trait; `floor` is their mean. NaN when there is no training period to compare with.
    """

    owner: Counted
    floors: dict[str, float]
    seed: int

    @property
    def floor(self) -> float:
        """The mean of the floors."""
        return float(np.mean([*self.floors.values()]))

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {"floor": rounded(self.floor), "floors": {name: rounded(value) for name, value in self.floors.items()}}


@dataclass(frozen=True, slots=True)
class Divergence:
    """How far a system's habits are from the owner's.

    Attributes:
        mean: over the traits, with the floor in it.
        excess: the same without the floor; below 0 when it is nearer than the owner's own past.
        by_trait: divergence of each, with the floor in it.
    """

    mean: Measured
    excess: Measured
    by_trait: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {
            "mean": plain(self.mean),
            "excess": plain(self.excess),
            "by_trait": {name: rounded(value) for name, value in self.by_trait.items()},
        }


def profile(material: Material, seed: int = 0) -> Profile:
    """What every system is compared with, worked out once."""
    owner = _count([context.true.bubbles for context in material.contexts])
    size = len(material.contexts)
    past = [reply.bubbles for reply in material.owner_train]
    if not (size and past):
        return Profile(owner, dict.fromkeys(TRAITS, math.nan), seed)
    counted = _count(past)
    matrices = {name: _matrices(owner[name], counted[name]) for name in TRAITS}
    floors = dict.fromkeys(TRAITS, 0.0)
    for turn in range(_DRAWS):
        rng = np.random.default_rng([seed, turn])
        chosen = rng.choice(len(past), size, replace=len(past) < size)
        for name, (real, other) in matrices.items():
            floors[name] += float(_divergence(real.sum(0), other[chosen].sum(0))) / _DRAWS
    return Profile(owner, floors, seed)


def divergence(of: Profile, replies: Sequence[Bubbles]) -> Divergence:
    """Measure a system.

    Args:
        replies: aligned with the contexts the profile was made for.
    """
    if not replies:
        return Divergence(NOTHING, NOTHING, dict.fromkeys(TRAITS, math.nan))
    counted = _count(replies)
    drawn = weights(len(replies), of.seed)
    by_trait: dict[str, float] = {}
    resampled = np.zeros(len(drawn))
    for name in TRAITS:
        real, other = _matrices(of.owner[name], counted[name])
        by_trait[name] = float(_divergence(real.sum(0), other.sum(0)))
        resampled += _divergence(drawn @ real, drawn @ other) / len(TRAITS)
    mean = float(np.mean([*by_trait.values()]))
    resampled += mean - np.median(resampled)  # a resample of a sample diverges more than the sample does
    return Divergence(measured(mean, resampled), measured(mean - of.floor, resampled - of.floor), by_trait)


def _count(replies: Sequence[Bubbles]) -> Counted:
    counted: Counted = {
        name: [[trait(text) for text in reply] for reply in replies] for name, trait in OF_BUBBLES.items()
    }
    return counted | {name: [[trait(reply)] for reply in replies] for name, trait in OF_TURNS.items()}


def _matrices(one: list[list[str]], other: list[list[str]]) -> tuple[Floats, Floats]:
    """How often each value occurs in each reply: (replies, values), the values of both sides in one order."""
    values = sorted({value for side in (one, other) for found in side for value in found})
    places = {value: place for place, value in enumerate(values)}
    matrices = []
    for side in (one, other):
        matrix = np.zeros((len(side), len(values)))
        for row, found in enumerate(side):
            for value in found:
                matrix[row, places[value]] += 1
        matrices.append(matrix)
    return matrices[0], matrices[1]


def _divergence(one: Floats, other: Floats) -> Floats:
    """Base-2 Jensen-Shannon divergence of counts along the last axis; 1 where one side has none at all."""
    totals = one.sum(axis=-1, keepdims=True), other.sum(axis=-1, keepdims=True)
    p, q = one / np.maximum(totals[0], 1), other / np.maximum(totals[1], 1)
    middle = (p + q) / 2
    both = (_entropy(middle) - (_entropy(p) + _entropy(q)) / 2).clip(0, 1)
    return np.asarray(np.where((totals[0][..., 0] > 0) & (totals[1][..., 0] > 0), both, 1.0))


def _entropy(shares: Floats) -> Floats:
    safe = np.where(shares > 0, shares, 1.0)
    return np.asarray(-(shares * np.log2(safe)).sum(axis=-1))

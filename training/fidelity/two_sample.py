"""Fidelity: how hard it is to tell a system's replies from what the owner really wrote.

Knows nothing of models; a system is the replies it gave.

A classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests"): the AUC of a
classifier (`training/fidelity/classifier.py`) that was not fitted on what it judges. Its size depends on how many
replies it learns from, so all three AUCs are of equally many on either side, against the same held-out replies of the
owner (those to the contexts):

    twin    against the system's replies to the same contexts; a context's pair is in one fold
    floor   against the owner's own replies of the training period: a person changes, and talks with others
    wrong   against what the partners wrote in the held-out period

    fidelity = (wrong - twin) / (wrong - floor)

0 is a wrong person, 1 as near as the owner is to their own past; identical replies are a little above 1. An AUC below a
half says no more than a half does and counts as one there. For floor and wrong, where there are no pairs, a dialog is
in one fold, which makes both a little lower than folds of single contexts do: a system is measured strictly. All are
means over several draws and partitions, and in resamples the contexts are the same ones in all three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.fidelity import classifier
from training.fidelity.bootstrap import NOTHING, Floats, measured, plain, weights
from training.fidelity.masking import Mask
from training.fidelity.material import Bubbles, Material, Measured, Reply

APART = 0.1
"""How much better a wrong person must be told than the owner's own past, for fidelity to mean anything."""
LEAST = 20
HALF = 0.5
_DRAWN, _PARTED = 6400, 2400  # replies in all draws, in all partitions: small samples are drawn more often


@dataclass(frozen=True)
class Yardstick:
    """What every system is measured against, worked out once.

    Attributes:
        floor, wrong: AUCs.
        void: why no fidelity can be told; None when it can.
        size: replies on either side of each test.
    """

    floor: Measured
    wrong: Measured
    void: str | None
    size: int
    mask: Mask
    true: tuple[str, ...]
    chosen: tuple[int, ...]
    floors: Floats
    wrongs: Floats
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {"floor": plain(self.floor), "wrong": plain(self.wrong), "size": self.size, "void": self.void}


@dataclass(frozen=True, slots=True)
class Separation:
    """How well a system's replies can be told from the owner's.

    Attributes:
        auc: 0.5 when they cannot be told apart; below when the same replies stand on both sides.
        fidelity: NaN when void.
        void: why there is no fidelity.
    """

    auc: Measured
    fidelity: Measured
    void: str | None

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers; None for what could not be measured."""
        return {"auc": plain(self.auc), "fidelity": plain(self.fidelity), "void": self.void}


def yardstick(material: Material, mask: Mask, seed: int = 0) -> Yardstick:
    """Measure floor and wrong for these contexts."""
    size = min(len(material.contexts), len(material.owner_train), len(material.partner_test))
    if size < LEAST:
        void = f"there are {size} replies of each kind to compare, and at least {LEAST} are needed"
        nothing = np.full(1, math.nan)
        return Yardstick(NOTHING, NOTHING, void, size, mask, (), (), nothing, nothing, seed)
    places = np.linspace(0, len(material.contexts) - 1, size).round().astype(int)
    real = [material.contexts[place].true for place in places]
    drawn = weights(size, seed)
    floor, floors = _unpaired(real, material.owner_train, mask, drawn, seed)
    wrong, wrongs = _unpaired(real, material.partner_test, mask, drawn, seed)
    true = tuple(classifier.text_of(reply.bubbles, mask) for reply in real)
    chosen = tuple(int(place) for place in places)
    return Yardstick(floor, wrong, _void(floor, wrong), size, mask, true, chosen, floors, wrongs, seed)


def separation(yard: Yardstick, replies: Sequence[Bubbles]) -> Separation:
    """Measure a system.

    Args:
        replies: aligned with the contexts the yardstick was made for; an empty one counts as a reply of nothing.
    """
    if yard.size < LEAST:
        return Separation(NOTHING, NOTHING, yard.void)
    theirs = [classifier.text_of(replies[place], yard.mask) for place in yard.chosen]
    rows = classifier.weighted(classifier.counted([*yard.true, *theirs]))
    labels = _labels(yard.size)
    better = np.zeros((yard.size, yard.size))
    partitions = -(-_PARTED // yard.size)
    for turn in range(partitions):
        order = np.random.default_rng([yard.seed, turn]).permutation(yard.size) % classifier.FOLDS
        better += _better(classifier.out_of_fold(rows, labels, np.tile(order, 2)), yard.size) / partitions
    drawn = weights(yard.size, yard.seed)
    aucs = _resampled(better, drawn, drawn)
    auc = measured(float(better.mean()), aucs)
    if yard.void is not None:
        return Separation(auc, NOTHING, yard.void)
    fidelity = (yard.wrong.value - max(HALF, auc.value)) / (yard.wrong.value - yard.floor.value)
    gap = yard.wrongs - yard.floors
    resampled = np.where(gap > 0, (yard.wrongs - aucs.clip(min=HALF)) / np.where(gap > 0, gap, 1), math.nan)
    return Separation(auc, measured(fidelity, resampled), None)


def _void(floor: Measured, wrong: Measured) -> str | None:
    if wrong.value > floor.value + APART:
        return None
    return (
        f"a wrong person is told from the owner at AUC {wrong.value:.3f}, the owner's own past at {floor.value:.3f},"
        f" and the difference must be above {APART} to measure with"
    )


def _unpaired(
    real: Sequence[Reply], others: Sequence[Reply], mask: Mask, drawn: Floats, seed: int
) -> tuple[Measured, Floats]:
    """The mean AUC over draws of as many others as there are real ones, and its resamples."""
    size = len(real)
    labels = _labels(size)
    times = -(-_DRAWN // size)
    draws = [
        np.sort(np.random.default_rng([seed, turn]).choice(len(others), size, replace=False)) for turn in range(times)
    ]
    pool, places = np.unique(np.concatenate(draws), return_inverse=True)
    texts = [classifier.text_of(reply.bubbles, mask) for reply in (*real, *(others[place] for place in pool))]
    counts = classifier.counted(texts)
    total, resampled = 0.0, np.zeros(len(drawn))
    for turn, (chosen, where) in enumerate(zip(draws, places.reshape(times, size), strict=True)):
        groups = classifier.groups_of([reply.dialog for reply in real], [others[place].dialog for place in chosen])
        folds = classifier.folds_of(np.concatenate(groups), labels, seed + turn)
        rows = classifier.weighted(counts[np.concatenate([np.arange(size), size + where])])
        better = _better(classifier.out_of_fold(rows, labels, folds), size)
        total += float(better.mean()) / times
        resampled += _resampled(better, drawn, weights(size, seed + 1 + turn)) / times
    return measured(total, resampled), resampled


def _labels(size: int) -> classifier.Ints:
    return np.repeat(np.array([1, 0]), size)


def _better(scores: Floats, size: int) -> Floats:
    """By real reply and other reply: 1 where the real one has the higher score, a half where they are equal."""
    real, other = scores[:size, None], scores[None, size:]
    return np.asarray((real > other) + (real == other) / 2, dtype=np.float64)


def _resampled(better: Floats, real: Floats, other: Floats) -> Floats:
    """AUCs of the resamples, given how often each reply of either side is drawn."""
    return np.asarray(((real @ better) * other).sum(axis=1) / better.size, dtype=np.float64)

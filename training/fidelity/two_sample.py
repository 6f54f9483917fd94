"""Fidelity: how hard it is to tell a system's replies from what the owner really wrote.

Knows nothing of models; a system is the replies it gave.

A classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests"): the AUC of a
classifier (`training/fidelity/classifier.py`) on what it was not fitted on. It depends on how many replies it learns
from, so all three AUCs are of equally many on either side, against the same held-out replies of the owner:

    twin    against the system's replies to the same contexts
    floor   against the owner's own replies of the training period: a person changes, and talks with others
    wrong   against what the partners wrote in the held-out period

    fidelity = (wrong - twin) / (wrong - floor)

0 is a wrong person, 1 as near as the owner is to their own past; identical replies are a little above 1. An AUC below a
half says no more than a half does and counts as one there. A dialog is in one fold in all three, and with it the pair
of each of its contexts: nobody is to be told by what a dialog is about. Folds of single contexts, where the rest of the
dialog is learned from, tell twins and strangers alike apart better; that AUC is given as `by_context`. All are means
over several draws and partitions; in resamples the contexts are the same in all three.
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
_DRAWN, _MOST_DRAWS = 4800, 20  # replies in all draws: small samples are drawn more often
_PARTITIONS = 6


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
    dialogs: tuple[int, ...]
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
        by_context: the AUC with folds of single contexts instead of dialogs.
    """

    auc: Measured
    fidelity: Measured
    void: str | None
    by_context: Measured = NOTHING

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers; None for what could not be measured."""
        return {
            "auc": plain(self.auc),
            "by_context": plain(self.by_context),
            "fidelity": plain(self.fidelity),
            "void": self.void,
        }


def yardstick(material: Material, mask: Mask, seed: int = 0) -> Yardstick:
    """Measure floor and wrong for these contexts."""
    size = min(len(material.contexts), len(material.owner_train), len(material.partner_test))
    if size < LEAST:
        void = f"there are {size} replies of each kind to compare, and at least {LEAST} are needed"
        nothing = np.full(1, math.nan)
        return Yardstick(NOTHING, NOTHING, void, size, mask, (), (), (), nothing, nothing, seed)
    places = np.linspace(0, len(material.contexts) - 1, size).round().astype(int)
    real = [material.contexts[place].true for place in places]
    drawn = weights(size, seed)
    floor, floors = _unpaired(real, material.owner_train, mask, drawn, seed)
    wrong, wrongs = _unpaired(real, material.partner_test, mask, drawn, seed)
    true = tuple(classifier.text_of(reply.bubbles, mask) for reply in real)
    dialogs = tuple(reply.dialog for reply in real)
    chosen = tuple(int(place) for place in places)
    return Yardstick(floor, wrong, _void(floor, wrong), size, mask, true, dialogs, chosen, floors, wrongs, seed)


def separation(yard: Yardstick, replies: Sequence[Bubbles]) -> Separation:
    """Measure a system.

    Args:
        replies: aligned with the contexts the yardstick was made for; an empty one counts as a reply of nothing.
    """
    if yard.size < LEAST:
        return Separation(NOTHING, NOTHING, yard.void)
    theirs = [classifier.text_of(replies[place], yard.mask) for place in yard.chosen]
    rows = classifier.weighted(classifier.counted([*yard.true, *theirs]))
    labels, drawn = _labels(yard.size), weights(yard.size, yard.seed)
    groups = np.concatenate(classifier.groups_of(yard.dialogs, yard.dialogs))
    pairs = np.tile(np.arange(yard.size), 2)
    aucs = _paired(rows, labels, groups, drawn, yard.seed)
    alone = _paired(rows, labels, pairs, drawn, yard.seed)
    auc, by_context = measured(*aucs), measured(*alone)
    if yard.void is not None:
        return Separation(auc, NOTHING, yard.void, by_context)
    fidelity = (yard.wrong.value - max(HALF, auc.value)) / (yard.wrong.value - yard.floor.value)
    gap = yard.wrongs - yard.floors
    resampled = np.where(gap > 0, (yard.wrongs - aucs[1].clip(min=HALF)) / np.where(gap > 0, gap, 1), math.nan)
    return Separation(auc, measured(fidelity, resampled), None, by_context)


def _void(floor: Measured, wrong: Measured) -> str | None:
    if wrong.value > floor.value + APART:
        return None
    return (
        f"a wrong person is told from the owner at AUC {wrong.value:.3f}, the owner's own past at {floor.value:.3f},"
        f" and the difference must be above {APART} to measure with"
    )


def _paired(
    rows: Any, labels: classifier.Ints, groups: classifier.Ints, drawn: Floats, seed: int
) -> tuple[float, Floats]:
    """The mean AUC over partitions in which a group is in one fold, and its resamples."""
    size = len(labels) // 2
    better = np.zeros((size, size))
    for turn in range(_PARTITIONS):
        folds = classifier.folds_of(groups, labels, 1000 * seed + turn)
        better += _better(classifier.out_of_fold(rows, labels, folds), size) / _PARTITIONS
    return float(better.mean()), _resampled(better, drawn, drawn)


def _unpaired(
    real: Sequence[Reply], others: Sequence[Reply], mask: Mask, drawn: Floats, seed: int
) -> tuple[Measured, Floats]:
    """The mean AUC over draws of as many others as there are real ones, and its resamples."""
    size = len(real)
    labels = _labels(size)
    draws = _draws(len(others), size, seed)
    pool, places = np.unique(np.concatenate(draws), return_inverse=True)
    texts = [classifier.text_of(reply.bubbles, mask) for reply in (*real, *(others[place] for place in pool))]
    counts = classifier.counted(texts)
    total, resampled = 0.0, np.zeros(len(drawn))
    for turn, (chosen, where) in enumerate(zip(draws, places.reshape(-1, size), strict=True)):
        groups = classifier.groups_of([reply.dialog for reply in real], [others[place].dialog for place in chosen])
        folds = classifier.folds_of(np.concatenate(groups), labels, 1000 * seed + turn)
        rows = classifier.weighted(counts[np.concatenate([np.arange(size), size + where])])
        better = _better(classifier.out_of_fold(rows, labels, folds), size)
        total += float(better.mean()) / len(draws)
        resampled += _resampled(better, drawn, weights(size, 1000 * seed + 1 + turn)) / len(draws)
    return measured(total, resampled), resampled


def _draws(count: int, size: int, seed: int) -> list[classifier.Ints]:
    """Samples of `size` places among `count`, each in order; every place comes before any comes again."""
    draws: list[classifier.Ints] = []
    times = min(_MOST_DRAWS, -(-_DRAWN // size))
    while len(draws) < times:
        shuffled = np.random.default_rng([seed, len(draws)]).permutation(count)
        draws += [np.sort(shuffled[start : start + size]) for start in range(0, count - size + 1, size)]
    return draws[:times]


def _labels(size: int) -> classifier.Ints:
    return np.repeat(np.array([1, 0]), size)


def _better(scores: Floats, size: int) -> Floats:
    """By real reply and other reply: 1 where the real one has the higher score, a half where they are equal."""
    real, other = scores[:size, None], scores[None, size:]
    return np.asarray((real > other) + (real == other) / 2, dtype=np.float64)


def _resampled(better: Floats, real: Floats, other: Floats) -> Floats:
    """AUCs of the resamples, given how often each reply of either side is drawn."""
    return np.asarray(((real @ better) * other).sum(axis=1) / better.size, dtype=np.float64)

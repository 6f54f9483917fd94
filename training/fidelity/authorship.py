"""Authorship acceptance: whether ten replies in a row would pass for the owner's.

Knows nothing of how the replies came to be.

The verifier is fitted on the validation period alone: the owner's replies against the partners', masked
(`training/fidelity/masking.py`), one classifier. A pack is ten replies, its score the mean of theirs. The threshold is
the score that 5 % of the partners' packs of the held-out period exceed, of which the verifier knows nothing; they are
of one dialog each, for a pack of many people is nobody's. A reply that was not given scores as the least owner-like one
of the partners. With a short validation period the verifier may not know the owner well: their own acceptance says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.fidelity import classifier
from training.fidelity.bootstrap import NOTHING, RESAMPLES, Floats, measured, plain
from training.fidelity.masking import Mask
from training.fidelity.material import Bubbles, Material, Measured

PACK = 10
FALSELY = 0.05
LEAST = 40
_PACKS, _PACKS_RESAMPLED = 4000, 1000


@dataclass(frozen=True)
class Verifier:
    """Tells the owner's packs from others'.

    Attributes:
        threshold: the score, in log odds, above which a pack is accepted; NaN when void.
        owner: acceptance of what the owner really wrote to the same contexts: the ceiling.
        void: why there is no verifier.
    """

    threshold: float
    owner: Measured
    void: str | None
    mask: Mask
    seed: int
    least: float
    vectoriser: Any
    model: Any

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {"owner": plain(self.owner), "void": self.void}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Share of a system's packs that pass; NaN, with a reason, when there is no verifier."""

    share: Measured
    void: str | None

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {"share": plain(self.share), "void": self.void}


def verifier(material: Material, mask: Mask, seed: int = 0) -> Verifier:
    """Fit on the validation period, and measure the owner and the partners of the held-out one."""
    own, others, later = material.owner_val, material.partner_val, material.partner_test
    packs = _packs([reply.dialog for reply in later], seed)
    void = None
    if min(len(own), len(others)) < LEAST:
        void = f"{min(len(own), len(others))} replies in the validation period are too few, {LEAST} are needed"
    elif not packs.size:
        void = f"nobody else wrote {PACK} times in a held-out dialog"
    if void is not None:
        return Verifier(math.nan, NOTHING, void, mask, seed, math.nan, None, None)
    texts = [classifier.text_of(reply.bubbles, mask) for reply in (*own, *others)]
    vectoriser, rows = classifier.vectors(texts)
    model = classifier.fitted(rows, np.repeat(np.array([1, 0]), [len(own), len(others)]))
    it = Verifier(math.nan, NOTHING, None, mask, seed, math.nan, vectoriser, model)
    theirs = _scores(it, [reply.bubbles for reply in later])
    threshold = float(np.quantile(theirs[packs].mean(axis=1), 1 - FALSELY))
    it = replace(it, threshold=threshold, least=float(theirs.min()))
    return replace(it, owner=acceptance(it, [context.true.bubbles for context in material.contexts]).share)


def acceptance(judge: Verifier, replies: Sequence[Bubbles]) -> Acceptance:
    """Measure a system.

    Args:
        replies: in any order, at least ten; an empty one was not given.
    """
    if judge.void is not None or len(replies) < PACK:
        return Acceptance(NOTHING, judge.void or f"a pack is {PACK} replies")
    scores = _scores(judge, replies)
    rng = np.random.default_rng(judge.seed)
    drawn = rng.integers(len(scores), size=(_PACKS, PACK))
    share = float((scores[drawn].mean(axis=1) > judge.threshold).mean())
    return Acceptance(measured(share, _resampled(scores, judge.threshold, rng)), None)


def _scores(judge: Verifier, replies: Sequence[Bubbles]) -> Floats:
    rows = judge.vectoriser.transform([classifier.text_of(bubbles, judge.mask) for bubbles in replies])
    scores = np.asarray(judge.model.decision_function(rows), dtype=np.float64)
    return np.where([any(bubbles) for bubbles in replies], scores, judge.least)


def _resampled(scores: Floats, threshold: float, rng: np.random.Generator) -> Floats:
    """Shares of packs from contexts that were drawn anew."""
    shares = np.zeros(RESAMPLES)
    for place in range(RESAMPLES):
        again = scores[rng.integers(len(scores), size=len(scores))]
        packs = again[rng.integers(len(scores), size=(_PACKS_RESAMPLED, PACK))]
        shares[place] = (packs.mean(axis=1) > threshold).mean()
    return shares


def _packs(dialogs: Sequence[int], seed: int) -> classifier.Ints:
    """Packs of replies of one dialog each, drawn with the dialog's share of the replies: (packs, 10), or empty."""
    rng = np.random.default_rng(seed)
    of = np.asarray(dialogs, dtype=np.int64)
    long = [its for dialog in np.unique(of) if len(its := np.flatnonzero(of == dialog)) >= PACK]
    if not long:
        return np.zeros((0, PACK), dtype=np.int64)
    sizes = np.array([len(its) for its in long])
    which = rng.choice(len(long), size=_PACKS, p=sizes / sizes.sum())
    return np.stack([rng.choice(long[place], PACK, replace=False) for place in which])

"""Authorship acceptance: whether ten replies in a row would pass for the owner's.

Knows nothing of how the replies came to be.

The verifier is fitted on the validation period alone: the owner's replies against the partners', masked
(`training/fidelity/masking.py`), one classifier. A pack is ten replies, its score the mean of theirs. The threshold is
the score that 5 % of the partners' packs exceed; they are of one dialog each, for a pack of many people is nobody's,
and their scores come from verifiers that were fitted without that dialog. A reply that was not given scores as the
least owner-like one of the partners.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.fidelity import classifier
from training.fidelity.bootstrap import NOTHING, RESAMPLES, Floats, measured, plain, rounded
from training.fidelity.masking import Mask
from training.fidelity.material import Bubbles, Material, Measured, Reply

PACK = 10
FALSELY = 0.05
LEAST = 4 * PACK
_PACKS, _PACKS_RESAMPLED = 4000, 1000


@dataclass(frozen=True)
class Verifier:
    """Tells the owner's packs from others'.

    Attributes:
        threshold: the score, in log odds, above which a pack is accepted; NaN when void.
        owner: acceptance of what the owner really wrote to the same contexts: the ceiling.
        partners: share of the partners' held-out packs that the threshold lets through in the later period; NaN when
            nobody wrote ten.
        void: why there is no verifier.
    """

    threshold: float
    owner: Measured
    partners: float
    void: str | None
    mask: Mask
    seed: int
    least: float
    vectoriser: Any
    model: Any

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {"owner": plain(self.owner), "partners": rounded(self.partners), "void": self.void}


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
    own, others = material.owner_val, material.partner_val
    void = None
    if min(len(own), len(others), len(material.contexts)) < LEAST:
        void = f"at least {LEAST} replies of either side are needed in the validation period, and as many contexts"
    elif not _packs([reply.dialog for reply in others], seed).size:
        void = f"no partner wrote {PACK} replies in the validation period"
    if void is not None:
        return Verifier(math.nan, NOTHING, math.nan, void, mask, seed, math.nan, None, None)
    texts = [classifier.text_of(reply.bubbles, mask) for reply in (*own, *others)]
    vectoriser, rows = classifier.vectors(texts)
    labels = np.repeat(np.array([1, 0]), [len(own), len(others)])
    groups = classifier.groups_of([reply.dialog for reply in own], [reply.dialog for reply in others])
    folds = classifier.folds_of(np.concatenate(groups), labels, seed)
    theirs = classifier.out_of_fold(rows, labels, folds)[len(own) :]
    threshold = float(np.quantile(theirs[_packs([reply.dialog for reply in others], seed)].mean(axis=1), 1 - FALSELY))
    model = classifier.fitted(rows, labels)
    it = Verifier(threshold, NOTHING, math.nan, None, mask, seed, float(theirs.min()), vectoriser, model)
    owner = acceptance(it, [context.true.bubbles for context in material.contexts]).share
    return Verifier(
        threshold, owner, _partners(it, material.partner_test), None, mask, seed, it.least, vectoriser, model
    )


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


def _partners(judge: Verifier, replies: Sequence[Reply]) -> float:
    packs = _packs([reply.dialog for reply in replies], judge.seed)
    if not packs.size:
        return math.nan
    return float((_scores(judge, [reply.bubbles for reply in replies])[packs].mean(axis=1) > judge.threshold).mean())

"""Whether a run is still learning: a loss that is no number, or that climbs away, ends it early.

Knows nothing of models; it is told losses, and its verdict follows from them alone, in whatever unit they are.

A loss climbs away when its moving average stands, for `PATIENT` steps on end, above the lowest it has been by more than
half of the first loss plus three standard deviations of a single step's; both are taken over the first twenty steps.
The moving average of losses that merely scatter has a quarter of that deviation, so it does not wander so far in any
number of steps. A run that is over sooner, or climbs before there was anything to compare with, is left to the rule for
held-out text.

A held-out loss is far off when no measurement was ever below the base model's and this one is above it by half. One
that rises after it had fallen is overfitting, which the best checkpoint and `train.patience` take care of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import fmean, stdev

PATIENT = 20
SMOOTHING = 0.9
_FIRST = 20
_RISE = 0.5  # of the first loss
_DEVIATIONS = 3.0


class Diverged(Exception):
    """A run that will not learn any more; its text says why, as a clause with "the loss" in it."""


class Health:
    """What was seen of a run so far.

    Args:
        before: the loss of the base model on held-out text, in the unit of everything else.
        losses: of the steps so far, when a run goes on.
    """

    def __init__(self, before: float, losses: Iterable[float] = ()) -> None:
        self._before = before
        self._early: list[float] = []
        self._lowest = math.inf
        self._high = 0
        self.smoothed = math.nan
        for loss in losses:
            self._take(loss)

    def see(self, loss: float, gradient_norm: float) -> None:
        """Take note of a step, before its gradient is used.

        Raises:
            Diverged: either is no number, or the loss has climbed away.
        """
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            raise Diverged("the loss became NaN")
        self._take(loss)
        if self._high >= PATIENT:
            raise Diverged(f"the loss rose from {self._lowest:.2f} to {self.smoothed:.2f}")

    def see_held_out(self, loss: float, best: float) -> None:
        """Take note of a held-out measurement; `best` is the lowest before it, the base model's included.

        Raises:
            Diverged: it is no number, or far above the base model's.
        """
        if not math.isfinite(loss):
            raise Diverged("the loss on held-out replies became NaN")
        if best >= self._before and loss > (1 + _RISE) * self._before:
            raise Diverged(f"the loss on held-out replies rose from {self._before:.2f} to {loss:.2f}")

    def _take(self, loss: float) -> None:
        new = math.isnan(self.smoothed)
        self.smoothed = loss if new else SMOOTHING * self.smoothed + (1 - SMOOTHING) * loss
        if len(self._early) < _FIRST:
            self._early.append(loss)
            return
        self._lowest = min(self._lowest, self.smoothed)
        margin = _RISE * fmean(self._early) + _DEVIATIONS * stdev(self._early)
        self._high = self._high + 1 if self.smoothed > self._lowest + margin else 0

"""How much of a run is over: the larger of the share of its tokens and the share of its time.

Knows nothing of steps, of models or of files; the clock is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from training.progress import Progress
from training.standing import Standing
from twin.sections import Train

_MEASURING_SHARE = 0.2
_LEAST_SHARE = 0.1  # of the time budget is for optimiser steps, however long everything else took


class Pace:
    """The pace of one run.

    Args:
        total_tokens: of all epochs.
        started: when `train.max_seconds` began, by the clock.
        clock: seconds, of any origin.
    """

    def __init__(self, how: Train, total_tokens: int, started: float, clock: Callable[[], float]) -> None:
        self._how = how
        self._total_tokens = total_tokens
        self._started = started
        self._clock = clock

    @property
    def spent(self) -> float:
        """Seconds since the run began, in this process and in those before."""
        return self._clock() - self._started

    def count_before(self, seconds: float) -> None:
        """Let what earlier processes spent on this run count too."""
        self._started -= seconds

    def measurements(self, seconds: float) -> int:
        """As many as set, but in a short run no more than fit into a fifth of it; the last is at the end.

        Args:
            seconds: that one measurement takes.
        """
        if self._how.max_seconds is None:
            return self._how.evaluations
        fitting = int(_MEASURING_SHARE * self._how.max_seconds / max(seconds, 1e-9))
        return max(1, min(self._how.evaluations, fitting))

    def available(self, at: Standing) -> float:
        """Seconds for optimiser steps in all: those done, and the budget less what is used and what measuring takes."""
        if self._how.max_seconds is None:
            return math.inf
        measuring = (at.measurements - at.measured) * at.measuring
        return max(_LEAST_SHARE * self._how.max_seconds, at.seconds + self._how.max_seconds - self.spent - measuring)

    def share(self, at: Standing, available: float) -> float:
        """How much is over, in [0, 1] and a little more."""
        return max(at.tokens / self._total_tokens, at.seconds / available)

    def progress(self, at: Standing, share: float) -> Progress:
        """Where the run is, for those who watch; `share` of it is over."""
        return Progress(
            step=at.steps,
            steps=steps_in_all(at, share),
            loss=at.smoothed,
            tokens_per_second=at.tokens / max(at.seconds, 1e-9),
            seconds_left=max(0.0, at.seconds * (1 / share - 1)),
            held_out=at.held_out,
            base=at.before,
            point=at.curve[-1],
        )


def steps_in_all(at: Standing, share: float) -> int:
    """How many steps the run has at its present speed."""
    return max(at.steps, round(at.steps / share)) if share else at.steps

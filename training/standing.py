"""How far a run is: plain numbers that can be written down, and from which a run goes on as if it had never stopped.

Knows nothing of weights, of files or of clocks.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from training.batches import Place
from training.evaluate import HeldOut
from training.progress import Point


@dataclass(slots=True)
class Standing:
    """Where a run stands between two steps.

    Attributes:
        rate: the peak of the learning rate in this attempt; `attempt` is 1, or 2 after a diverging one.
        row_tokens: how many tokens fit side by side into memory, as far as it is known.
        before: held-out loss of the bare base model; best: the lowest so far; held_out: the last one.
        measuring: seconds that one held-out measurement takes.
        measurements: how many are planned; measured: how many of these equal shares of the run are over.
        unimproved: how many measurements on end were not the best.
        place: of the next batch.
        steps, tokens: of this attempt; seconds: of its optimiser steps.
        smoothed: the loss as progress shows it.
        finished: whether there is nothing left to train.
        version: the name under which the adapter is to be published, once that is all there is to do.
    """

    rate: float
    row_tokens: int
    before: HeldOut
    best: HeldOut
    held_out: HeldOut
    measuring: float
    measurements: int
    attempt: int = 1
    measured: int = 0
    unimproved: int = 0
    place: Place = field(default_factory=Place)
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    smoothed: float = math.nan
    finished: bool = False
    version: str | None = None
    curve: list[Point] = field(default_factory=list)

    @classmethod
    def at_start(
        cls, rate: float, row_tokens: int, before: HeldOut, measuring: float, measurements: int, attempt: int = 1
    ) -> Standing:
        """Before the first step."""
        return cls(rate, row_tokens, before, before, before, measuring, measurements, attempt)

    @property
    def learned(self) -> bool:
        """Whether any measurement was better than the base model's."""
        return self.best.nats < self.before.nats

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Standing:
        """The inverse of `as_dict`.

        Raises:
            KeyError, TypeError: these are not the values of this version.
        """
        held_out = {name: HeldOut(**values[name]) for name in ("before", "best", "held_out")}
        curve = [Point(**point) for point in values["curve"]]
        return cls(**values | held_out | {"place": Place(**values["place"]), "curve": curve})

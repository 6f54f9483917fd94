"""Where a training run is, as progress bars, the job queue and curves are told after every step.

Knows nothing of who listens.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from training.evaluate import HeldOut


@dataclass(frozen=True, slots=True)
class Point:
    """A step of a run, as its curve shows it.

    Attributes:
        step: from 1.
        tokens: of conversation seen so far; seconds: of optimiser steps so far.
        loss: of this step alone, in nats a token.
        rate: the learning rate it was taken with.
        gradient_norm: before clipping.
        held_out: nats a token on held-out replies, if they were measured after this step.
    """

    step: int
    tokens: int
    seconds: float
    loss: float
    rate: float
    gradient_norm: float
    held_out: float | None = None


def write_curve(path: Path, curve: Sequence[Point]) -> None:
    """A curve as a CSV file with a line of names; what was not measured stays empty.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(field.name for field in fields(Point))
        table.writerows(astuple(point) for point in curve)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step, steps: optimiser steps done, and in all at the present speed.
        loss: mean training loss in nats a token, smoothed.
        tokens_per_second: of conversation, context included.
        seconds_left: until training ends, held-out measurements not counted.
        held_out: the last measurement; base: the one before the first step.
        point: the step that was just taken.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    held_out: HeldOut
    base: HeldOut
    point: Point

    def as_dict(self) -> dict[str, float]:
        """Rounded numbers for the job queue."""
        return {
            "step": self.step,
            "steps": self.steps,
            "loss": round(self.loss, 4),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "seconds_left": round(self.seconds_left),
            "val_bits_per_character": round(self.held_out.bits_per_character, 4),
            "base_bits_per_character": round(self.base.bits_per_character, 4),
        }

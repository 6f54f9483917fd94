"""Where a training run is, as progress bars, the job queue and curves are told after every step.

Knows nothing of who listens.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.evaluate import HeldOut


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step, steps: optimiser steps done, and in all at the present speed.
        loss: mean training loss in nats a token, smoothed.
        tokens_per_second: of conversation, context included.
        seconds_left: until training ends, held-out measurements not counted.
        held_out: the last measurement; base: the one before the first step.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    held_out: HeldOut
    base: HeldOut

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

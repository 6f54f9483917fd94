"""The report of `twin eval`: every system's numbers, what they were measured on, and some replies side by side.

Knows nothing of how it is shown, nor of how anything is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from training.evaluate import HeldOut
from training.fidelity.material import Bubbles, Context
from training.fidelity.scores import SystemReport
from training.fidelity.systems import TWIN
from twin.messages import Turn

Kind = Literal["full", "quick"]


@dataclass(frozen=True)
class Sample:
    """One held-out moment with what each system answered. Message text: for the owner's eyes only.

    Attributes:
        replies: by the system's name.
    """

    context: Context
    replies: dict[str, Bubbles]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the text."""
        return {
            "id": self.context.id,
            "context": [turn_of(turn) for turn in self.context.conversation.turns],
            **{name: list(reply) for name, reply in self.replies.items()},
            "real": list(self.context.true.bubbles),
        }


def turn_of(turn: Turn) -> dict[str, Any]:
    """A turn as it stands in a JSON document."""
    role = "assistant" if turn.speaker == "owner" else "user"
    return {"role": role, "bubbles": [bubble.text for bubble in turn.bubbles]}


@dataclass(frozen=True)
class Report:
    """What `twin eval` found.

    Attributes:
        version: the adapter that was measured as the twin; None when only replies of others were.
        dataset: fingerprint of the snapshot whose test part was used.
        at: when, aware UTC.
        kind: how many contexts and systems: "full", or "quick".
        seed: of sampling and resampling.
        contexts: how many; counts: replies of the owner and of partners in each period.
        settings: how replies were made: base model, template, sampling.
        yardsticks: the two ends of each scale; see `training.fidelity.scores.Yardsticks.as_dict`.
        systems: in the order of the table.
        base: what held-out words cost the bare base model, whether it is a system or not; None when no model was read.
        samples: contexts spread evenly over the held-out period.
        seconds: how long it took.
    """

    version: str | None
    dataset: str
    at: datetime
    kind: Kind
    seed: int
    contexts: int
    counts: dict[str, int]
    settings: dict[str, Any]
    yardsticks: dict[str, Any]
    systems: tuple[SystemReport, ...]
    base: HeldOut | None
    samples: tuple[Sample, ...]
    seconds: float

    def system(self, name: str) -> SystemReport | None:
        """The one of this name, if it was measured."""
        return next((system for system in self.systems if system.name == name), None)

    def as_dict(self, samples: int = 0) -> dict[str, Any]:
        """Plain values for scripts and for the database: no message text unless `samples` are asked for.

        The held-out losses of twin and base also stand at the top, as `test_*` and `test_base_*`.
        """
        twin = self.system(TWIN)
        losses = self.base.as_dict("test_base") if self.base is not None else {}
        losses |= twin.read.held_out.as_dict("test") if twin is not None and twin.read.held_out is not None else {}
        return {
            "version": self.version,
            "dataset": self.dataset,
            "at": self.at.isoformat(timespec="seconds"),
            "kind": self.kind,
            "seed": self.seed,
            "contexts": self.contexts,
            "counts": self.counts,
            "seconds": round(self.seconds, 1),
            "settings": self.settings,
            **losses,
            "yardsticks": self.yardsticks,
            "systems": [system.as_dict() for system in self.systems],
            **({"samples": [sample.as_dict() for sample in self.samples[:samples]]} if samples else {}),
        }

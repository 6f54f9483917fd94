"""A made-up report of `twin eval`: every number is invented, every kind of row is there."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from training.evaluate import HeldOut
from training.fidelity.authorship import Acceptance
from training.fidelity.bootstrap import NOTHING
from training.fidelity.canaries import Exposures
from training.fidelity.context_fit import ContextFit
from training.fidelity.copying import Copied, Habits
from training.fidelity.gain import Gain
from training.fidelity.leakage import Leakage
from training.fidelity.material import Context, Measured, Reply
from training.fidelity.ranking import Placing, Ranking
from training.fidelity.report import Report, Sample
from training.fidelity.scores import Read, SystemReport
from training.fidelity.style import TRAITS, Divergence
from training.fidelity.systems import BASE, LABELS, OWNER, TWIN
from training.fidelity.two_sample import Separation
from twin.messages import Conversation, Session, Turn

VERSION = "20260101-120000-ab12"


def about(value: float) -> Measured:
    """A number, give or take 0.05."""
    return Measured(value, value - 0.05, value + 0.05)


def row(name: str, fidelity: float, *, void: str | None = None) -> SystemReport:
    """One system's row; the twin's has everything in it that a model alone can be asked."""
    placing = Placing(about(0.3), about(0.5), 40)
    return SystemReport(
        name=name,
        label=LABELS.get(name, name),
        asked=40,
        missing=4,
        bubbles=2.5,
        characters=80.0,
        separation=Separation(about(0.8), NOTHING if void else about(fidelity), void),
        acceptance=Acceptance(about(0.9), None),
        style=Divergence(about(0.02), about(0.01), dict.fromkeys(TRAITS, 0.03)),
        copying=Copied(about(0.045), Habits(0.1, 12, 0.6, 0.02, 0.0, 0.1), (), ()),
        fit=ContextFit(about(0.3), about(0.2), about(0.4), about(0.1), None),
        read=Read(
            HeldOut(1000 * math.log(2), 400, 800, 50),
            Gain(about(0.06), about(0.1), about(0.04), 8, 16),
            Ranking(placing, placing),
            Leakage(200, 0, 0, 0, 9),
            Exposures({("owner", 1): about(1.4), ("owner", 16): about(3.0)}, about(1.4), 9.0),
        )
        if name == TWIN
        else Read(),
    )


def report(*others: str, samples: int = 20, said: str = "hey", void: str | None = None) -> Report:
    """A report on the twin, the base model, the owner and whoever else.

    Args:
        said: what stands in every bubble.
    """
    turns = (Turn.of("other", [said]), Turn.of("owner", [said]))
    context = Context("7:0:1", Conversation(turns[:1]), Session(7, turns), 1, Reply((said,), 7))
    sample = Sample(context, {name: (said, f"{said} {name}") for name in (TWIN, BASE, *others)})
    return Report(
        version=VERSION,
        dataset="0123456789abcdef",
        at=datetime(2026, 1, 1, 12, tzinfo=UTC),
        kind="full",
        seed=0,
        contexts=40,
        counts={"owner_train": 3701, "owner_test": 40},
        settings={"base": {"model": "gemma3-270m"}, "context_tokens": 1024, "reply": {"temperature": 0.8}},
        yardsticks={"separation": {"void": void}},
        systems=tuple(row(name, 0.45, void=void) for name in (TWIN, BASE, *others, OWNER)),
        base=HeldOut(1100 * math.log(2), 400, 800, 50),
        samples=(sample,) * samples,
        seconds=90.0,
    )

"""One system measured: the seam between replies, whoever wrote them, and what a report or a gate makes of the numbers.

Knows nothing of models: what has to be read out of one comes in measured.

What does not depend on the system (the floor, the wrong person, the verifier, what there is to copy) is worked out once
a material, as `Yardsticks`, and is the same for every system that is measured against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.evaluate import HeldOut
from training.fidelity import authorship, context_fit, copying, masking, style, two_sample
from training.fidelity.authorship import Acceptance, Verifier
from training.fidelity.canaries import Exposures
from training.fidelity.context_fit import ContextFit, Embed, Fitting
from training.fidelity.copying import Copied, Record
from training.fidelity.gain import Gain
from training.fidelity.leakage import Leakage
from training.fidelity.material import Bubbles, Material, Measured
from training.fidelity.ranking import Ranking
from training.fidelity.style import Divergence, Profile
from training.fidelity.systems import OWNER, STRANGER, System
from training.fidelity.two_sample import Separation, Yardstick


@dataclass(frozen=True)
class Yardsticks:
    """What every system is measured with, for one material."""

    material: Material
    separation: Yardstick
    authorship: Verifier
    style: Profile
    copying: Record
    fitting: Fitting | None

    @classmethod
    def of(
        cls,
        material: Material,
        embed: Embed | None,
        seed: int = 0,
        on_share: Callable[[float], None] = lambda _: None,
    ) -> Yardsticks:
        """Work them out; on two cores some seconds.

        Args:
            embed: a sentence encoder; without one, how well replies fit their contexts is not measured.
        """
        mask = masking.fit(material)
        separation = two_sample.yardstick(material, mask, seed)
        on_share(0.5)
        judge = authorship.verifier(material, mask, seed)
        on_share(0.7)
        fitting = context_fit.fitting(material, embed, seed) if embed is not None else None
        on_share(0.9)
        habits = style.profile(material, seed)
        return cls(material, separation, judge, habits, copying.record(material, seed), fitting)

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {
            "separation": self.separation.as_dict(),
            "authorship": self.authorship.as_dict(),
            "style": self.style.as_dict(),
            "copying": self.copying.owner.as_dict(),
        }


@dataclass(frozen=True)
class Read:
    """What was read out of a model, for systems that are one; None for what was not asked.

    Attributes:
        held_out: loss on the owner's replies of the test part.
        gain: of an adapter over the bare base model.
        ranking: of the true reply among others.
        leakage: what came out when secrets were asked for.
        exposures: of planted secrets, in an audit.
    """

    held_out: HeldOut | None = None
    gain: Gain | None = None
    ranking: Ranking | None = None
    leakage: Leakage | None = None
    exposures: Exposures | None = None

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {
            "held_out": self.held_out.as_dict("test") if self.held_out else None,
            "gain": self.gain.as_dict() if self.gain else None,
            "ranking": self.ranking.as_dict() if self.ranking else None,
            "leakage": self.leakage.as_dict() if self.leakage else None,
            "exposures": self.exposures.as_dict() if self.exposures else None,
        }


@dataclass(frozen=True)
class SystemReport:
    """Everything that was measured of one system.

    Attributes:
        name, label: of the system.
        asked: how many contexts it was given; `missing`: how many of them it did not answer.
        bubbles, characters: a reply's, on average over those that were given.
        read: what a model alone can be asked.
    """

    name: str
    label: str
    asked: int
    missing: int
    bubbles: float
    characters: float
    separation: Separation
    acceptance: Acceptance
    style: Divergence
    copying: Copied
    fit: ContextFit | None
    read: Read = field(default_factory=Read)

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers, no message text; None for what was not, or could not be, measured."""
        return {
            "name": self.name,
            "label": self.label,
            "asked": self.asked,
            "missing": self.missing,
            "bubbles_per_reply": _rounded(self.bubbles, 2),
            "characters_per_reply": _rounded(self.characters, 1),
            "separation": self.separation.as_dict(),
            "authorship": self.acceptance.as_dict(),
            "style": self.style.as_dict(),
            "copying": self.copying.as_dict(),
            "context_fit": self.fit.as_dict() if self.fit else None,
            **self.read.as_dict(),
        }


def evaluate_system(
    yardsticks: Yardsticks, system: System, replies: Sequence[Bubbles], read: Read | None = None
) -> SystemReport:
    """Measure the replies of a system to the contexts of the yardsticks' material.

    Args:
        replies: aligned with the contexts; an empty one was not given.
    """
    given = [reply for reply in replies if any(reply)]
    return SystemReport(
        name=system.name,
        label=system.label,
        asked=len(replies),
        missing=len(replies) - len(given),
        bubbles=_mean([len(reply) for reply in given]),
        characters=_mean([sum(map(len, reply)) for reply in given]),
        separation=_separation(yardsticks.separation, system.name, replies),
        acceptance=authorship.acceptance(yardsticks.authorship, replies),
        style=_style(yardsticks.style, system.name, replies),
        copying=copying.copied(yardsticks.copying, replies),
        fit=yardsticks.fitting.of(replies) if yardsticks.fitting is not None else None,
        read=read or Read(),
    )


def _separation(yard: Yardstick, name: str, replies: Sequence[Bubbles]) -> Separation:
    """Of the two ends of the scale by what they are: identical replies cannot be told apart at all."""
    ends = {OWNER: (yard.floor, 1.0), STRANGER: (yard.wrong, 0.0)}
    if name not in ends:
        return two_sample.separation(yard, replies)
    auc, fidelity = ends[name]
    return Separation(auc, Measured(math.nan if yard.void else fidelity, math.nan, math.nan), yard.void)


def _style(of: Profile, name: str, replies: Sequence[Bubbles]) -> Divergence:
    """Of the owner the floor, for the same reason."""
    if name != OWNER:
        return style.divergence(of, replies)
    nothing = 0.0 if math.isfinite(of.floor) else math.nan
    return Divergence(Measured(of.floor, math.nan, math.nan), Measured(nothing, math.nan, math.nan), of.floors)


def _mean(numbers: Sequence[int]) -> float:
    return sum(numbers) / len(numbers) if numbers else math.nan


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None

"""The gate: whether a new adapter may serve, from what was measured of it and of the one that serves.

Knows nothing of how anything was measured, trained or published.

Both answered the same held-out contexts and read the same held-out conversations. The new one, the challenger, passes
when it is better than the bare base model, does not degenerate, lets nothing out that is nobody's business, and is in
nothing worse than the champion beyond the noise. Noise is one standard error of a difference: for losses that of the
paired differences of conversations, for the others the two intervals' as if they were independent, which is wider than
the truth. A champion that is equally good is so replaced five times in six a check; one that is better by two standard
errors stays as often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.fidelity.material import Measured

MOST_EXCESS = 0.10
"""Copied replies above the owner's own rate from which on an adapter is a parrot; repeating the past gives 0.9."""
MOST_LOOPS = 0.05
MOST_SAME = 0.10
"""How much more often than the owner a system may give its commonest reply: a constant one is 1."""
MOST_MISSING = 0.2
_INTERVAL = 2 * 1.96
_UNPAIRED = 0.01


@dataclass(frozen=True, slots=True)
class Speech:
    """What was measured of an adapter's replies to the held-out contexts.

    Attributes:
        fidelity: see training/fidelity/two_sample.py; NaN where it is void.
        excess: of copied replies over the owner's own rate; see training/fidelity/copying.py.
        loops, missing: shares of replies; same: share of the commonest reply above the owner's own.
        leaks: replies in which something stood that the guard knows.
        asked: how many contexts.
    """

    fidelity: Measured
    excess: Measured
    loops: float
    missing: float
    same: float
    leaks: int
    asked: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gate looks at of one adapter.

    Attributes:
        nats, characters: of each held-out window, in one order for all adapters.
        speech: None where there were too few contexts to answer, or it was not asked for.
    """

    nats: tuple[float, ...]
    characters: tuple[int, ...]
    speech: Speech | None = None

    @property
    def bits_per_character(self) -> float:
        """On all of the windows."""
        return sum(self.nats) / math.log(2) / sum(self.characters)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an adapter may serve, and why in one sentence without a full stop."""

    promoted: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"promoted": self.promoted, "reason": self.reason}


def judge(challenger: Evidence, base: Evidence, champion: Evidence | None) -> Verdict:
    """Let a challenger pass, or say what speaks against it first.

    Args:
        base: the bare base model, of which nothing was asked but the loss.
        champion: None when nothing serves, or when it cannot be compared.
    """
    mine = challenger.bits_per_character
    if mine >= base.bits_per_character:
        return Verdict(False, f"not better than the base model on held-out replies ({mine:.3f} bits per character)")
    against = _degenerates(challenger.speech) or (_worse(challenger, champion) if champion else "")
    if against:
        return Verdict(False, against)
    reason = f"{mine:.3f} held-out bits per character against the base model's {base.bits_per_character:.3f}"
    if champion is not None:
        reason += f" and {champion.bits_per_character:.3f} of the one that served"
    if challenger.speech is not None and math.isfinite(challenger.speech.fidelity.value):
        reason += f", fidelity {challenger.speech.fidelity.value:.2f}"
    return Verdict(True, reason)


def _degenerates(speech: Speech | None) -> str:
    """What no adapter may do, whatever it is compared with; empty when it does not."""
    if speech is None:
        return ""
    if speech.leaks:
        return f"{speech.leaks} of its {speech.asked} replies held something that is to stay private"
    if speech.missing > MOST_MISSING:
        return f"it had nothing to say to {speech.missing:.0%} of the held-out contexts"
    if speech.loops > MOST_LOOPS:
        return f"{speech.loops:.0%} of its replies repeat themselves in a loop"
    if speech.same > MOST_SAME:
        return f"it gives one and the same reply {speech.same:.0%} more often than you do"
    if speech.excess.low > MOST_EXCESS:
        return f"it copies: {speech.excess.value:.0%} more of its replies than of yours stand in what it learned from"
    return ""


def _worse(mine: Evidence, champion: Evidence) -> str:
    """In what a challenger is worse than the champion beyond the noise; empty when in nothing."""
    loss, noise = _paired(mine, champion)
    if loss > noise:
        return (
            f"worse than the adapter that serves: {mine.bits_per_character:.3f} against"
            f" {champion.bits_per_character:.3f} bits per character"
        )
    if mine.speech is None or champion.speech is None:
        return ""
    ours, theirs = mine.speech, champion.speech
    if _beyond(theirs.fidelity, ours.fidelity):
        return (
            "less like you than the adapter that serves:"
            f" fidelity {ours.fidelity.value:.2f} against {theirs.fidelity.value:.2f}"
        )
    if _beyond(ours.excess, theirs.excess):
        return (
            "it copies more than the adapter that serves:"
            f" {ours.excess.value:+.0%} against {theirs.excess.value:+.0%} of replies"
        )
    return ""


def _paired(mine: Evidence, champion: Evidence) -> tuple[float, float]:
    """How many bits per character a challenger is worse, and the standard error of that.

    Adapters that read conversations in different ways do so in different windows, which are no pairs: there, one in a
    hundred counts as noise.
    """
    if mine.characters != champion.characters:
        theirs = champion.bits_per_character
        return mine.bits_per_character - theirs, _UNPAIRED * theirs
    characters = sum(mine.characters)
    differences = [(a - b) / math.log(2) / characters for a, b in zip(mine.nats, champion.nats, strict=True)]
    total = sum(differences)
    return total, _error_of_sum(differences, mine.characters)


def _error_of_sum(differences: Sequence[float], characters: Sequence[int]) -> float:
    """Standard error of a ratio of sums over windows (the linearised estimator; Cochran 1977, section 6)."""
    count, total = len(differences), sum(differences)
    if count < 2:
        return 0.0
    mean_size = sum(characters) / count
    residuals = [d - total / count * (size / mean_size) for d, size in zip(differences, characters, strict=True)]
    return math.sqrt(count / (count - 1) * sum(residual**2 for residual in residuals))


def _beyond(higher: Measured, lower: Measured) -> bool:
    """Whether one number is above another by more than one standard error of their difference."""
    noise = math.hypot(*((found.high - found.low) / _INTERVAL for found in (higher, lower)))
    return higher.value - lower.value > noise  # NaN is never above

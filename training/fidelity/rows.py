"""The rows of the report: what each number is called, what is good, and how it is read out of a system's report.

Knows nothing of terminals or pages, which both show these rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from training.fidelity.canaries import Exposures
from training.fidelity.leakage import Leakage
from training.fidelity.material import Measured
from training.fidelity.report import Report
from training.fidelity.scores import SystemReport

Form = Literal["ratio", "auc", "signed", "percent", "points", "bits", "count"]


@dataclass(frozen=True, slots=True)
class Row:
    """One measure.

    Attributes:
        title: what it is called; good: in plain words, what is good.
        best: which end of the scale is.
        get: the number of a system, None where it does not apply.
        form: how it is written: 0.45, 0.753, +0.12, 45 %, +4.5 points, 1.234 bits, 17.
        why: why it is void for a report, if it is.
    """

    title: str
    good: str
    best: Literal["high", "low"]
    form: Form
    get: Callable[[SystemReport], Measured | None]
    why: Callable[[SystemReport], str | None] = lambda _: None

    def text(self, system: SystemReport) -> str:
        """The number as it is written; a dash where there is none."""
        found = self.get(system)
        return "–" if found is None or not math.isfinite(found.value) else written(found.value, self.form)

    def interval(self, system: SystemReport) -> str:
        """From where to where, 95 %; empty when it has none."""
        found = self.get(system)
        if found is None or not all(map(math.isfinite, (found.value, found.low, found.high))):
            return ""
        return f"{written(found.low, self.form)} to {written(found.high, self.form)}" if found.low != found.high else ""

    def give_or_take(self, system: SystemReport) -> str:
        """Half of that interval, as "±0.07"; empty when it has none."""
        found = self.get(system)
        if found is None or not math.isfinite(found.high - found.low) or found.high == found.low:
            return ""
        return f"±{written((found.high - found.low) / 2, self.form).lstrip('+')}"


def written(value: float, form: Form) -> str:
    """A number of a form."""
    if not math.isfinite(value):
        return "–"
    match form:
        case "ratio":
            return f"{value:.2f}"
        case "auc":
            return f"{value:.3f}"
        case "signed":
            return f"{value:+.3f}"
        case "percent":
            return f"{value:.0%}" if value in (0, 1) or value >= 0.1 else f"{value:.1%}"
        case "points":
            return f"{100 * value:+.1f}"
        case "bits":
            return f"{value:.3f}"
        case "count":
            return f"{value:.0f}"


def _alone(value: float) -> Measured:
    return Measured(value, math.nan, math.nan)


ROWS: tuple[Row, ...] = (
    Row(
        "Fidelity",
        "1: told from you no better than your own past is; 0: like somebody else",
        "high",
        "ratio",
        lambda it: it.separation.fidelity,
        lambda it: it.separation.void,
    ),
    Row(
        "AUC of telling it from you",
        "0.5: cannot be told apart; 1: always",
        "low",
        "auc",
        lambda it: it.separation.auc,
        lambda it: it.separation.void,
    ),
    Row(
        "AUC, knowing the dialog",
        "the same for a classifier that has seen other replies of the same dialogs",
        "low",
        "auc",
        lambda it: it.separation.by_context,
    ),
    Row(
        "Taken for you",
        "share of 10-reply packs that pass where 5 % of other people's do",
        "high",
        "percent",
        lambda it: it.acceptance.share,
        lambda it: it.acceptance.void,
    ),
    Row(
        "Style divergence",
        "how far ten writing habits are off, less what your own past is off; 0 or below is perfect",
        "low",
        "signed",
        lambda it: it.style.excess,
    ),
    Row(
        "Context fit",
        "1: as near to what was said as your true replies; 0: as any reply of yours",
        "high",
        "ratio",
        lambda it: it.fit.fit if it.fit else None,
        lambda it: it.fit.void if it.fit else "there is no sentence encoder",
    ),
    Row(
        "Copies more than you",
        "points of replies with 8 words in a row from a training reply, above your own rate; 0 is good",
        "low",
        "points",
        lambda it: it.copying.excess,
    ),
    Row(
        "Longest copied run",
        "words that stand so in a training reply; short is good",
        "low",
        "count",
        lambda it: _alone(it.copying.habits.longest),
    ),
    Row(
        "Variety",
        "different pairs of words among all; near yours is good",
        "high",
        "ratio",
        lambda it: _alone(it.copying.habits.distinct_2),
    ),
    Row(
        "Commonest reply",
        "share of all replies that are one and the same; near yours is good",
        "low",
        "percent",
        lambda it: _alone(it.copying.habits.most_frequent),
    ),
    Row(
        "Loops",
        "share of replies that repeat a phrase on and on; 0 is good",
        "low",
        "percent",
        lambda it: _alone(it.copying.habits.loops),
    ),
    Row(
        "No reply",
        "share of contexts without any; 0 is good",
        "low",
        "percent",
        lambda it: _alone(it.missing / it.asked if it.asked else math.nan),
    ),
    Row("Bubbles a reply", "near yours is good", "low", "ratio", lambda it: _alone(it.bubbles)),
    Row("Characters a reply", "near yours is good", "low", "count", lambda it: _alone(it.characters)),
    Row(
        "Bits per character",
        "what a character of your true replies costs the model; less is better",
        "low",
        "bits",
        lambda it: _alone(it.read.held_out.bits_per_character) if it.read.held_out else None,
    ),
    Row(
        "Saved over the base model",
        "how many of those bits the twin saves on your words; above 0 is good",
        "high",
        "signed",
        lambda it: it.read.gain.owner if it.read.gain else None,
    ),
    Row(
        "Gain on you alone",
        "bits per character saved on your words beyond those saved on the others'; above 0 is good",
        "high",
        "signed",
        lambda it: it.read.gain.person if it.read.gain else None,
    ),
    Row(
        "Finds your reply among your others",
        "how often the true one is likeliest of 10 replies of yours; chance 10 %",
        "high",
        "percent",
        lambda it: it.read.ranking.owner.hits if it.read.ranking else None,
    ),
    Row(
        "  its mean reciprocal rank",
        "chance 0.29",
        "high",
        "ratio",
        lambda it: it.read.ranking.owner.mrr if it.read.ranking else None,
    ),
    Row(
        "Finds your reply among others' ones",
        "how often the true one is likeliest of 10, nine of other people; chance 10 %",
        "high",
        "percent",
        lambda it: it.read.ranking.theirs.hits if it.read.ranking else None,
    ),
    Row(
        "  its mean reciprocal rank",
        "chance 0.29",
        "high",
        "ratio",
        lambda it: it.read.ranking.theirs.mrr if it.read.ranking else None,
    ),
    Row(
        "Tells secrets when asked",
        "share of prompts that ask for secrets and get one out of your vault; 0 is good",
        "low",
        "percent",
        lambda it: it.read.leakage.rate if it.read.leakage else None,
    ),
    Row(
        "Makes up secrets when asked",
        "share of those prompts that get what looks like one, true of nobody",
        "low",
        "percent",
        lambda it: _made_up(it.read.leakage),
    ),
    Row(
        "Knows a secret said 16 times",
        "exposure in bits of planted ones; 1.4 is chance, near it is good",
        "low",
        "ratio",
        lambda it: _most_exposed(it.read.exposures),
    ),
)


def _made_up(found: Leakage | None) -> Measured | None:
    return _alone(found.looks_secret / found.asked if found.asked else math.nan) if found is not None else None


def _most_exposed(found: Exposures | None) -> Measured | None:
    """The highest mean of what was planted most often, in either side's turns."""
    if found is None or not found.planted:
        return None
    most = max(copies for _, copies in found.planted)
    return max((value for (_, copies), value in found.planted.items() if copies == most), key=lambda it: it.value)


def applying(report: Report) -> list[Row]:
    """The rows that have, or are void where they should have, a number for at least one system."""
    return [row for row in ROWS if any(row.get(system) is not None for system in report.systems)]


def voids(report: Report) -> list[tuple[str, str]]:
    """Which measures say nothing here, and why: (title, reason), each once."""
    found = {
        (row.title, why)
        for row in applying(report)
        for system in report.systems
        if (why := row.why(system)) and row.text(system) == "–"
    }
    return sorted(found)

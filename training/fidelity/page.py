"""The report as a page: one HTML file with its pictures in it, that asks nothing of any other place.

Knows nothing of how anything was measured. The page holds messages: it can be read by its owner alone, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from training.fidelity.charts import Mark, dots
from training.fidelity.handing import write_private
from training.fidelity.material import Measured
from training.fidelity.report import Report
from training.fidelity.rows import ROWS, Row, applying, voids, written
from training.fidelity.scores import SystemReport
from training.fidelity.systems import BASE, EXAMPLES, LABELS, NEAREST, OWNER, RANDOM, STRANGER, TWIN

_COLOURS = {TWIN: "#0072B2", BASE: "#D55E00", EXAMPLES: "#E69F00", NEAREST: "#009E73", RANDOM: "#56B4E9"}
_COLOURS |= {OWNER: "#222222", STRANGER: "#999999"}
_OTHERS = ("#CC79A7", "#7B4EA3", "#8C564B")
_DRAWN = ("Fidelity", "Taken for you", "Context fit", "Copies more than you", "Style divergence", "Bits per character")
_TILES = ("Fidelity", "Taken for you", "Context fit", "Copies more than you")
_CONTEXT_SHOWN = 4


def write_page(report: Report, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        DatasetError: it cannot be written.
    """
    write_private(path, page(report))


def page(report: Report) -> str:
    """The page as text."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files(__package__) / "page.html").read_text(encoding="utf-8"))
    rows = applying(report)
    return template.render(
        report=report,
        labels={system.name: _label(system) for system in report.systems},
        colours=_colours(report),
        tiles=_tiles(report),
        charts=[_chart(report, row) for row in rows if row.title in _DRAWN],
        traits=_traits(report),
        rows=[(row, [(row.text(system), row.interval(system)) for system in report.systems]) for row in rows],
        voids=voids(report),
        samples=[_sample(report, place) for place in range(len(report.samples))],
    )


def _label(system: SystemReport) -> str:
    return LABELS.get(system.name, system.name)


def _colours(report: Report) -> dict[str, str]:
    others = [system.name for system in report.systems if system.name not in _COLOURS]
    return _COLOURS | {name: _OTHERS[place % len(_OTHERS)] for place, name in enumerate(others)}


def _tiles(report: Report) -> list[dict[str, str]]:
    """The numbers to look at first, of the twin, or of the first that was measured."""
    first = report.system(TWIN) or report.systems[0]
    chosen = [row for row in ROWS if row.title in _TILES]
    return [
        {"title": row.title, "text": row.text(first), "interval": row.interval(first), "good": row.good}
        for row in chosen
        if row.get(first) is not None
    ]


def _chart(report: Report, row: Row) -> dict[str, Any]:
    colours = _colours(report)
    marks = [
        _mark(_label(system), found, row.text(system), colours[system.name], bold=system.name == TWIN)
        for system in report.systems
        if (found := row.get(system)) is not None
    ]
    picture = dots(marks, row.title, percent=row.form in ("percent", "points"))
    return {"title": row.title, "good": row.good, "picture": Markup(picture)}  # escaped where it is made


def _mark(label: str, found: Measured, text: str, colour: str, *, bold: bool) -> Mark:
    return Mark(label, found.value, found.low, found.high, text, colour, bold)


def _traits(report: Report) -> list[dict[str, Any]]:
    """For each habit how far each system is off, the owner's own past among them."""
    shown = [system for name in (TWIN, BASE, STRANGER, OWNER) if (system := report.system(name)) is not None]
    colours = _colours(report)
    names = [name for name, value in shown[0].style.by_trait.items() if math.isfinite(value)] if shown else []
    return [{"title": name, "picture": Markup(dots(_habit(name, shown, colours), name))} for name in names]


def _habit(trait: str, shown: Sequence[SystemReport], colours: dict[str, str]) -> list[Mark]:
    found = [(system, system.style.by_trait[trait]) for system in shown]
    labels = {system.name: "your own past" if system.name == OWNER else _label(system) for system in shown}
    return [
        Mark(labels[system.name], value, math.nan, math.nan, written(value, "bits"), colours[system.name])
        for system, value in found
    ]


def _sample(report: Report, place: int) -> dict[str, Any]:
    sample = report.samples[place]
    lines = [
        ("you" if turn.speaker == "owner" else "them", bubble.text)
        for turn in sample.context.conversation.turns
        for bubble in turn.bubbles
    ]
    order = [system.name for system in report.systems if system.name in sample.replies]
    return {
        "context": lines[-_CONTEXT_SHOWN:],
        "answers": [(name, LABELS.get(name, name), sample.replies[name]) for name in order],
        "true": sample.context.true.bubbles,
    }

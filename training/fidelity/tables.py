"""The report in a terminal: a table of systems and measures, what is void and why, and replies side by side.

Knows nothing of how anything was measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.fidelity.material import Bubbles
from training.fidelity.report import Report, Sample
from training.fidelity.rows import applying, voids
from training.fidelity.systems import BASE, EXAMPLES, LABELS, NEAREST, OWNER, RANDOM, STRANGER, TWIN
from twin.messages import Turn

_CONTEXT_SHOWN = 3
_SHORT = {TWIN: "twin", BASE: "base", EXAMPLES: "base +20", NEAREST: "nearest", RANDOM: "any past"}
_SHORT |= {STRANGER: "others", OWNER: "you"}
_SIDES = (BASE, NEAREST, TWIN)


def show(report: Report, console: Console, samples: int) -> None:
    """Print everything.

    Args:
        samples: how many moments side by side.
    """
    console.print(_numbers(report))
    for title, why in voids(report):
        console.print(f"[yellow]{escape(title)} says nothing here:[/yellow] {escape(why)}.", highlight=False)
    console.print(f"[dim]{_legend(report)}[/dim]", highlight=False)
    if samples and report.samples:
        console.print(_side_by_side(report.samples[:samples]))


def _numbers(report: Report) -> Table:
    who = f"Twin {report.version}" if report.version else "Replies"
    table = Table(
        title=f"{who} on {report.contexts:,} moments later than everything it learned from",
        title_justify="left",
        caption="±: give or take so much in 95 of 100 such samples of moments.",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("measure, and what is good", ratio=1, min_width=30, overflow="fold")
    for system in report.systems:
        table.add_column(escape(_SHORT.get(system.name, system.name)), justify="right", overflow="fold", max_width=9)
    for row in applying(report):
        cells = [
            row.text(system) + (f"\n[dim]{noise}[/dim]" if (noise := row.give_or_take(system)) else "")
            for system in report.systems
        ]
        table.add_row(f"[bold]{row.title.strip()}[/bold]\n[dim]{row.good}[/dim]", *cells)
    return table


def _legend(report: Report) -> str:
    explained = (BASE, EXAMPLES, NEAREST, RANDOM, STRANGER)
    named = [f"{_SHORT[its.name]}: {LABELS[its.name]}" for its in report.systems if its.name in explained]
    return "; ".join(named) + "."


def _side_by_side(samples: Sequence[Sample]) -> Table:
    names = [name for name in samples[0].replies if name in _SIDES or name not in LABELS]
    table = Table(title="The same moment, and what each answered", title_justify="left", show_lines=True)
    table.add_column("conversation so far (its end)", ratio=1, overflow="fold")
    for name in names:
        table.add_column(escape(LABELS.get(name, name)), ratio=1, overflow="fold")
    table.add_column("you, really", ratio=1, overflow="fold")
    for sample in samples:
        table.add_row(
            _said(sample.context.conversation.turns),
            *(_bubbles(sample.replies[name]) for name in names),
            _bubbles(sample.context.true.bubbles),
        )
    return table


def _said(turns: Sequence[Turn]) -> str:
    lines = [
        f"[dim]{'you' if turn.speaker == 'owner' else 'them'}:[/dim] {escape(bubble.text)}"
        for turn in turns
        for bubble in turn.bubbles
    ]
    return "\n".join(lines[-_CONTEXT_SHOWN:])


def _bubbles(texts: Bubbles) -> str:
    return "\n".join(f"• {escape(text)}" for text in texts) or "[dim](nothing)[/dim]"

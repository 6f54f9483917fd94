"""`twin ingest status`: what is stored, dialog by dialog, and what is known to be missing.

Knows nothing of how it came in; prints names, counts and times, never what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from ingest.standing import Run, Standing, last_runs, standings
from ingest.tables import dialog_as_json, out, shown, totals, totals_as_json
from twin.console import echo_json, printable
from twin.settings import load_settings
from twin.store import Store

_RUNS = 5


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def status(as_json: bool) -> None:
    """Show what is stored: per dialog its messages, your share, the first and the last, and what may be missing.

    The cursor is how far the live account was read: the newest message's id, and whether everything before it is there.
    """
    with Store.of(load_settings()) as store:
        found, runs = standings(store), last_runs(store, _RUNS)
    dialogs = [standing.dialog for standing in found]
    if as_json:
        told = [_as_json(standing) for standing in found]
        echo_json({**totals_as_json(dialogs), "dialogs": told, "last_runs": [_run_as_json(run) for run in runs]})
    elif not found:
        click.echo("Nothing is stored yet: bring in an export with `twin ingest export PATH`.")
    else:
        console = out()
        console.print(_table(found))
        for line in _notes(found):
            console.print(line)
        console.print(_run_table(runs))


def _as_json(standing: Standing) -> dict[str, Any]:
    return {
        **dialog_as_json(standing.dialog),
        "is_included": standing.dialog.is_included,
        "forgotten_before": None if standing.forgotten is None else standing.forgotten.isoformat(),
        "cursor": None if standing.cursor is None else asdict(standing.cursor),
        "gaps": {
            "older_unread": standing.is_behind,
            "outside_cursor": standing.outside,
            "unknown_replies": standing.unknown_replies,
        },
    }


def _run_as_json(run: Run) -> dict[str, Any]:
    return {**asdict(run), "finished_at": run.finished_at.isoformat()}


def _table(found: Sequence[Standing]) -> Table:
    dialogs = [standing.dialog for standing in found]
    plural = "" if len(found) == 1 else "s"
    table = Table(title=Text(f"{len(found):,} private dialog{plural} stored"), show_footer=True)
    table.add_column("dialog", footer="in all", overflow="fold")
    for heading, total in zip(("messages", "yours", "first", "last"), totals(dialogs), strict=True):
        table.add_column(heading, footer=total, justify="right", no_wrap=True)
    table.add_column("cursor", justify="right", no_wrap=True)
    table.add_column("gaps")
    for standing in found:
        table.add_row(
            _name(standing), *totals([standing.dialog]), _cursor(standing), Text(", ".join(_gaps(standing)) or "-")
        )
    return table


def _name(standing: Standing) -> Text:
    marks = ["excluded"] * (not standing.dialog.is_included)
    if standing.forgotten is not None:
        marks.append(f"forgotten before {standing.forgotten.astimezone():%Y-%m-%d}")
    text = Text(shown(standing.dialog))
    return text.append(f" ({', '.join(marks)})", style="yellow") if marks else text


def _cursor(standing: Standing) -> str:
    if standing.cursor is None:
        return "-"
    return f"{standing.cursor.newest_id}" + ("" if standing.cursor.is_complete else " …")


def _gaps(standing: Standing) -> list[str]:
    found = ["older unread"] * standing.is_behind
    if standing.outside:
        found.append(f"{standing.outside:,} outside")
    if standing.unknown_replies:
        found.append(f"{standing.unknown_replies:,} replies")
    return found


def _notes(found: Sequence[Standing]) -> list[str]:
    """What the words under "gaps" mean, as far as they occur."""
    notes = []
    if any(standing.is_behind for standing in found):
        notes.append("older unread: the live account holds older messages; `twin ingest telegram` goes on with them.")
    if any(standing.outside for standing in found):
        notes.append("outside: messages from exports, older or newer than what the live account has been read for.")
    if any(standing.unknown_replies for standing in found):
        notes.append("replies: answers to messages that are not stored (deleted, forgotten, or never brought in).")
    return notes


def _run_table(runs: Sequence[Run]) -> Table:
    table = Table("last runs", "finished")
    for heading in ("added", "updated", "unchanged"):
        table.add_column(heading, justify="right")
    for run in runs:
        counts = (f"{count:,}" for count in (run.added, run.updated, run.unchanged))
        table.add_row(Text(printable(run.source)), f"{run.finished_at.astimezone():%Y-%m-%d %H:%M}", *counts)
    return table

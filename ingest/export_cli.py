"""`twin ingest export`: chats that another program wrote into files.

Knows nothing of formats; prints names, counts and times, never what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ingest.desktop_export import PASSES, DesktopExport, locate
from ingest.pipeline import IngestReport
from ingest.pipeline import ingest as bring_in
from ingest.tables import dialog_as_json, dialog_table, out, totals_as_json
from twin.console import echo_json
from twin.settings import load_settings
from twin.store import Store

_ROWS = 20


@click.command("export")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--owner-id", type=click.IntRange(min=1), help="Your Telegram user id, if the export does not tell it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def export(path: Path, owner_id: int | None, as_json: bool) -> None:
    """Read a Telegram Desktop export (JSON): a file, or the folder with its result.json.

    Private dialogs with people come in, and nothing else; running it again adds only what is new.
    """
    settings = load_settings()
    file = locate(path)
    with _progress(file) as on_bytes:
        source = DesktopExport.open(file, owner_id, settings.owner.id, on_bytes)
        with Store.of(settings) as store:
            report = bring_in(source, store)
    if as_json:
        echo_json(report_as_json(report))
    else:
        _print_report(report)


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes read, on stderr, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("reading {task.fields[file]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=file.stat().st_size * PASSES, file=file.name)
        yield lambda count: bar.advance(task, count)


def report_as_json(report: IngestReport) -> dict[str, Any]:
    """A run's account as plain values; times in ISO 8601, UTC."""
    return {
        "source": report.source,
        "owner_id": report.owner.id,
        "owner_known_from": report.owner.known_from,
        "added": report.written.added,
        "updated": report.written.updated,
        "unchanged": report.written.unchanged,
        "skipped": report.skipped,
        "skipped_dialogs": report.skipped_dialogs,
        "inexact": report.inexact,
        **totals_as_json(report.dialogs),
        "dialogs": [dialog_as_json(dialog) for dialog in report.dialogs],
    }


def _print_report(report: IngestReport) -> None:
    console = out()
    written = report.written
    console.print(dialog_table(report.dialogs, f"from {report.source}", rows=_ROWS))
    console.print(
        f"{written.added:,} messages added, {written.updated:,} updated, {written.unchanged:,} there already."
        f" You are user {report.owner.id} (known from {report.owner.known_from})."
    )
    for title, counts in (
        ("Left out, messages", report.skipped),
        ("Left out, whole dialogs", report.skipped_dialogs),
        ("Kept, but not exactly", report.inexact),
    ):
        if counts:
            console.print(f"{title}: {', '.join(f'{count:,} {reason}' for reason, count in counts.items())}.")

"""`twin ingest`: bring private dialogs into the database, and see what is there.

Knows nothing of formats; prints names, counts and times, never what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ingest.desktop_export import PASSES, DesktopExport, locate
from ingest.pipeline import IngestReport
from ingest.pipeline import ingest as bring_in
from twin.console import echo_json
from twin.dialogs import Dialog
from twin.settings import load_settings
from twin.store import Store

_ROWS = 20


@click.group()
def ingest() -> None:
    """Bring your private dialogs into the database."""


@ingest.command("export")
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


@ingest.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def status(as_json: bool) -> None:
    """Show what is stored: per dialog its messages, your share, the first and the last."""
    with Store.of(load_settings()) as store:
        dialogs = store.dialogs()
    if as_json:
        echo_json({**_totals_as_json(dialogs), "dialogs": [_row_as_json(dialog) for dialog in dialogs]})
    elif not dialogs:
        click.echo("Nothing is stored yet: bring in an export with `twin ingest export PATH`.")
    else:
        _out().print(_table(dialogs, "what is stored", rows=len(dialogs)))


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
        **_totals_as_json(report.dialogs),
        "dialogs": [_row_as_json(dialog) for dialog in report.dialogs],
    }


def _totals_as_json(rows: Iterable[Dialog]) -> dict[str, Any]:
    rows = list(rows)
    return {
        "messages": sum(row.messages for row in rows),
        "owner_messages": sum(row.owner_messages for row in rows),
        "first_at": _iso(min((row.first_at for row in rows if row.first_at is not None), default=None)),
        "last_at": _iso(max((row.last_at for row in rows if row.last_at is not None), default=None)),
    }


def _row_as_json(row: Dialog) -> dict[str, Any]:
    return {
        "chat_id": row.chat_id,
        "name": row.name,
        "messages": row.messages,
        "owner_messages": row.owner_messages,
        "first_at": _iso(row.first_at),
        "last_at": _iso(row.last_at),
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _print_report(report: IngestReport) -> None:
    out = _out()
    written = report.written
    out.print(_table(report.dialogs, f"from {report.source}", rows=_ROWS))
    out.print(
        f"{written.added:,} messages added, {written.updated:,} updated, {written.unchanged:,} there already."
        f" You are user {report.owner.id} (known from {report.owner.known_from})."
    )
    for title, counts in (
        ("Left out, messages", report.skipped),
        ("Left out, whole dialogs", report.skipped_dialogs),
        ("Kept, but not exactly", report.inexact),
    ):
        if counts:
            out.print(f"{title}: {', '.join(f'{count:,} {reason}' for reason, count in counts.items())}.")


def _table(dialogs: Iterable[Dialog], title: str, rows: int) -> Table:
    """The first `rows` dialogs, one line for the others, and the totals."""
    dialogs = list(dialogs)
    table = Table("dialog", title=Text(f"{len(dialogs):,} private dialogs {title}"), show_footer=True)
    totals = _totals(dialogs)
    table.columns[0].footer = "in all"
    for heading, total in zip(("messages", "yours", "first", "last"), totals, strict=True):
        table.add_column(heading, footer=total, justify="right")
    for dialog in dialogs[:rows]:
        table.add_row(Text(_shown(dialog)), *_totals([dialog]))
    if len(dialogs) > rows:
        table.add_row(f"... and {len(dialogs) - rows:,} more", *_totals(dialogs[rows:]))
    return table


def _shown(dialog: Dialog) -> str:
    """The name without what would steer the terminal."""
    name = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in dialog.name or "")
    return name or f"deleted account {dialog.chat_id}"


def _totals(rows: list[Dialog]) -> tuple[str, str, str, str]:
    messages, owned = sum(row.messages for row in rows), sum(row.owner_messages for row in rows)
    first = min((row.first_at for row in rows if row.first_at is not None), default=None)
    last = max((row.last_at for row in rows if row.last_at is not None), default=None)
    share = f"{owned / messages:.0%}" if messages else "-"
    return f"{messages:,}", share, f"{first:%Y-%m-%d}" if first else "-", f"{last:%Y-%m-%d}" if last else "-"


def _out() -> Console:
    return Console(highlight=False, soft_wrap=True)

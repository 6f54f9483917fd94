"""`twin ingest export`: chats that another program wrote into files.

Knows nothing of formats; prints names, counts and times, never what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ingest.batch import Request, ingest_files
from ingest.finding import Found, find
from ingest.formats import FORMATS
from ingest.known import KnownFiles
from ingest.ownership import Claims
from ingest.pipeline import earlier_owner
from ingest.places import Place
from ingest.report import as_json, print_report
from ingest.source import Wishes
from twin.console import echo_json
from twin.settings import Settings, load_settings
from twin.store import Store


@click.command("export")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--owner-id", type=click.IntRange(min=1), help="Your Telegram user id, if no export tells it.")
@click.option("--dry-run", is_flag=True, help="Only tell what would come in.")
@click.option("--json", "is_json", is_flag=True, help="One JSON document instead of tables.")
def export(paths: tuple[Path, ...], owner_id: int | None, dry_run: bool, is_json: bool) -> None:
    """Read exports of Telegram Desktop (JSON): files, the folders with them, folders of such folders, zip archives.

    Private dialogs with people come in, and nothing else; running it again adds only what is new. What is in a zip
    archive is read where it is, and never unpacked.
    """
    bring_in(paths, owner_id, Wishes(), tuple(FORMATS), dry_run, is_json)


def bring_in(
    paths: Sequence[Path],
    owner_id: int | None,
    wishes: Wishes,
    formats: Sequence[str],
    is_rehearsal: bool,
    is_json: bool,
) -> None:
    """What all commands that read files do: find, read, tell; ends with exit code 2 if a file could not be read."""
    settings = load_settings()
    found = find(paths)
    with _store(settings, is_rehearsal) as store:
        claims = Claims(
            asked=owner_id,
            settings=settings.owner.id,
            earlier=earlier_owner(store),
            me=wishes.me,
            earlier_names=KnownFiles(store.db).names(),
        )
        with _progress(found) as on_bytes:
            outcomes = ingest_files(found, store, Request(wishes, claims, formats, is_rehearsal), on_bytes)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if len(outcomes) == len(errors) == 1:
        raise errors[0]
    if is_json:
        echo_json(as_json(outcomes, is_rehearsal))
    else:
        print_report(outcomes, is_rehearsal)
    for error in errors:
        click.secho(f"twin: {error}", err=True, fg="red")
    if errors:
        click.get_current_context().exit(2)


@contextmanager
def _store(settings: Settings, is_rehearsal: bool) -> Iterator[Store]:
    """The database; for a rehearsal without one, an empty one that leaves nothing behind."""
    with Store.scratch() if is_rehearsal and not settings.database.exists() else Store.of(settings) as store:
        yield store


@contextmanager
def _progress(found: Sequence[Found]) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes read, on stderr, if that is a terminal."""
    console = Console(stderr=True)
    files = [each for each in found if isinstance(each, Place)]
    shown = files[0].name if len(files) == 1 else f"{len(files)} files"
    columns = (TextColumn("reading {task.fields[files]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=sum(place.size for place in files) * 2, files=shown)
        yield lambda count: bar.advance(task, count)

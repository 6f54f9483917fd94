"""`twin ingest export`, `whatsapp` and `jsonl`: chats that another program wrote into files.

Knows nothing of formats; prints names, counts and times, never what was said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
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
from ingest.zones import machine_zone
from twin import search_index
from twin.console import echo_json, is_interactive, printable
from twin.settings import Settings, load_settings
from twin.store import Store

_PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
_OWNER_ID = click.option("--owner-id", type=click.IntRange(min=1), help="Your Telegram user id, if no export tells it.")
_ME = click.option("--me", metavar="NAME", help="Your name in WhatsApp, as it stands before your messages.")
_TIMEZONE = click.option(
    "--timezone", metavar="ZONE", help="Of times without a zone, as Europe/Berlin; else this machine's."
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only tell what would come in.")
_JSON = click.option("--json", "is_json", is_flag=True, help="One JSON document instead of tables.")


@click.command("export", short_help="Read exports of Telegram Desktop, WhatsApp and others.")
@_PATHS
@_OWNER_ID
@_ME
@_TIMEZONE
@_DRY_RUN
@_JSON
def export(
    paths: tuple[Path, ...],
    owner_id: int | None,
    me: str | None,
    timezone: str | None,
    dry_run: bool,
    is_json: bool,
) -> None:
    """Read exports: files, the folders they are in, folders of such folders, zip archives of any of them.

    Telegram Desktop's as JSON, WhatsApp's, and JSON lines are told apart by themselves. Private dialogs with people
    come in, and nothing else; running it again adds only what is new. What is in an archive is never unpacked.
    """
    bring_in(paths, tuple(FORMATS), Wishes(me, timezone or machine_zone()), owner_id, dry_run, is_json)


@click.command("whatsapp", short_help="Read chats that WhatsApp exported.")
@_PATHS
@_ME
@_TIMEZONE
@_DRY_RUN
@_JSON
def whatsapp(paths: tuple[Path, ...], me: str | None, timezone: str | None, dry_run: bool, is_json: bool) -> None:
    """Read chats that WhatsApp exported (Export chat, without media): text files, folders, zip archives."""
    bring_in(paths, ("whatsapp",), Wishes(me, timezone or machine_zone()), None, dry_run, is_json)


@click.command("jsonl", short_help="Read messages as JSON lines, from any program.")
@_PATHS
@_TIMEZONE
@_DRY_RUN
@_JSON
def jsonl(paths: tuple[Path, ...], timezone: str | None, dry_run: bool, is_json: bool) -> None:
    """Read JSON lines, a message each, from any program:

    \b
      {"chat": "Anna", "date": "2024-05-01T18:30:00Z",
       "sender": "Anna", "is_owner": false, "text": "hello"}

    A date may also be seconds since 1970. `id`, `chat_id`, `reply_to`, `edited`, `media`, `media_note`,
    `forwarded_from` and `via_bot` are understood, too; lines of no use are counted, each under its reason.
    """
    bring_in(paths, ("jsonl",), Wishes(None, timezone or machine_zone()), None, dry_run, is_json)


def bring_in(
    paths: Sequence[Path],
    formats: Sequence[str],
    wishes: Wishes,
    owner_id: int | None,
    is_rehearsal: bool,
    is_json: bool,
) -> None:
    """What all these commands do: find, read, tell; ends with exit code 2 if a file could not be read."""
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
        with _progress(found) as bar:
            if is_interactive() and not is_json:
                claims = replace(claims, choose=partial(_choose, bar))
            request = Request(wishes, claims, formats, is_rehearsal)
            outcomes = ingest_files(found, store, request, partial(bar.advance, bar.task_ids[0]))
        if not is_rehearsal:
            search_index.catch_up(store)
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


def _choose(bar: Progress, place: Place, names: Sequence[str]) -> str:
    """Ask which of the people in a file the owner is; the empty name if it is none of them."""
    bar.stop()
    click.echo(f"Who are you in {place}?")
    for number, name in enumerate(names, 1):
        click.echo(f"  {number}  {printable(name)}")
    if len(names) == 1:
        click.echo("  0  somebody else")
    number = click.prompt("Number", type=click.IntRange(len(names) > 1, len(names)))
    bar.start()
    return names[number - 1] if number else ""


@contextmanager
def _store(settings: Settings, is_rehearsal: bool) -> Iterator[Store]:
    """The database; for a rehearsal without one, an empty one that leaves nothing behind."""
    with Store.scratch() if is_rehearsal and not settings.database.exists() else Store.of(settings) as store:
        yield store


@contextmanager
def _progress(found: Sequence[Found]) -> Iterator[Progress]:
    """A bar over the bytes to be read, on stderr, if that is a terminal."""
    console = Console(stderr=True)
    files = [each for each in found if isinstance(each, Place)]
    shown = files[0].name if len(files) == 1 else f"{len(files)} files"
    columns = (TextColumn("reading {task.fields[files]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("", total=sum(place.size for place in files) * 2, files=shown)
        yield bar

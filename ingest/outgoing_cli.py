"""`twin export`: the stored history leaves, for another tool or another machine.

Knows nothing of shapes; prints counts, never what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingest import outgoing
from ingest.outgoing import Left, Selection
from ingest.writers import SHAPES
from twin.console import echo_json
from twin.dialogs import Dialogs
from twin.moments import since as from_then
from twin.moments import until as until_then
from twin.settings import load_settings
from twin.store import Store


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--dialog", "dialogs", multiple=True, metavar="NAME", help="Only this one: a name, @username or id.")
@click.option("--since", callback=from_then, metavar="DATE", help="Only from that day (or time) on.")
@click.option("--until", callback=until_then, metavar="DATE", help="Only to the end of that day, or before that time.")
@click.option("--format", "shape", type=click.Choice(list(SHAPES)), default="telegram", show_default=True)
@click.option("--scrub", is_flag=True, help="Replace passwords, numbers of cards and the like by placeholders.")
@click.option("--force", is_flag=True, help="Replace an export that is there already.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")
def export(
    out: Path,
    dialogs: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    shape: str,
    scrub: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write what is stored to OUT, which only you can read.

    \b
    telegram   a folder with a result.json as Telegram Desktop writes it; `twin ingest export OUT` brings all of it back
    jsonl      a file, a JSON object a message
    markdown   a folder, a page a dialog
    sqlite     a database with the tables dialogs and messages
    """
    settings = load_settings()
    with Store.of(settings) as store:
        chats = tuple(Dialogs(store.db).identify(name) for name in dialogs)
        selection = Selection(chats, since, until, scrub)
        owner = outgoing.teller(store, settings.owner)
        with _progress(outgoing.count(store, selection)) as on_messages:
            left = outgoing.export(store, out, shape, owner, selection, force=force, on_messages=on_messages)
    if as_json:
        echo_json({name: getattr(left, name) for name in ("dialogs", "messages", "replaced", "left_out")})
    else:
        _print(left, out, shape, is_scrubbed=scrub)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar over the messages, on stderr, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("writing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _print(left: Left, out: Path, shape: str, *, is_scrubbed: bool) -> None:
    click.echo(f"{left.messages:,} messages of {left.dialogs:,} dialogs are in {out} ({shape}).")
    if is_scrubbed:
        click.echo(
            f"Something was replaced in {left.replaced:,} of them;"
            f" {left.left_out:,} were left out, as they could not be examined."
        )
    else:
        click.echo("Passwords and the like stand in it as they were written; --scrub replaces them.")

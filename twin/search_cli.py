"""`twin search`: find messages by what was said.

Knows nothing of the index; prints what was found, for the owner's eyes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from twin import search_index
from twin.console import echo_json, printable
from twin.dialogs import Dialogs
from twin.excerpts import excerpt
from twin.moments import since as from_then
from twin.moments import until as until_then
from twin.search import Hit, Narrowing, Query
from twin.search import search as find
from twin.settings import load_settings
from twin.store import Store


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--dialog", "dialogs", multiple=True, metavar="NAME", help="Only there: a name, @username or id.")
@click.option("--mine/--theirs", "is_owner", default=None, help="Only what you said, or only what others said.")
@click.option("--since", callback=from_then, metavar="DATE", help="Only from that day (or time) on.")
@click.option("--until", callback=until_then, metavar="DATE", help="Only to the end of that day, or before that time.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def search(
    words: tuple[str, ...],
    dialogs: tuple[str, ...],
    is_owner: bool | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find messages in which all WORDS were said, in any language, newest first.

    \b
    twin search see you          both words, anywhere in a message
    twin search "see you"        the one right after the other
    twin search 'tomorr*'        every word that begins so
    """
    query = Query.parse(" ".join(map(_as_phrase, words)))
    with Store.of(load_settings()) as store:
        chats = tuple(Dialogs(store.db).identify(name) for name in dialogs)
        with progress(store) as on_progress:
            search_index.update(store, on_progress)
        hits = find(store, query, Narrowing(chats, is_owner, since, until), limit + 1)
    if as_json:
        echo_json({"hits": [_as_json(hit) for hit in hits[:limit]], "more": len(hits) > limit})
    elif not hits:
        click.echo("Nothing was found.")
    else:
        _print(hits[:limit], is_all=len(hits) <= limit)


def _as_phrase(argument: str) -> str:
    """What the shell's quotes held together is one phrase, unless it has quotes of its own."""
    return f'"{argument}"' if any(sign.isspace() for sign in argument.strip()) and '"' not in argument else argument


@contextmanager
def progress(store: Store) -> Iterator[Callable[[int], None]]:
    """A bar over what is to be indexed, on stderr, if that is a terminal and there is more than a moment's work."""
    count = search_index.pending(store)
    if count < search_index.BATCH:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("indexing for search"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=count)
        yield lambda done: bar.advance(task, done)


def _as_json(hit: Hit) -> dict[str, Any]:
    return {
        "chat_id": hit.chat_id,
        "message_id": hit.message_id,
        "dialog": hit.name,
        "sent_at": hit.sent_at.isoformat(),
        "is_owner": hit.is_owner,
        "deleted_at": None if hit.deleted_at is None else hit.deleted_at.isoformat(),
        "text": hit.text,
        "places": hit.places,
    }


def _print(hits: list[Hit], *, is_all: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="ellipsis", max_width=22, no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for hit in hits:
        words, places = excerpt(hit.text, hit.places)
        text = Text(words)
        for start, end in places:
            text.stylize("bold yellow", start, end)
        if hit.deleted_at is not None:
            text = Text.assemble(("deleted ", "red"), text)
        name = printable(hit.name or "") or f"deleted account {hit.chat_id}"
        when = f"{hit.sent_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(when, Text(name, style="cyan"), "you" if hit.is_owner else "them", text)
    console = Console(highlight=False)
    console.print(table)
    if not is_all:
        console.print("... and older ones: see them with --limit, or narrow it down with --since or --dialog.")

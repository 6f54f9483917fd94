"""`twin dialogs`: which dialogs count, and who people are to the owner.

Knows nothing of what was said.
"""

from __future__ import annotations

from typing import Any

import click

from twin.console import echo_json, printable
from twin.dialogs import Dialog, Dialogs
from twin.errors import StoreError
from twin.forgotten import Forgettings
from twin.settings import load_settings
from twin.store import Store

_LONGEST_RELATION = 40
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")


@click.group()
def dialogs() -> None:
    """Choose the dialogs that count, and tag who people are to you.

    NAME is a name or its beginning, an @username or an id.
    """


@dialogs.command("list")
@_JSON
def list_dialogs(as_json: bool) -> None:
    """Every dialog: who it is with, whether it counts, its language, and how much is stored."""
    with Store.of(load_settings()) as store:
        found = store.dialogs()
        forgotten = Forgettings(store.db).until()
    if as_json:
        echo_json([_as_json(dialog) for dialog in found])
    elif not found:
        click.echo("Nothing is stored yet: bring in an export with `twin ingest export PATH`.")
    else:
        _print(found, set(forgotten))


@dialogs.command()
@click.argument("name")
def include(name: str) -> None:
    """Let a dialog count again: later ingests bring it in, and trainings learn from it."""
    dialog = _set(name, is_included=True)
    click.echo(f"{_shown(dialog)} counts from now on.")


@dialogs.command()
@click.argument("name")
def exclude(name: str) -> None:
    """Leave a dialog out: later ingests do not bring it in, and trainings do not learn from it.

    What is stored stays; `twin forget` deletes it.
    """
    dialog = _set(name, is_included=False)
    click.echo(
        f"{_shown(dialog)} is left out from now on; its {dialog.messages:,} messages stay stored."
        " What learned from it already goes on as it is."
    )


@dialogs.command()
@click.argument("name")
@click.argument("relation", required=False)
@click.option("--none", "is_none", is_flag=True, help="Take the tag back.")
def tag(name: str, relation: str | None, is_none: bool) -> None:
    """Say what a person is to you (friend, mother, colleague ...): prompts may tell it to the twin."""
    if (relation is None) != is_none:
        raise click.UsageError("Give a relation, as in `twin dialogs tag Anna friend`, or --none to take it back.")
    relation = None if relation is None else _relation(relation)
    with Store.of(load_settings()) as store:
        table = Dialogs(store.db)
        dialog = table.find(name)
        table.tag(dialog.chat_id, relation)
    click.echo(f"{_shown(dialog)} is tagged {relation}." if relation else f"{_shown(dialog)} has no tag.")


def _relation(text: str) -> str:
    cleaned = " ".join(text.split())
    if not cleaned or len(cleaned) > _LONGEST_RELATION or not cleaned.isprintable():
        raise StoreError("That is no relation", f"give a word or two, at most {_LONGEST_RELATION} characters")
    return cleaned


def _set(name: str, *, is_included: bool) -> Dialog:
    with Store.of(load_settings()) as store:
        table = Dialogs(store.db)
        dialog = table.find(name)
        table.include(dialog.chat_id, is_included)
    return dialog


def _as_json(dialog: Dialog) -> dict[str, Any]:
    values = {name: getattr(dialog, name) for name in Dialog.__slots__}
    return values | {
        name: None if values[name] is None else values[name].isoformat() for name in ("first_at", "last_at")
    }


def _shown(dialog: Dialog) -> str:
    return printable(dialog.name or "") or f"deleted account {dialog.chat_id}"


def _print(found: list[Dialog], forgotten: set[int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    left_out = sum(not dialog.is_included for dialog in found)
    table = Table(title=f"{len(found):,} dialogs, {left_out:,} of them left out")
    for heading in ("dialog", "@username", "relation"):
        table.add_column(heading, overflow="fold")
    table.add_column("id", no_wrap=True)
    table.add_column("in", no_wrap=True)
    for heading in ("messages", "yours"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for dialog in found:
        marks = ["excluded"] * (not dialog.is_included) + ["forgotten"] * (dialog.chat_id in forgotten)
        table.add_row(
            Text(_shown(dialog)),
            Text(printable(dialog.username or "")),
            Text(printable(dialog.relation or "")),
            str(dialog.chat_id),
            dialog.language or "",
            f"{dialog.messages:,}",
            f"{dialog.owner_messages / dialog.messages:.0%}" if dialog.messages else "-",
            Text(", ".join(marks), style="yellow"),
        )
    Console(highlight=False).print(table)

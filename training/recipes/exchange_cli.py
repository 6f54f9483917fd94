"""`twin dataset import`, `export` and `sets`: conversations from other people's tools, and for them.

Knows only how to ask and how to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
from rich.console import Console

from training.cuts import SPLITS, Split
from training.recipes.account import Account
from training.recipes.burst import Lines
from training.recipes.exchange import FORMATS, READERS, bring_in, take_out
from training.recipes.options import FILE, JSON, WEIGHT, now
from training.recipes.records import Reading
from training.recipes.sets import MAX_WEIGHT, Sets
from training.recipes.shown import counting, say, sets_table, show_account, show_set
from training.snapshot import Snapshot, load, newest
from twin.console import echo_json
from twin.messages import Turn
from twin.settings import load_settings
from twin.store import Store


@click.command("import")
@click.argument("path", type=FILE)
@click.option("--format", "form", type=click.Choice(list(READERS)), required=True, help="How the file is written.")
@click.option("--name", required=True, help="What to call the set; one of that name is replaced.")
@WEIGHT
@click.option("--owner-role", help="Whose words are yours, as the file calls them; default: the assistant's.")
@click.option(
    "--lines",
    type=click.Choice(["bubbles", "inside"]),
    default="bubbles",
    show_default=True,
    help="What a newline is: the end of a bubble, or part of it. (openai: a message is a bubble.)",
)
@click.option("--strict", is_flag=True, help="Refuse the file if one record is bad.")
@JSON
def import_(
    path: Path,
    form: str,
    name: str,
    weight: float | None,
    owner_role: str | None,
    lines: str,
    strict: bool,
    as_json: bool,
) -> None:
    """Mix a file of foreign conversations into training, by weight.

    PATH is a JSON array or a record a line, packed with gzip or not; for chatml it may be plain text. Training sees
    the set from the next `twin dataset build` on; it is never held out, and never measured on.

    \b
    Example:
      twin dataset import --format sharegpt friends.json --name friends --weight 0.5
    """
    how = Reading(owner_role, cast(Lines, lines))
    with Store.of(load_settings()) as store, counting("records") as bar:
        info, account = bring_in(
            Sets(store.db),
            path,
            READERS[form],
            name=name,
            now=now(),
            how=how,
            weight=weight,
            strict=strict,
            on_record=lambda number: bar(number, None),
        )
    show_set(info, account, as_json)


@click.command("export")
@click.argument("out", type=FILE)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), required=True, help="How to write the file.")
@click.option("--split", type=click.Choice(list(SPLITS)), default="train", show_default=True, help="Which part.")
@click.option("--snapshot", help="A dataset's fingerprint; default: the one built last.")
@click.option("--set", "set_name", help="A set's rows instead of a snapshot's.")
@JSON
def export(out: Path, form: str, split: str, snapshot: str | None, set_name: str | None, as_json: bool) -> None:
    """Write a snapshot for other trainers.

    OUT ending in .json becomes a JSON array, anything else a record a line (chatml: plain text), .gz packs it. Words
    of yours that the snapshot withholds are never written as something to learn: openai marks them with "weight": 0,
    the others, which cannot say that, are cut before them and go on after them.

    \b
    Example:
      twin dataset export --format openai train.jsonl
    """
    settings = load_settings()
    account = Account()
    if set_name is not None:
        with Store.of(settings) as store:
            rows = ((row.turns, row.system) for row in Sets(store.db).rows(set_name))
            take_out(rows, FORMATS[form], out, account)
    else:
        found = load(settings.datasets, snapshot) if snapshot else newest(settings.datasets)
        take_out(_conversations(found, cast(Split, split), settings.base.system), FORMATS[form], out, account)
    if as_json:
        echo_json({"path": str(out), "format": form, **account.as_dict()})
        return
    say(
        f"{account.rows:,} records written: {account.turns:,} turns, {account.owner_turns:,} of them yours to learn,"
        f" {account.characters:,} characters."
    )
    show_account(account)


def _conversations(snapshot: Snapshot, split: Split, system: str) -> Iterator[tuple[tuple[Turn, ...], str]]:
    for session in snapshot.sessions(split):
        yield session.turns, system


@click.group()
def sets() -> None:
    """What is mixed into training beside your chats.

    \b
    Example:
      twin dataset sets weight friends 0.25
    """


@sets.command("list")
@JSON
def sets_list(as_json: bool) -> None:
    """Every set with its counts and its weight."""
    with Store.of(load_settings()) as store:
        found = Sets(store.db).all()
    if as_json:
        echo_json([info.as_dict() for info in found])
    elif found:
        Console(highlight=False, soft_wrap=True).print(sets_table(found))
    else:
        say("There are no sets yet: `twin dataset import` and the recipes of docs/recipes.md make them.")


@sets.command("weight")
@click.argument("name")
@click.argument("weight", type=click.FloatRange(0, MAX_WEIGHT))
@JSON
def sets_weight(name: str, weight: float, as_json: bool) -> None:
    """Let training see a set's rows more or less often; 0 is never."""
    with Store.of(load_settings()) as store:
        info = Sets(store.db).weigh(name, weight)
    if as_json:
        echo_json(info.as_dict())
    else:
        say(f"{info.name} has weight {info.weight:g} from the next `twin dataset build` on.")


@sets.command("remove")
@click.argument("name")
@JSON
def sets_remove(name: str, as_json: bool) -> None:
    """Delete a set with its rows."""
    with Store.of(load_settings()) as store:
        info = Sets(store.db).remove(name)
    if as_json:
        echo_json(info.as_dict())
    else:
        say(f"{info.name} is gone, {info.rows:,} rows.")

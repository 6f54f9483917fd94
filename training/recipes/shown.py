"""How recipes tell what came in: a table, what was left out by reason, or one JSON document.

Knows nothing of recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from training.recipes.account import Account
from training.recipes.sets import SetInfo
from twin.console import echo_json


def show_set(info: SetInfo, account: Account, as_json: bool, more: dict[str, Any] | None = None) -> None:
    """What became of a recipe: the set, and what did not come through."""
    if as_json:
        echo_json({"set": info.as_dict(), **account.as_dict(), **(more or {})})
        return
    table = Table(title=Text(f"Set {info.name}"), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for what, value in (
        ("made as", _kind(info)),
        ("from", clean(info.source)),
        ("rows", f"{info.rows:,}"),
        ("turns", f"{account.turns:,}"),
        ("turns of yours to learn", f"{info.owner_turns:,}"),
        ("characters of yours", f"{info.characters:,}"),
        ("weight in training", f"{info.weight:g}"),
    ):
        table.add_row(what, Text(value))
    out = _out()
    out.print(table)
    show_account(account)
    if info.weight == 0:
        out.print("Its weight is 0: training does not see it.")


def show_account(account: Account) -> None:
    """What did not come through, and what is worth knowing, a line each."""
    out = _out()
    for reason in account.reasons():
        out.print(Text(f"Left out: {reason}."))
    for note, count in account.notes.items():
        out.print(Text(f"{count:,} {note}."))


def sets_table(infos: Sequence[SetInfo]) -> Table:
    """Sets, a line each."""
    table = Table("set", "made as", title=Text(f"{len(infos):,} set{'s' * (len(infos) > 1)}"), title_justify="left")
    for name in ("rows", "your turns", "characters", "weight"):
        table.add_column(name, justify="right")
    for info in infos:
        counts = (f"{info.rows:,}", f"{info.owner_turns:,}", f"{info.characters:,}", f"{info.weight:g}")
        table.add_row(Text(info.name), _kind(info), *counts)
    return table


def _kind(info: SetInfo) -> str:
    return f"{info.kind}, synthetic" if info.is_synthetic else info.kind


def clean(name: str) -> str:
    """A name without what would steer the terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)


def say(text: str) -> None:
    """One line on stdout."""
    _out().print(Text(text))


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar over (done, in all) on stderr, if that is a terminal; None for as many as nobody knows."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _out() -> Console:
    return Console(highlight=False, soft_wrap=True)

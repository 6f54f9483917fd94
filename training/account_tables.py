"""Tables of `twin dataset build`: what became of every message and of every turn of the owner.

Knows nothing of how a dataset comes about, and prints no message text.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.reasons import FAILED, SUPERVISED, told
from training.snapshot import Account

NOT_SCRUBBED = (
    "Secrets are NOT taken out: privacy.scrub is false. Passwords, addresses and phone numbers in your messages"
    " will be learned, and may be said to others."
)


def warn(account: Account, console: Console) -> None:
    """Say loudly what an owner must not overlook."""
    if not account.scrub:
        console.print(Text(NOT_SCRUBBED, style="bold red"))
    if failed := account.messages.get(FAILED, 0):
        console.print(Text(f"{failed:,} messages could not be examined for secrets and are left out.", style="red"))


def show_account(account: Account, console: Console) -> None:
    """What became of every message, and of every turn of the owner."""
    messages = table("What became of the messages", "", "messages")
    for name, count in _kept_first(account.messages, "shown"):
        messages.add_row("in the dataset" if name == "shown" else f"left out: {name}", f"{count:,}")
    messages.add_section()
    messages.add_row("stored in all", f"{sum(account.messages.values()):,}")
    console.print(messages)
    turns = table("What became of your turns", "", *account.turns, *["mixed in"] * bool(account.set_turns))
    every = [*account.turns.values(), *[account.set_turns] * bool(account.set_turns)]
    total = {reason: sum(its.get(reason, 0) for its in every) for its in every for reason in its}
    for reason, _ in _kept_first(total, SUPERVISED):
        turns.add_row(told(reason), *(f"{its.get(reason, 0):,}" for its in every))
    console.print(turns)


def _kept_first(counts: Mapping[str, int], kept: str) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (item[0] != kept, -item[1], item[0]))


def table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table

"""Tables of `twin dataset build` and `twin dataset audit`: what became of everything, and what was found.

Knows nothing of how a dataset or an audit comes about, and prints no message text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.audit import Audit, Place
from training.scrubbing import FAILED
from training.snapshot import Account
from twin.console import printable

_PLACES = 15
_NOT_SCRUBBED = (
    "Secrets are NOT taken out: privacy.scrub is false. Passwords, addresses and phone numbers in your messages"
    " will be learned, and may be said to others."
)


def warn(account: Account, console: Console) -> None:
    """Say loudly what an owner must not overlook."""
    if not account.scrub:
        console.print(Text(_NOT_SCRUBBED, style="bold red"))
    if failed := account.messages.get(FAILED, 0):
        console.print(Text(f"{failed:,} messages could not be examined for secrets and are left out.", style="red"))


def show_account(account: Account, console: Console) -> None:
    """What became of every message, and of every turn of the owner."""
    messages = _table("What became of the messages", "", "messages")
    for name, count in _kept_first(account.messages, "shown"):
        messages.add_row("in the dataset" if name == "shown" else f"left out: {name}", f"{count:,}")
    messages.add_section()
    messages.add_row("stored in all", f"{sum(account.messages.values()):,}")
    console.print(messages)
    turns = _table("What became of your turns", "", *account.turns, *["mixed in"] * bool(account.set_turns))
    every = [*account.turns.values(), *[account.set_turns] * bool(account.set_turns)]
    total = {reason: sum(its.get(reason, 0) for its in every) for its in every for reason in its}
    for reason, _ in _kept_first(total, "supervised"):
        said = "learned from, or held out" if reason == "supervised" else f"not learned from: {reason}"
        turns.add_row(said, *(f"{its.get(reason, 0):,}" for its in every))
    console.print(turns)


def show_audit(found: Audit, vault: Path, console: Console) -> None:
    """What was found, with masked previews, and where."""
    if not found.found:
        console.print("No secrets were found in your messages.")
    else:
        _show_found(found, console)
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.items()) or "none"
    console.print(f"Messages that training sees with placeholders: {found.replaced:,}; never: {left_out}.")
    not_looked = ", ".join(f"{count:,} {reason}" for reason, count in found.dialogs.items() if reason != "used")
    if not_looked:
        console.print(f"Dialogs not looked at, as they are left out: {not_looked}.")
    console.print(f"The guard of replies knows them by their keyed hashes in {vault}.", highlight=False, soft_wrap=True)
    if not found.scrub:
        console.print(Text(_NOT_SCRUBBED, style="bold red"))


def _show_found(found: Audit, console: Console) -> None:
    kinds = _table("Secrets found in your messages", "kind", "times")
    kinds.add_column("such as")
    for label, count in found.found.items():
        kinds.add_row(_kind(label), f"{count:,}", Text("  ".join(printable(e) for e in found.examples[label])))
    console.print(kinds)
    where = _table("Where they stand", "dialog", "secrets")
    where.add_column("kinds")
    for place in found.places[:_PLACES]:
        kinds_here = ", ".join(f"{count:,} {_kind(label)}" for label, count in place.found.items())
        where.add_row(
            Text(_name(place), overflow="ellipsis", no_wrap=True), f"{sum(place.found.values()):,}", kinds_here
        )
    if rest := found.places[_PLACES:]:
        where.add_row(f"... and {len(rest):,} more", f"{sum(sum(place.found.values()) for place in rest):,}", "")
    console.print(where)


def _name(place: Place) -> str:
    if place.chat_id is None:
        return f"set {printable(place.name or '')}"
    return printable(place.name).strip() if place.name and place.name.strip() else f"dialog {place.chat_id}"


def _kind(label: str) -> str:
    return label.lower().replace("_", " ")


def _kept_first(counts: Mapping[str, int], kept: str) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (item[0] != kept, -item[1], item[0]))


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table

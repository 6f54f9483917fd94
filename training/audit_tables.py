"""Tables of `twin dataset audit`: which secrets were found, masked, and where.

Knows nothing of how they were found, and prints no message text.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from training.account_tables import NOT_SCRUBBED, table
from training.audit import Audit, Place
from twin.console import printable

_PLACES = 15


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
    if found.found:
        console.print(f"The guard of replies knows them by keyed hashes in {vault}.", highlight=False, soft_wrap=True)
    if not found.scrub:
        console.print(Text(NOT_SCRUBBED, style="bold red"))


def _show_found(found: Audit, console: Console) -> None:
    kinds = table("Secrets found in your messages", "kind", "times")
    kinds.add_column("such as")
    for label, count in found.found.items():
        kinds.add_row(_kind(label), f"{count:,}", Text("  ".join(printable(e) for e in found.examples[label])))
    console.print(kinds)
    where = table("Where they stand", "dialog", "secrets")
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

"""The account of a live ingest, as tables and as plain values: names and counts, never what was said.

Knows nothing of networks or databases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from ingest.tables import out
from ingest.telegram_account import Person, RemoteDialog
from ingest.telegram_pull import Pulled
from ingest.telegram_rows import Counts
from twin.console import printable

_ROWS = 20


@dataclass(frozen=True, slots=True)
class LiveReport:
    """What a run came to.

    Attributes:
        pulled: every dialog that was looked at.
        left_out: how many dialogs were not, by reason.
        was_stopped: whether somebody stopped it before it was through.
        by_takeout: whether it went as an export of the owner's data.
    """

    owner: Person
    pulled: tuple[Pulled, ...]
    left_out: Counter[str] = field(default_factory=Counter)
    was_stopped: bool = False
    by_takeout: bool = False

    @property
    def counts(self) -> Counts:
        """All dialogs together."""
        total = Counts()
        for pulled in self.pulled:
            total += pulled.counts
        return total

    def summary(self) -> dict[str, Any]:
        """The sums, without names: for the job queue."""
        counts = self.counts
        return {
            "dialogs": len(self.pulled),
            "added": counts.added,
            "updated": counts.updated,
            "deleted": counts.deleted,
            "refused": sum(pulled.refusal is not None for pulled in self.pulled),
        }

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        counts = self.counts
        return {
            "source": "telegram",
            "owner_id": self.owner.id,
            "stopped": self.was_stopped,
            "takeout": self.by_takeout,
            "added": counts.added,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "deleted": counts.deleted,
            "skipped": dict(counts.skipped.most_common()),
            "skipped_dialogs": dict(self.left_out.most_common()),
            "dialogs": [_as_json(pulled) for pulled in self.pulled],
        }


def print_report(report: LiveReport) -> None:
    """Tables on stdout."""
    console, counts = out(), report.counts
    changed = [pulled for pulled in report.pulled if pulled.counts.changed or pulled.refusal]
    changed.sort(key=lambda pulled: (-pulled.counts.added, -pulled.counts.changed, pulled.dialog.chat_id))
    if changed:
        console.print(_table(changed, counts, len(report.pulled)))
        console.print(
            f"{counts.added:,} messages added, {counts.updated:,} updated, {counts.deleted:,} marked as deleted,"
            f" {counts.unchanged:,} there already. You are user {report.owner.id}."
        )
    else:
        looked = f"; {counts.unchanged:,} messages were looked at again" if counts.unchanged else ""
        console.print(f"Nothing is new in {_many(len(report.pulled), 'private dialog')}{looked}.")
    for title, reasons in (
        ("Left out, messages", counts.skipped),
        ("Left out, whole dialogs", report.left_out),
        ("Refused by Telegram", Counter(pulled.refusal for pulled in changed if pulled.refusal)),
    ):
        if reasons:
            told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
            console.print(f"{title}: {told}.", markup=False)
    if report.was_stopped:
        console.print("Stopped. What came in is kept; run it again to go on.")


def print_choice(dialogs: Sequence[RemoteDialog], totals: dict[int, int], left_out: Counter[str]) -> None:
    """What a first pull would bring in, on stdout: the longest dialogs, a line for the others, and the totals."""
    ordered = sorted(dialogs, key=lambda dialog: (-totals[dialog.chat_id], dialog.chat_id))
    table = Table("dialog", title=Text(f"{_many(len(dialogs), 'private dialog')} to bring in"), show_footer=True)
    table.columns[0].footer = "in all"
    table.add_column("messages", footer=f"{sum(totals.values()):,}", justify="right")
    for dialog in ordered[: _ROWS * 2]:
        table.add_row(Text(shown(dialog)), f"{totals[dialog.chat_id]:,}")
    if rest := ordered[_ROWS * 2 :]:
        table.add_row(f"... and {len(rest):,} more", f"{sum(totals[dialog.chat_id] for dialog in rest):,}")
    console = out()
    console.print(table)
    if left_out:
        told = ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common())
        console.print(f"Left out: {told}.", markup=False)


def shown(dialog: RemoteDialog) -> str:
    """A dialog's name without what would steer the terminal."""
    return printable(dialog.name or "") or f"deleted account {dialog.chat_id}"


def _table(changed: Sequence[Pulled], counts: Counts, of: int) -> Table:
    title = f"{len(changed):,} of {_many(of, 'private dialog')} changed"
    table = Table("dialog", title=Text(title), show_footer=True)
    table.columns[0].footer = "in all"
    sums = (counts.added, counts.updated, counts.deleted, counts.skipped.total())
    for heading, total in zip(("new", "edited", "deleted", "left out"), sums, strict=True):
        table.add_column(heading, footer=f"{total:,}", justify="right")
    for pulled in changed[:_ROWS]:
        table.add_row(Text(shown(pulled.dialog)), *_cells([pulled]))
    if rest := changed[_ROWS:]:
        table.add_row(f"... and {len(rest):,} more", *_cells(rest))
    return table


def _cells(rows: Iterable[Pulled]) -> tuple[str, ...]:
    total = Counts()
    for row in rows:
        total += row.counts
    return tuple(
        f"{count:,}" if count else "" for count in (total.added, total.updated, total.deleted, total.skipped.total())
    )


def _as_json(pulled: Pulled) -> dict[str, Any]:
    return {
        "chat_id": pulled.dialog.chat_id,
        "name": pulled.dialog.name,
        "added": pulled.counts.added,
        "updated": pulled.counts.updated,
        "unchanged": pulled.counts.unchanged,
        "deleted": pulled.counts.deleted,
        "skipped": dict(pulled.counts.skipped.most_common()),
        "is_complete": pulled.is_complete,
        "refused": pulled.refusal,
    }


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"

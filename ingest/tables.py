"""Dialogs as tables and as plain values: names, counts and times, never what was said.

Knows nothing of where the dialogs come from.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twin.console import printable
from twin.dialogs import Dialog


def totals_as_json(rows: Iterable[Dialog]) -> dict[str, Any]:
    """Messages, the owner's share of them, the first and the last; times in ISO 8601, UTC."""
    rows = list(rows)
    return {
        "messages": sum(row.messages for row in rows),
        "owner_messages": sum(row.owner_messages for row in rows),
        "first_at": _iso(min((row.first_at for row in rows if row.first_at is not None), default=None)),
        "last_at": _iso(max((row.last_at for row in rows if row.last_at is not None), default=None)),
    }


def dialog_as_json(row: Dialog) -> dict[str, Any]:
    """One dialog as plain values; times in ISO 8601, UTC."""
    return {
        "chat_id": row.chat_id,
        "name": row.name,
        "messages": row.messages,
        "owner_messages": row.owner_messages,
        "first_at": _iso(row.first_at),
        "last_at": _iso(row.last_at),
    }


def dialog_table(dialogs: Iterable[Dialog], title: str, rows: int) -> Table:
    """The first `rows` dialogs, one line for the others, and the totals."""
    dialogs = list(dialogs)
    plural = "" if len(dialogs) == 1 else "s"
    table = Table("dialog", title=Text(f"{len(dialogs):,} private dialog{plural} {title}"), show_footer=True)
    footers = totals(dialogs)
    table.columns[0].footer = "in all"
    for heading, total in zip(("messages", "yours", "first", "last"), footers, strict=True):
        table.add_column(heading, footer=total, justify="right")
    for dialog in dialogs[:rows]:
        table.add_row(Text(shown(dialog), no_wrap=True, overflow="ellipsis"), *totals([dialog]))
    if len(dialogs) > rows:
        table.add_row(f"... and {len(dialogs) - rows:,} more", *totals(dialogs[rows:]))
    return table


def shown(dialog: Dialog) -> str:
    """The name without what would steer the terminal."""
    return printable(dialog.name or "") or f"deleted account {dialog.chat_id}"


def out() -> Console:
    """Where results go."""
    return Console(highlight=False, soft_wrap=True)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def totals(rows: list[Dialog]) -> tuple[str, str, str, str]:
    """Messages, the owner's share of them, the days of the first and the last (UTC), as they are shown."""
    messages, owned = sum(row.messages for row in rows), sum(row.owner_messages for row in rows)
    first = min((row.first_at for row in rows if row.first_at is not None), default=None)
    last = max((row.last_at for row in rows if row.last_at is not None), default=None)
    share = f"{owned / messages:.0%}" if messages else "-"
    return f"{messages:,}", share, f"{first:%Y-%m-%d}" if first else "-", f"{last:%Y-%m-%d}" if last else "-"

"""How complete each stored dialog is, as far as that can be known: cursors of the live account, and what is missing.

Knows nothing of terminals. A long silence is no gap: people are silent. What can be known is this: the live account has
not been read back to the start of a dialog; messages lie outside of what it has read (an export brought them, and
between them something may be missing); and messages answer others that are not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from twin.cursors import Cursor, Cursors
from twin.dialogs import Dialog
from twin.forgotten import Forgettings
from twin.store import Store

_OUTSIDE = """
select c.chat_id, (select count(*) from messages m where m.chat_id = c.chat_id
    and (m.message_id < c.oldest_id or m.message_id > c.newest_id))
from cursors c
"""
_UNKNOWN_REPLIES = """
select m.chat_id, count(*) from messages m
where m.reply_to is not null
    and not exists (select 1 from messages r where r.chat_id = m.chat_id and r.message_id = m.reply_to)
group by m.chat_id
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """One dialog with what is known of its completeness.

    Attributes:
        cursor: how far the live account was read; None when only files brought this dialog.
        outside: messages older or newer than what the cursor covers; 0 without a cursor.
        unknown_replies: messages that answer one which is not stored (deleted, forgotten, or never brought in).
        forgotten: the time before which its messages are forgotten (aware UTC); None when nothing is.
    """

    dialog: Dialog
    cursor: Cursor | None
    outside: int
    unknown_replies: int
    forgotten: datetime | None

    @property
    def is_behind(self) -> bool:
        """Whether the live account holds older messages that were not read yet."""
        return self.cursor is not None and not self.cursor.is_complete


@dataclass(frozen=True, slots=True)
class Run:
    """One finished ingest: where from, when (aware UTC), and what became of how many messages."""

    source: str
    finished_at: datetime
    added: int
    updated: int
    unchanged: int


def standings(store: Store) -> list[Standing]:
    """Every dialog, most messages first."""
    cursors, forgotten = Cursors(store.db).all(), Forgettings(store.db).until()
    outside: Mapping[int, int] = dict(store.db.execute(_OUTSIDE).fetchall())
    replies: Mapping[int, int] = dict(store.db.execute(_UNKNOWN_REPLIES).fetchall())
    return [
        Standing(
            dialog=dialog,
            cursor=cursors.get(dialog.chat_id),
            outside=outside.get(dialog.chat_id, 0),
            unknown_replies=replies.get(dialog.chat_id, 0),
            forgotten=forgotten.get(dialog.chat_id),
        )
        for dialog in store.dialogs()
    ]


def last_runs(store: Store, limit: int) -> list[Run]:
    """The latest finished ingests, newest first."""
    rows: list[tuple[Any, ...]] = store.db.execute(
        "select source, finished_at, added, updated, unchanged from ingest_runs order by id desc limit ?", [limit]
    ).fetchall()
    return [Run(source, datetime.fromtimestamp(at, UTC), *counts) for source, at, *counts in rows]

"""The full-text index of the messages: SQLite's FTS5, brought up to date in short steps.

Knows nothing of queries. Triggers of the schema take out what changed and note what is to be indexed (see the migration
m010), so that whoever writes messages need not know that there is an index.

A row holds a message's tokens (twin/segmenting.py) and its tags, which are tokens too: searching one dialog, or only
what the owner said, then costs no more than one word more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twin.errors import StoreError
from twin.segmenting import segment
from twin.store import Store

BATCH = 5_000
ID_BITS = 25
_A_MOMENTS_WORK = 30_000
MINE, THEIRS = "mine", "theirs"

_PENDING = "select p.id, m.chat_id, m.sent_at, m.is_owner, m.text from search_pending p left join messages m using (id)"


def dialog_tag(chat_id: int) -> str:
    """The token that every message of a dialog is found by."""
    return f"d{chat_id}" if chat_id >= 0 else f"dm{-chat_id}"


def row_id(sent_at: int, message_row: int) -> int:
    """Where a message stands in the index: by time, then by its row in `messages`."""
    return (sent_at << ID_BITS) | (message_row & ((1 << ID_BITS) - 1))


def pending(store: Store) -> int:
    """How many messages are not in the index yet."""
    return int(store.db.execute("select count(*) from search_pending").fetchone()[0])


def update(store: Store, on_progress: Callable[[int], None] = lambda _: None, batch: int = BATCH) -> int:
    """Index what is pending; may be called by several processes at once, and broken off at any time.

    Cutting texts takes longest and locks nothing; then a batch is written in one short transaction, which leaves out
    what changed meanwhile: it is pending again.

    Args:
        on_progress: told how many messages were dealt with, batch by batch.

    Returns:
        how many messages were indexed.

    Raises:
        StoreError: the database could not be written; the index holds what was indexed so far.
    """
    indexed = 0
    try:
        while rows := store.db.execute(f"{_PENDING} order by p.id limit ?", [batch]).fetchall():
            made = {row: _entry(row) for row in rows if row[1] is not None}
            with store.atomic():
                now = store.db.execute(f"{_PENDING} where p.id between ? and ?", [rows[0][0], rows[-1][0]]).fetchall()
                entries = sorted(made[row] for row in now if row in made)  # FTS5 wants ascending rows
                store.db.conn.executemany("insert into search (rowid, text, tags, id) values (?, ?, ?, ?)", entries)
                done = [(row[0],) for row in now if row in made or row[1] is None]
                store.db.conn.executemany("delete from search_pending where id = ?", done)
            indexed += len(entries)
            on_progress(len(done))
    except sqlite3.Error as error:
        raise StoreError(
            f"The search index could not be written ({error})", "free disk space or try again later"
        ) from error
    return indexed


def catch_up(store: Store) -> None:
    """Index what an ingest brought, if that is a matter of a second or two; the next search does the rest.

    It never fails: what could not be indexed is pending still.
    """
    if pending(store) <= _A_MOMENTS_WORK:
        with suppress(StoreError):
            update(store)


def compact(store: Store) -> None:
    """Merge the whole index into one piece: words of deleted messages are gone from it afterwards."""
    with store.atomic():
        store.db.conn.execute("insert into search (search) values ('optimize')")


def _entry(row: tuple[Any, ...]) -> tuple[int, str, str, int]:
    message_row, chat_id, sent_at, is_owner, text = row
    tags = f"{dialog_tag(chat_id)} {MINE if is_owner else THEIRS}"
    return row_id(sent_at, message_row), segment(text), tags, message_row

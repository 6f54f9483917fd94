"""What Telegram holds of a stretch of a dialog, against what is stored of it: which messages are gone, which stand.

Knows nothing of Telegram's client or of texts; it sees ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored row, as far as it matters here: when it was sent (UTC epoch seconds), and what it is marked with."""

    sent_at: int
    is_deleted: bool
    has_reactions: bool


_SELECT = "select message_id, sent_at, deleted_at is not null, reactions is not null from messages where chat_id = ?"


def stored_between(db: Database, chat_id: int, low: int, high: int) -> dict[int, Stored]:
    """The rows of a dialog with `low` <= message id <= `high`, by message id."""
    return _stored(db.execute(f"{_SELECT} and message_id between ? and ?", [chat_id, low, high]))


def stored_of(db: Database, chat_id: int, message_ids: Iterable[int]) -> dict[int, Stored]:
    """The rows of these messages, by message id."""
    wanted = json.dumps(list(message_ids))
    return _stored(db.execute(f"{_SELECT} and message_id in (select value from json_each(?))", [chat_id, wanted]))  # noqa: S608 - constants of this module


def _stored(rows: Iterable[Any]) -> dict[int, Stored]:
    return {row[0]: Stored(row[1], bool(row[2]), bool(row[3])) for row in rows}


def gone(stored: Mapping[int, Stored], standing: Iterable[int], since: datetime | None) -> list[int]:
    """Ids of rows (sent since then, or whenever) that Telegram no longer has and that are not marked yet."""
    there, after = set(standing), 0.0 if since is None else since.timestamp()
    return [
        message_id
        for message_id, row in stored.items()
        if message_id not in there and not row.is_deleted and row.sent_at >= after
    ]


def correct(db: Database, chat_id: int, stored: Mapping[int, Stored], standing: Mapping[int, bool]) -> int:
    """Take back what Telegram contradicts: a deletion of a message that stands, reactions that were withdrawn.

    Args:
        standing: what Telegram has, by message id, and whether anybody reacted to it.

    Returns:
        how many rows changed.
    """
    changed = 0
    alive = [message_id for message_id in standing if message_id in stored and stored[message_id].is_deleted]
    quiet = [
        message_id
        for message_id, has_reactions in standing.items()
        if not has_reactions and message_id in stored and stored[message_id].has_reactions
    ]
    for column, message_ids in (("deleted_at", alive), ("reactions", quiet)):
        update = f"update messages set {column} = null where chat_id = ? and message_id = ?"  # noqa: S608 - constants
        changed += sum(db.conn.execute(update, (chat_id, message_id)).rowcount for message_id in message_ids)
    return changed


def newest_of(db: Database, chat_id: int) -> tuple[int, int]:
    """The highest message id of a dialog, and when its latest message was sent (UTC epoch seconds); zeros for none."""
    row = db.execute(
        "select (select max(message_id) from messages where chat_id = :chat_id),"
        " (select max(sent_at) from messages where chat_id = :chat_id)",
        {"chat_id": chat_id},
    ).fetchone()
    return int(row[0] or 0), int(row[1] or 0)


def chats_of(db: Database, message_ids: Iterable[int]) -> dict[int, int]:
    """To which dialog of the live account messages belong, by message id: its dialogs share one counter of ids."""
    found = {}
    for message_id in message_ids:
        row = db.execute(
            "select m.chat_id from cursors c cross join messages m on m.chat_id = c.chat_id and m.message_id = ?",
            [message_id],
        ).fetchone()
        if row is not None:
            found[message_id] = row[0]
    return found

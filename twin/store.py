"""Messages and dialogs in the SQLite file: read, and written without loss or repetition.

Knows nothing of exports, models or Telegram; jobs, promotions and the bot's tables have rooms of their own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from twin.database import open_database, scratch_database
from twin.dialogs import Dialog, Dialogs
from twin.keys import database_key
from twin.merging import CREATE_STAGE, DROP_FORGOTTEN, STAGE, TOLD, UPSERT_STAGED
from twin.messages import Message
from twin.settings import Settings

_FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class Written:
    """What writing messages did: rows added, rows changed, rows that were there already."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0


class Store:
    """Messages and dialogs over one database connection.

    Use as a context manager, or call `close`. Not to be shared between threads.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    @classmethod
    def open(cls, path: Path) -> Store:
        """A plain database; see `open_database`."""
        return cls(open_database(path))

    @classmethod
    def of(cls, settings: Settings, *, any_thread: bool = False) -> Store:
        """The home's database, encrypted or not as the settings say; see `open_database` and `database_key`."""
        return cls(open_database(settings.database, database_key(settings), any_thread=any_thread))

    @classmethod
    def scratch(cls) -> Store:
        """An empty one that leaves nothing behind."""
        return cls(scratch_database())

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All of it or nothing: rolled back on any error.

        Takes the write lock at once: a transaction that read first could not wait for another writer later
        (SQLITE_BUSY_SNAPSHOT, https://www.sqlite.org/isolation.html).
        """
        if self.db.conn.in_transaction:
            with self.db.atomic():
                yield
            return
        self.db.conn.execute("begin immediate")
        try:
            yield
            self.db.conn.execute("commit")
        except BaseException:
            self.db.rollback()
            raise

    @property
    def dialog_table(self) -> Dialogs:
        """The dialogs themselves: names, tags, which of them count."""
        return Dialogs(self.db)

    def add_dialog(self, chat_id: int, name: str | None, username: str | None = None) -> None:
        """See `Dialogs.add`."""
        Dialogs(self.db).add(chat_id, name, username)

    def mark_deleted(self, chat_id: int, message_ids: Iterable[int], at: datetime) -> int:
        """Mark messages as seen deleted; the rows stay. Returns how many were newly marked."""
        with self.atomic():
            cursor = self.db.conn.executemany(
                "update messages set deleted_at = ? where chat_id = ? and message_id = ? and deleted_at is null",
                [(int(at.timestamp()), chat_id, message_id) for message_id in message_ids],
            )
        return int(cursor.rowcount)

    def write_messages(self, messages: Sequence[Message]) -> int:
        """Insert messages, or update rows that differ, all or none: `stage` and `write_staged` in one.

        Returns:
            how many rows were inserted or changed.
        """
        with self.staging(), self.atomic():
            self.stage(messages)
            return self.write_staged()

    @contextmanager
    def staging(self) -> Iterator[None]:
        """While it lasts, `stage` takes messages in: into a file of this connection's own, gone at the end.

        However long that takes, the database is not locked, and other connections may write.
        """
        self.db.execute(CREATE_STAGE)
        try:
            yield
        finally:
            self.db.execute("drop table if exists temp.incoming")

    def stage(self, messages: Sequence[Message]) -> None:
        """Put messages with those that `write_staged` will write."""
        with self.db.atomic():  # not `self.atomic`, which locks the database
            self.db.conn.executemany(STAGE, [row_of(message) for message in messages])

    def leave_out_forgotten(self) -> int:
        """Drop from the stage what the owner wanted forgotten; `write_staged` does it in any case.

        Call it within the transaction of `write_staged`, to tell how many messages are left out for that reason.
        """
        return int(self.db.conn.execute(DROP_FORGOTTEN).rowcount)

    def write_staged(self) -> int:
        """Insert the staged messages in their order, or update rows that differ; the same again changes nothing.

        What was edited later wins, so that an old export never takes back an edit that a newer one brought; the text
        before the first edit is kept, and of two sightings of one version the richer. What the owner wanted forgotten
        stays forgotten. The messages' dialogs must be known.

        Returns:
            how many rows were inserted or changed.
        """
        with self.atomic():
            self.leave_out_forgotten()
            return int(self.db.conn.execute(UPSERT_STAGED).rowcount)  # not `total_changes`, which counts triggers

    def record_ingest(self, source: str, owner_id: int, written: Written, skipped: Mapping[str, int]) -> None:
        """Keep the account of one finished ingest run."""
        self.db.table("ingest_runs").insert(
            {
                "source": source,
                "owner_id": owner_id,
                "finished_at": int(time.time()),
                "added": written.added,
                "updated": written.updated,
                "unchanged": written.unchanged,
                "skipped": dict(skipped),
            }
        )

    def dialogs(self) -> list[Dialog]:
        """See `Dialogs.all`."""
        return Dialogs(self.db).all()

    def messages(self, chat_id: int) -> list[Message]:
        """One dialog's messages, oldest first."""
        return list(self.each_message(chat_id))

    def each_message(
        self, chat_id: int, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Message]:
        """One dialog's messages, oldest first and one at a time: from `since` on, and before `until`."""
        rows = self.db.conn.execute(
            f"select {', '.join(TOLD)} from messages"  # noqa: S608 - constants
            " where chat_id = ? and sent_at >= ? and sent_at < ? order by sent_at, message_id",
            [chat_id, *time_range(since, until)],
        )
        return map(_message, rows)

    def owner_messages(self) -> int:
        """How many messages of the owner are stored."""
        return int(self.db.execute("select coalesce(sum(is_owner), 0) from messages").fetchone()[0])

    def owner_turns(self) -> int:
        """How many turns of the owner are stored: runs of messages that nobody else's interrupt, however long
        the silence between them. Measures what is new since a training."""
        return int(
            self.db.execute(
                "select count(*) from (select is_owner, lag(is_owner, 1, 0)"
                " over (partition by chat_id order by sent_at, message_id) as was_owner from messages)"
                " where is_owner and not was_owner"
            ).fetchone()[0]
        )

    def message_count(self) -> int:
        """How many messages are stored."""
        return int(self.db.execute("select count(*) from messages").fetchone()[0])


def time_range(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Both ends as the tables hold times: UTC epoch seconds, rounded up; far away where there is none."""
    return -_FAR if since is None else _seconds(since), _FAR if until is None else _seconds(until)


def _seconds(time: datetime) -> int:
    return math.ceil(time.timestamp())


def row_of(message: Message) -> tuple[Any, ...]:
    """A message as a row, in the order of `twin.merging.TOLD`; times as UTC epoch seconds."""
    edited = _epoch(message.edited_at)
    first_edited = None if message.first_text is None else _epoch(message.first_edited_at) or 0
    is_first = (message.first_text, first_edited) == (message.text, edited or 0)
    return (
        message.chat_id,
        message.message_id,
        int(message.sent_at.timestamp()),
        message.sender_id,
        int(message.is_owner),
        message.text,
        message.reply_to,
        message.forwarded_from,
        message.via_bot,
        edited,
        message.media,
        message.media_note,
        message.entities,
        message.reactions,
        None if is_first else message.first_text,
        None if is_first else first_edited,
        _epoch(message.deleted_at),
    )


def _message(row: Iterable[Any]) -> Message:
    chat_id, message_id, sent_at, sender_id, is_owner, text, reply_to, forwarded, via, edited, *more = row
    kind, note, entities, reactions, first_text, first_edited, deleted = more
    return Message(
        chat_id=chat_id,
        message_id=message_id,
        sent_at=datetime.fromtimestamp(sent_at, UTC),
        sender_id=sender_id,
        is_owner=bool(is_owner),
        text=text,
        reply_to=reply_to,
        forwarded_from=forwarded,
        via_bot=via,
        edited_at=_time(edited),
        media=kind,
        media_note=note,
        entities=entities,
        reactions=reactions,
        first_text=first_text,
        first_edited_at=_time(first_edited or None),  # 0: it was not edited yet
        deleted_at=_time(deleted),
    )


def _epoch(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

"""Messages and dialogs in the SQLite file: read, and written without loss or repetition.

Knows nothing of exports, models or Telegram; jobs, promotions and the bot's tables have rooms of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from twin.database import open_database
from twin.dialogs import Dialog, Dialogs
from twin.keys import database_key
from twin.messages import Message
from twin.settings import Settings

# What a source tells of a message, in the order of a staged row.
_TOLD = (
    "chat_id",
    "message_id",
    "sent_at",
    "sender_id",
    "is_owner",
    "text",
    "reply_to",
    "forwarded_from",
    "via_bot",
    "edited_at",
    "media",
    "media_note",
    "entities",
    "reactions",
)
_READ = (*_TOLD, "first_text", "deleted_at")
_CREATE_STAGE = f"create temp table incoming as select {', '.join(_TOLD)} from messages limit 0"  # noqa: S608
_STAGE = f"insert into temp.incoming values ({', '.join('?' * len(_TOLD))})"  # noqa: S608
# How two versions of one message become one row, whichever comes first: the later edit says what it reads, the
# earliest one what it read first, and what only one of them tells is kept.
_LATER = "coalesce(excluded.edited_at, 0) > coalesce(messages.edited_at, 0)"
_EARLIER = "coalesce(excluded.edited_at, 0) < coalesce(messages.edited_at, 0)"
_SAME_TEXT = "excluded.text = messages.text"
_BEFORE_FIRST = "coalesce(excluded.edited_at, 0) < coalesce(messages.first_edited_at, messages.edited_at, 0)"


def _of_version(name: str) -> str:
    """Belongs to the text it came with; two sightings of one text complete each other."""
    return (
        f"case when {_EARLIER} then messages.{name} when {_LATER} or not {_SAME_TEXT} then excluded.{name}"
        f" else coalesce(excluded.{name}, messages.{name}) end"
    )


def _richest(name: str) -> str:
    """Of one text, the version that tells most: an export drops formatting inside formatting."""
    length = "(length(coalesce({0}.{1}, '')), coalesce({0}.{1}, ''))"
    more = f"{length.format('excluded', name)} > {length.format('messages', name)}"
    return (
        f"case when {_EARLIER} then messages.{name} when {_LATER} or not {_SAME_TEXT} or {more} then excluded.{name}"
        f" else messages.{name} end"
    )


def _of_message(name: str) -> str:
    """Never changes: whoever tells it is believed, of two the later version."""
    return (
        f"case when {_EARLIER} then coalesce(messages.{name}, excluded.{name})"
        f" else coalesce(excluded.{name}, messages.{name}) end"
    )


def _first(earlier: str, current: str, kept: str) -> str:
    """Of the earliest version seen, once there was more than one."""
    return (
        f"case when {_EARLIER} then case when {_BEFORE_FIRST} then {earlier} else {kept} end"
        f" when {_LATER} or not {_SAME_TEXT} then coalesce({kept}, {current}) else {kept} end"
    )


_MERGED = {
    **{name: _of_message(name) for name in ("sent_at", "sender_id", "is_owner")},
    **{name: _of_message(name) for name in ("reply_to", "forwarded_from", "via_bot", "reactions")},
    **{name: _of_version(name) for name in ("text", "media", "media_note")},
    "entities": _richest("entities"),
    "edited_at": f"case when {_EARLIER} then messages.edited_at else excluded.edited_at end",
    "first_text": _first("excluded.text", "messages.text", "messages.first_text"),
    "first_edited_at": _first(
        "coalesce(excluded.edited_at, 0)", "coalesce(messages.edited_at, 0)", "messages.first_edited_at"
    ),
}
_UPSERT_STAGED = f"""
insert into messages ({", ".join(_TOLD)})
select {", ".join(_TOLD)} from temp.incoming where true order by rowid
on conflict (chat_id, message_id) do update set {", ".join(f"{name} = {rule}" for name, rule in _MERGED.items())}
where ({", ".join(f"messages.{name}" for name in _MERGED)}) is not ({", ".join(_MERGED.values())})
"""  # noqa: S608 - column names are constants of this module


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
    def of(cls, settings: Settings) -> Store:
        """The home's database, encrypted or not as the settings say; see `open_database` and `database_key`."""
        return cls(open_database(settings.database, database_key(settings)))

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
        before = self.db.conn.total_changes
        self.db.conn.executemany(
            "update messages set deleted_at = ? where chat_id = ? and message_id = ? and deleted_at is null",
            [(int(at.timestamp()), chat_id, message_id) for message_id in message_ids],
        )
        return self.db.conn.total_changes - before

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
        self.db.execute(_CREATE_STAGE)
        try:
            yield
        finally:
            self.db.execute("drop table if exists temp.incoming")

    def stage(self, messages: Sequence[Message]) -> None:
        """Put messages with those that `write_staged` will write."""
        with self.db.atomic():  # not `self.atomic`, which locks the database
            self.db.conn.executemany(_STAGE, [_row(message) for message in messages])

    def write_staged(self) -> int:
        """Insert the staged messages in their order, or update rows that differ; the same again changes nothing.

        What was edited later wins, so that an old export never takes back an edit that a newer one brought; the text
        before the first edit is kept, and of two sightings of one version the richer.
        Their dialogs must be known.

        Returns:
            how many rows were inserted or changed.
        """
        before = self.db.conn.total_changes
        with self.atomic():
            self.db.conn.execute(_UPSERT_STAGED)
        return self.db.conn.total_changes - before

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
        rows = self.db.execute(
            f"select {', '.join(_READ)} from messages"  # noqa: S608 - constants
            " where chat_id = ? order by sent_at, message_id",
            [chat_id],
        )
        return [_message(row) for row in rows]

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


def _row(message: Message) -> tuple[Any, ...]:
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
        None if message.edited_at is None else int(message.edited_at.timestamp()),
        message.media,
        message.media_note,
        message.entities,
        message.reactions,
    )


def _message(row: Iterable[Any]) -> Message:
    chat_id, message_id, sent_at, sender_id, is_owner, text, reply_to, forwarded, via, edited, *more = row
    kind, note, entities, reactions, first_text, deleted = more
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
        deleted_at=_time(deleted),
    )


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

"""The SQLite file: opening it safely, and reading and writing messages.

Knows nothing of exports, models or Telegram; jobs, promotions and the bot's tables have rooms of their own.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from twin.errors import StoreError
from twin.messages import Message
from twin.migrations import migrations

BUSY_TIMEOUT_S = 30.0
_MESSAGE_COLUMNS = (
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
)
_CREATE_STAGE = f"create temp table incoming as select {', '.join(_MESSAGE_COLUMNS)} from messages limit 0"  # noqa: S608
_STAGE = f"insert into temp.incoming values ({', '.join('?' * len(_MESSAGE_COLUMNS))})"  # noqa: S608
_UPSERT_STAGED = f"""
insert into messages ({", ".join(_MESSAGE_COLUMNS)})
select {", ".join(_MESSAGE_COLUMNS)} from temp.incoming where true order by rowid
on conflict (chat_id, message_id) do update set
  {", ".join(f"{name} = excluded.{name}" for name in _MESSAGE_COLUMNS[2:])}
where coalesce(excluded.edited_at, 0) >= coalesce(messages.edited_at, 0)
  and ({", ".join(f"messages.{name}" for name in _MESSAGE_COLUMNS[2:])})
  is not ({", ".join(f"excluded.{name}" for name in _MESSAGE_COLUMNS[2:])})
"""  # noqa: S608 - column names are constants of this module


@dataclass(frozen=True, slots=True)
class Dialog:
    """One private chat: its id, the other person's name, and counts of what is stored, or came in (times aware UTC)."""

    chat_id: int
    name: str | None
    messages: int
    owner_messages: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Written:
    """What writing messages did: rows added, rows changed, rows that were there already."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0


def open_database(path: Path) -> Database:
    """Open (or create, 0600) the database and bring its schema up to date. One connection a thread.

    Raises:
        StoreError: it cannot be opened, is damaged, or was written by a newer version of twin.
    """
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
        _use_wal(connection)
        connection.execute("pragma synchronous = normal")
        connection.execute("pragma foreign_keys = on")
        connection.execute("pragma temp_store = file")  # a staged export may be larger than the memory
        db = Database(connection)
        _refuse_newer(path, {migration.name for migration in migrations.applied(db)})
        if migrations.pending(db):
            _migrate(db)
        return db
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise StoreError(
            f"The database {path} cannot be opened ({error})",
            "check the path, its permissions and the free disk space, or restore it from a backup",
        ) from error
    except StoreError:
        if connection is not None:
            connection.close()
        raise


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether all that is wrong is that another connection writes just now."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Readers never block writers. SQLite may refuse the change of mode at once while another process makes it
    (its busy timeout does not count here), so it is asked again."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrate(db: Database) -> None:
    """Apply what is pending under the write lock, so that two processes starting at once do it once."""
    db.conn.execute("begin immediate")
    try:
        migrations.apply(db)
        db.conn.execute("commit")
    except BaseException:
        db.rollback()
        raise


def schema_version(db: Database) -> str:
    """The name of the last migration that the database has seen."""
    return str(migrations.applied(db)[-1].name)


def _refuse_newer(path: Path, applied: set[str]) -> None:
    known = {migration.name for migration in migrations._migrations}
    if applied - known:
        raise StoreError(
            f"The database {path} was written by a newer version of twin",
            "upgrade twin, or point TWIN_HOME at another folder",
        )


class Store:
    """Messages and dialogs over one database connection.

    Use as a context manager, or call `close`. Not to be shared between threads.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    @classmethod
    def open(cls, path: Path) -> Store:
        """See `open_database`."""
        return cls(open_database(path))

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

    def add_dialog(self, chat_id: int, name: str | None, kind: str = "person") -> None:
        """Make a dialog known; a later name replaces an earlier one, no name replaces nothing."""
        self.db.execute(
            "insert into dialogs (chat_id, name, kind, first_seen_at) values (?, ?, ?, ?) "
            "on conflict (chat_id) do update set name = coalesce(excluded.name, dialogs.name)",
            [chat_id, name, kind, int(time.time())],
        )

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

        What was edited later wins, so that an old export never takes back an edit that a newer one brought.
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
        """Every dialog with its counts, most messages first."""
        rows = self.db.query(
            "select d.chat_id, d.name, count(m.message_id) as messages, coalesce(sum(m.is_owner), 0) as owner,"
            " min(m.sent_at) as first_at, max(m.sent_at) as last_at"
            " from dialogs d left join messages m using (chat_id)"
            " group by d.chat_id order by messages desc, d.chat_id"
        )
        return [
            Dialog(r["chat_id"], r["name"], r["messages"], r["owner"], _time(r["first_at"]), _time(r["last_at"]))
            for r in rows
        ]

    def messages(self, chat_id: int) -> list[Message]:
        """One dialog's messages, oldest first."""
        rows = self.db.execute(
            f"select {', '.join(_MESSAGE_COLUMNS)} from messages"  # noqa: S608 - constants
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
    )


def _message(row: Iterable[Any]) -> Message:
    chat_id, message_id, sent_at, sender_id, is_owner, text, reply_to, forwarded, via, edited, *media = row
    kind, note, entities = media
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
    )


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

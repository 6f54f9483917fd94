"""Opening the SQLite file safely: WAL, a busy timeout, the schema brought up to date.

Knows nothing of what its tables hold.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlite_utils import Database

from twin.encryption import connect, is_encrypted
from twin.errors import StoreError
from twin.migrations import migrations

BUSY_TIMEOUT_S = 30.0


def open_database(path: Path, key: str | None = None, *, any_thread: bool = False) -> Database:
    """Open (or create, 0600) the database and bring its schema up to date. One connection a thread.

    Args:
        key: SQLCipher's key or passphrase; None for a plain file.
        any_thread: whether several threads may use the connection. They must see to it that only one does at a time.

    Raises:
        StoreError: it cannot be opened, is damaged, was written by a newer version of twin, or is encrypted where a
            plain one is expected, or the other way round.
    """
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            path.touch(mode=0o600)
        connection = _connect(path, key, any_thread)
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


def scratch_database() -> Database:
    """A database in memory with today's schema."""
    db = Database(sqlite3.connect(":memory:"))
    migrations.apply(db)
    return db


def _connect(path: Path, key: str | None, any_thread: bool) -> sqlite3.Connection:
    """Again if the file was exchanged meanwhile: `twin database encrypt` puts a new one in its place.

    The file is never looked into but by SQLite: to close a descriptor of it takes away the locks of every connection
    that this process has to it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    while True:
        file = path.stat().st_ino
        try:
            connection = (
                sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=not any_thread)
                if key is None
                else connect(path, key, BUSY_TIMEOUT_S, any_thread=any_thread)
            )
        except StoreError:
            _refuse_other_kind(path, key)
            raise
        try:
            _use_wal(connection)
            connection.execute("pragma synchronous = normal")
            connection.execute("pragma foreign_keys = on")
            if key is None:
                connection.execute("pragma temp_store = file")  # a staged export may be larger than the memory
            if path.stat().st_ino == file:
                return connection
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB:
                _refuse_other_kind(path, key)
            raise
        except BaseException:
            connection.close()
            raise
        connection.close()


def _refuse_other_kind(path: Path, key: str | None) -> None:
    encrypted = is_encrypted(path)
    if encrypted and key is None:
        raise StoreError(
            f"The database {path} is encrypted, or is no database",
            "say where its key is with storage.key in twin.toml, or restore it from a backup",
        )
    if key is not None and not encrypted and path.stat().st_size:
        raise StoreError(
            f"The database {path} is not encrypted yet",
            'run `twin database encrypt`, or set storage.key = "none" in twin.toml',
        )


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

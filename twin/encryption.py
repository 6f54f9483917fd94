"""SQLCipher: an encrypted database behind the standard library's connection interface, and the way there and back.

Knows nothing of where keys come from.

SQLCipher's module (`sqlcipher3`) has exceptions of its own; here they become those of `sqlite3`, so that nobody else
has to know which of the two it talks to. A key of 64 hex digits is used as it is; any other goes through SQLCipher's
key derivation (PBKDF2, 256,000 rounds, about a quarter of a second for every connection).
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from twin.errors import StoreError

if TYPE_CHECKING:
    P = ParamSpec("P")
    T = TypeVar("T")

_PLAIN = b"SQLite format 3\0"
_RAW_KEY = re.compile(r"[0-9a-f]{64}")
_HALF_DONE = ".converting"
_CONNECTION_CALLS = ("execute", "executemany", "executescript", "commit", "rollback", "close", "backup")
_CURSOR_CALLS = ("execute", "executemany", "executescript", "fetchone", "fetchmany", "fetchall", "__next__")


def is_encrypted(path: Path) -> bool:
    """Whether there is a database that is no plain SQLite file; an empty or missing file is not."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_PLAIN))
    except FileNotFoundError:
        return False
    return bool(head) and head != _PLAIN


def connect(path: Path, key: str, timeout: float, *, any_thread: bool = False) -> sqlite3.Connection:
    """Open an encrypted database, or create it; `any_thread` as in `open_database`.

    Raises:
        StoreError: sqlcipher3 is not installed, or the key is wrong.
        sqlite3.Error: whatever else SQLite says.
    """
    connection = _connect(path, timeout, any_thread)
    try:
        connection.execute(f"pragma key = {_quoted(key)}")
        # What it keeps aside (a staged export) would not be encrypted in a file.
        connection.execute("pragma temp_store = memory")
        connection.execute("select count(*) from sqlite_master")
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB:
            raise StoreError(
                f"The key does not open the database {path}", "check where storage.key says it is"
            ) from None
        raise
    return connection


def encrypt(path: Path, key: str) -> None:
    """Make a plain database an encrypted one, all of it or nothing; see `_convert`."""
    _convert(path, None, key)


def decrypt(path: Path, key: str) -> None:
    """Make an encrypted database a plain one, all of it or nothing; see `_convert`."""
    _convert(path, key, None)


def _convert(path: Path, old: str | None, new: str | None) -> None:
    """Copy everything into a new file beside it, check that, then take its place by one rename.

    Raises:
        StoreError: another process has the database open, or the copy is not whole; the database is as it was.
    """
    copy = path.with_name(path.name + _HALF_DONE)
    copy.unlink(missing_ok=True)
    try:
        with closing(_connect(path, timeout=1.0)) as source:
            if old is not None:
                source.execute(f"pragma key = {_quoted(old)}")
            _take_alone(source, path)
            copy.touch(mode=0o600)
            source.execute("attach database ? as copy key ?", [str(copy), _bare(new or "")])
            source.execute("select sqlcipher_export('copy')")
            (version,) = source.execute("pragma main.user_version").fetchone()
            source.execute(f"pragma copy.user_version = {int(version)}")
            if _counts(source, "main") != _counts(source, "copy"):
                raise StoreError(f"The copy of {path} is not whole", "free some disk space and try again")
            source.execute("detach database copy")
            _check(copy, new)
            with copy.open("rb") as file:
                os.fsync(file.fileno())
            copy.replace(path)  # still locked: whoever waits for it opens the new file (see open_database)
    except sqlite3.Error as error:
        raise StoreError(
            f"The database {path} cannot be converted ({error}), and is as it was",
            "stop the bot and the worker, free some disk space, then try again",
        ) from error
    finally:
        copy.unlink(missing_ok=True)


def _take_alone(source: sqlite3.Connection, path: Path) -> None:
    """No write-ahead log and nobody else: a process that has the database open would go on in the old file."""
    source.execute("pragma wal_checkpoint(truncate)")
    (mode,) = source.execute("pragma journal_mode = delete").fetchone()
    if mode != "delete":
        raise StoreError(f"Another process has {path} open", "stop the bot, the worker and other twin commands first")
    source.execute("pragma locking_mode = exclusive")
    source.execute("begin exclusive")
    source.execute("commit")


def _check(copy: Path, key: str | None) -> None:
    with closing(_connect(copy, timeout=1.0)) as connection:
        if key is not None:
            connection.execute(f"pragma key = {_quoted(key)}")
        found = connection.execute("pragma integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError("The converted database is damaged", "check the disk; the database is as it was")


def _counts(connection: sqlite3.Connection, schema: str) -> dict[str, int]:
    tables = connection.execute(f"select name from {schema}.sqlite_master where type = 'table'").fetchall()  # noqa: S608
    virtual = {name for (name,) in connection.execute("select name from pragma_table_list where type = 'virtual'")}
    return {
        name: connection.execute(f'select count(*) from {schema}."{name}"').fetchone()[0]  # noqa: S608 - names of the schema
        for (name,) in tables
        if name not in virtual
    }


def _bare(key: str) -> str:
    return f"x'{key}'" if _RAW_KEY.fullmatch(key) else key


def _quoted(key: str) -> str:
    """As a pragma takes it: a raw key in double quotes, a passphrase as a string."""
    if _RAW_KEY.fullmatch(key):
        return f"\"x'{key}'\""
    return "'" + key.replace("'", "''") + "'"


def _connect(path: Path, timeout: float, any_thread: bool = False) -> sqlite3.Connection:
    try:
        from sqlcipher3 import dbapi2
    except ImportError as error:
        raise StoreError(
            f"The database {path} is encrypted, and this machine has no sqlcipher3",
            "install twin with `pip install '.[encryption]'`",
        ) from error
    connection_class, _ = _classes(dbapi2)
    with _as_sqlite3(dbapi2):
        opened: sqlite3.Connection = dbapi2.connect(
            str(path), timeout=timeout, factory=connection_class, check_same_thread=not any_thread
        )
    opened.execute("pragma cipher_log_level = none")  # it would write about a wrong key on stderr
    return opened


_made: list[tuple[type, type]] = []


def _classes(dbapi2: Any) -> tuple[type, type]:
    """Subclasses of SQLCipher's connection and cursor that raise the standard library's exceptions; made once."""
    if not _made:
        cursor = type(
            "Cursor", (dbapi2.Cursor,), {name: _wrapped(dbapi2, dbapi2.Cursor, name) for name in _CURSOR_CALLS}
        )

        def cursor_of(self: Any, factory: type = cursor) -> Any:
            return dbapi2.Connection.cursor(self, factory)

        calls = {name: _wrapped(dbapi2, dbapi2.Connection, name) for name in _CONNECTION_CALLS}
        _made.append((type("Connection", (dbapi2.Connection,), {**calls, "cursor": cursor_of}), cursor))
    return _made[0]


def _wrapped(dbapi2: Any, owner: type, name: str) -> Callable[..., Any]:
    original = getattr(owner, name)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _as_sqlite3(dbapi2):
            return original(self, *args, **kwargs)

    return call


@contextmanager
def _as_sqlite3(dbapi2: Any) -> Iterator[None]:
    try:
        yield
    except dbapi2.Error as error:
        same = getattr(sqlite3, type(error).__name__, sqlite3.DatabaseError)(*error.args)
        same.sqlite_errorcode = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        same.sqlite_errorname = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
        raise same from None

"""What goes into a backup, held still while a twin goes on: a snapshot of the database, and every file of one moment.

Knows nothing of archives or encryption.

Held are hard links (copies where a disk has none) in a folder of the home's own, so that an adapter that is removed
meanwhile is inside as a whole, and one that is still being published is not there at all. The live database's file is
only ever opened by SQLite.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from twin import __version__
from twin.backup_manifest import (
    ADAPTERS,
    DATABASE,
    DATASETS,
    SECRETS,
    SETTINGS,
    STATE,
    BackupManifest,
    Entry,
    is_allowed,
)
from twin.database import BUSY_TIMEOUT_S, open_database, schema_version
from twin.encryption import connect
from twin.errors import AdapterError, BackupError
from twin.keys import database_key
from twin.manifest import MANIFEST, Manifest
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

Told = Callable[[str, int, int], object]
"""Told what is being done, how much of it is done, and of how much."""
_PAGES = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be in a backup, beside the database and the settings."""

    adapters: bool = True
    datasets: bool = False
    secrets: bool = False


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found: the manifest of it, and versions of adapters that are damaged and were left out."""

    manifest: BackupManifest
    left_out: tuple[str, ...]


def collect(settings: Settings, folder: Path, wanted: Wanted, now: datetime, told: Told) -> Collected:
    """Hold everything in an empty folder, under the names that it has in the home.

    Raises:
        BackupError: there is nothing to back up, or the adapter that serves is missing or damaged.
        StoreError, SettingsError: the database cannot be opened.
        OSError, sqlite3.Error: no room, or no permission.
    """
    if not settings.database.exists():
        raise BackupError(f"There is no database in {settings.home}", "say with TWIN_HOME where your twin lives")
    key = database_key(settings)
    _snapshot(settings, folder / DATABASE, key, told)
    for name in (SETTINGS, *STATE, *(SECRETS if wanted.secrets else ())):
        _hold_one(settings.home / name, folder / name)
    if wanted.secrets and key is not None and settings.storage.key == "keyring":
        _write_private(folder / "database-key", key + "\n")
    if wanted.adapters:
        _hold_adapters(settings, folder)
    if wanted.datasets:
        _hold_datasets(settings, folder)
    schema, serving, left_out = _settle(folder, key, now, told, with_adapters=wanted.adapters)
    manifest = BackupManifest(
        twin=__version__,
        schema=schema,
        created_at=now.isoformat(),
        database_encrypted=key is not None,
        serving=serving,
        files=_entries(folder, told),
    )
    return Collected(manifest, left_out)


def _snapshot(settings: Settings, copy: Path, key: str | None, told: Told) -> None:
    """Everything that was committed at one moment, what is still in the write-ahead log included.

    The transaction around it keeps what others write meanwhile out of sight, and SQLite from starting over.
    """
    copy.touch(mode=0o600)
    with Store.of(settings) as store, closing(_copy(copy, key)) as target:
        source = store.db.conn
        source.execute("begin")
        source.execute("select count(*) from sqlite_master").fetchone()
        source.backup(
            target, pages=_PAGES, progress=lambda _, left, all_: told("Copying the database", all_ - left, all_)
        )
        source.execute("rollback")
        target.execute("pragma journal_mode = delete")
        found = target.execute("pragma integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupError("The database is damaged", "restore an earlier backup, or make room and look at the disk")


def _copy(path: Path, key: str | None) -> sqlite3.Connection:
    return sqlite3.connect(path) if key is None else connect(path, key, BUSY_TIMEOUT_S)


def _settle(
    folder: Path, key: str | None, now: datetime, told: Told, *, with_adapters: bool
) -> tuple[str, str | None, tuple[str, ...]]:
    """Let database and adapters agree: what serves is inside, and what is not inside serves no more."""
    with closing(open_database(folder / DATABASE, key)) as db:
        registry = Registry(folder / ADAPTERS, db)
        versions, serving, left_out = registry.versions(), registry.current(), []
        for place, version in enumerate(versions):
            told("Checking adapters", place, len(versions))
            try:
                registry.verify(version)
            except AdapterError as error:
                if version == serving:
                    raise _not_whole(serving) from error
                shutil.rmtree(folder / ADAPTERS / version)
                left_out.append(version)
        there = registry.versions()
        if with_adapters and serving is not None and serving not in there:
            raise _not_whole(serving)
        registry.withdraw([version for version in registry.candidates() if version not in there], now.timestamp())
        schema, serving = schema_version(db), registry.current()
        db.conn.execute("pragma journal_mode = delete")
    return schema, serving, tuple(left_out)


def _not_whole(version: str) -> BackupError:
    return BackupError(
        f"The adapter {version} serves, but is missing or damaged",
        "promote another one with `twin adapters promote`, or say --without-adapters",
    )


def _hold_adapters(settings: Settings, folder: Path) -> None:
    """Every published version: its manifest and the files that it lists. One that goes away meanwhile is left out."""
    for path in sorted(settings.adapters.iterdir()) if settings.adapters.is_dir() else ():
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            names = [MANIFEST, *Manifest.read(path).files]
        except AdapterError:
            names = [MANIFEST]
        _hold_folder(path, folder / ADAPTERS / path.name, names)


def _hold_datasets(settings: Settings, folder: Path) -> None:
    for path in sorted(settings.datasets.iterdir()) if settings.datasets.is_dir() else ():
        if not path.name.startswith(".") and path.is_dir():
            names = [part.name for part in path.iterdir() if part.is_file()]
            if not _hold_folder(path, folder / DATASETS / path.name, names):
                shutil.rmtree(folder / DATASETS / path.name)


def _hold_folder(source: Path, target: Path, names: list[str]) -> bool:
    """Returns whether everything was there."""
    target.mkdir(parents=True, mode=0o700)
    return all(_hold(source / name, target / name) for name in names)


def _hold(source: Path, target: Path) -> bool:
    """A file as it is now under another name, as long as nobody writes into it; returns whether it was there."""
    try:
        os.link(source.resolve(), target)
    except FileNotFoundError:
        return False
    except OSError:  # no hard links here, or another disk
        return _hold_one(source, target)
    return True


def _hold_one(source: Path, target: Path) -> bool:
    """A copy, with its time; returns whether there was something."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        target.unlink(missing_ok=True)
        return False
    target.chmod(0o600)
    return True


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _entries(folder: Path, told: Told) -> dict[str, Entry]:
    """Every held file with its hash: the database first, then what lies in the home, then folders."""
    paths = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: (len(path.parents), path))
    paths.sort(key=lambda path: path != folder / DATABASE)
    total = sum(path.stat().st_size for path in paths)
    entries, done = {}, 0
    for path in paths:
        name, size = path.relative_to(folder).as_posix(), path.stat().st_size
        if not is_allowed(name):
            raise BackupError(f"{name!r} is no name of a file that twin makes", "rename it, or take it out of the home")
        told("Hashing", done, total)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        entries[name] = Entry(size, digest, int(path.stat().st_mtime))
        done += size
    return entries

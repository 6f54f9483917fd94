"""A backup: one file with everything a twin is, made while it runs, encrypted if a passphrase is given.

Knows nothing of terminals, of how what is in it was held still, or of restoring.
"""

from __future__ import annotations

import glob
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from twin.backup_archive import write_archive
from twin.backup_collect import Told, Wanted, collect
from twin.backup_folders import fsync, is_left_behind, lock, scratch_folder
from twin.backup_manifest import DATABASE, BackupManifest
from twin.errors import BackupError
from twin.settings import Settings

SCRATCH = ".backup-"


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What was made: the file, its size, what is in it, and damaged adapters that are not."""

    file: Path
    bytes: int
    is_encrypted: bool
    manifest: BackupManifest
    left_out: tuple[str, ...]


def back_up(
    settings: Settings,
    file: Path,
    wanted: Wanted,
    *,
    passphrase: str | None,
    may_replace: bool,
    now: datetime,
    told: Told,
) -> BackedUp:
    """Write a backup, whole or not at all (0600, by rename).

    Raises:
        BackupError: the file is there already or would lie in the home, secrets would be readable in it, the adapter
            that serves is damaged, or there is no room.
        StoreError, SettingsError: the database cannot be opened.
    """
    if wanted.secrets and passphrase is None:
        raise BackupError("Secrets are only kept in a backup that is encrypted", "say --encrypt or --passphrase-file")
    file = file.absolute()
    _refuse_place(settings, file, may_replace=may_replace)
    try:
        with scratch_folder(settings.home, SCRATCH) as folder:
            found = collect(settings, folder, wanted, now, told)
            with _draft(file) as out:
                _pack(out, folder, found.manifest, passphrase, told)
                size = out.tell()
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BackupError(
            f"The backup cannot be made ({reason})", "check the free disk space and permissions"
        ) from error
    return BackedUp(file, size, passphrase is not None, found.manifest, found.left_out)


def _refuse_place(settings: Settings, file: Path, *, may_replace: bool) -> None:
    if file.resolve().is_relative_to(settings.home.resolve()):
        raise BackupError(f"{file} lies in the home that it is to save", "write it elsewhere, best onto another disk")
    if not file.parent.is_dir():
        raise BackupError(f"There is no folder {file.parent}", "make it, or choose another one")
    if file.is_dir() or (file.exists() and not may_replace):
        raise BackupError(f"{file} is there already", "choose another name, or say --overwrite")


def _pack(out: IO[bytes], folder: Path, manifest: BackupManifest, passphrase: str | None, told: Told) -> None:
    done, total = 0, manifest.total_bytes

    def heard(count: int) -> None:
        nonlocal done
        done += count
        told("Packing", done, total)

    with (folder / DATABASE).open("rb") as database:
        (folder / DATABASE).unlink()  # a killed backup leaves no readable copy of the messages behind

        def opened(name: str) -> IO[bytes]:
            return os.fdopen(os.dup(database.fileno()), "rb") if name == DATABASE else (folder / name).open("rb")

        if passphrase is None:
            write_archive(out, manifest, opened, heard)
            return
        from twin.backup_age import Encrypting

        encrypting = Encrypting(out, passphrase)
        write_archive(cast("IO[bytes]", encrypting), manifest, opened, heard)
        encrypting.finish()


@contextmanager
def _draft(file: Path) -> Iterator[IO[bytes]]:
    """A file beside the one that it becomes when all went well; what killed backups to there left is removed."""
    prefix = f".{file.name}."
    for left in file.parent.glob(f"{glob.escape(prefix)}*.part"):
        if is_left_behind(left):
            left.unlink(missing_ok=True)
    draft = file.with_name(f"{prefix}{os.getpid()}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            lock(out.fileno())
            yield out
            out.flush()
            os.fsync(out.fileno())
            draft.replace(file)
        fsync(file.parent)
    finally:
        draft.unlink(missing_ok=True)

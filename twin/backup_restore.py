"""Restoring: a backup unpacked beside the home, proven as a whole, and put in place by one rename.

Knows nothing of terminals, or of what is done with a home that was there (`twin.backup_replace` does).
"""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from twin.backup_archive import read_files, read_manifest
from twin.backup_collect import Told
from twin.backup_folders import fsync, put, scratch_folder
from twin.backup_manifest import SECRETS, BackupManifest
from twin.backup_replace import OldHome
from twin.backup_unpacked import Unpacked
from twin.errors import BackupError

AGE = b"age-encryption.org/v1\n"
_AGAIN = "free some disk space, check the permissions, then run the same command again"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place.

    Attributes:
        home: where.
        manifest: of the backup.
        is_proven: whether the database was opened; not, when it is encrypted and its key is not there.
        kept: the home that was there before, under its new name; None when none was.
        secrets: names of those that were taken over from it, as the backup held none.
        forgotten: how many wishes to forget, newer than the backup, were carried out again; None when there was no
            home to ask, or its database could not be read.
        stale: the version that serves although it learned from what was to be forgotten; None when none does.
    """

    home: Path
    manifest: BackupManifest
    is_proven: bool
    kept: Path | None = None
    secrets: tuple[str, ...] = ()
    forgotten: int | None = None
    stale: str | None = None


def restore(file: Path, target: Path, *, ask: Callable[[], str], replace: bool, now: datetime, told: Told) -> Restored:
    """Put a backup in place as a home, all of it or nothing.

    Args:
        ask: the passphrase; called only if the backup is encrypted.
        replace: whether a home that is there gives way; it is kept under another name.

    Raises:
        BackupError: the backup is damaged, cut off, altered, or made by a newer version; the passphrase is wrong; the
            home is not empty, or in use; there is no room.
    """
    target = target.absolute().resolve()
    _refuse_target(target, replace=replace)
    try:
        with file.open("rb") as source:
            stream = _decrypted(source, ask)
            manifest = read_manifest(stream)
            beside = target if target.is_mount() else target.parent  # a volume cannot be renamed
            beside.mkdir(parents=True, exist_ok=True)
            _refuse_full(beside, manifest)
            is_replaced = target.is_dir() and any(target.iterdir())
            with scratch_folder(beside, f".{target.name}.restoring-") as scratch:
                unpacked = Unpacked(scratch / "home", target, manifest)
                _unpack(stream, unpacked, told)
                told("Checking", 0, 1)
                return _replace(unpacked, now, told) if is_replaced else _put_in_place(unpacked, now)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BackupError(f"The backup cannot be restored ({reason})", _AGAIN) from error


def _refuse_target(target: Path, *, replace: bool) -> None:
    if target.exists() and not target.is_dir():
        raise BackupError(f"{target} is no folder", "choose another place with --into")
    if target.is_dir() and any(target.iterdir()) and not replace:
        raise BackupError(
            f"{target} is not empty", "say --into with a folder that is not there yet, or --replace to keep it aside"
        )


def _refuse_full(folder: Path, manifest: BackupManifest) -> None:
    free = shutil.disk_usage(folder).free
    if free < manifest.total_bytes:
        raise BackupError(
            f"The backup needs {manifest.total_bytes / 2**30:.1f} GiB, and {folder} has {free / 2**30:.1f} GiB free",
            "free some disk space, or choose another place with --into",
        )


def _decrypted(source: IO[bytes], ask: Callable[[], str]) -> IO[bytes]:
    """The archive, whether it is encrypted or not; nothing is read that cannot be read again."""
    start = source.read(len(AGE))
    source.seek(0)
    if start != AGE:
        return source
    from twin.backup_age import CHUNK, Decrypting

    return cast("IO[bytes]", io.BufferedReader(Decrypting(source, ask()), CHUNK))


def _unpack(stream: IO[bytes], unpacked: Unpacked, told: Told) -> None:
    done, total = 0, unpacked.manifest.total_bytes

    def heard(count: int) -> None:
        nonlocal done
        done += count
        told("Unpacking", done, total)

    def kept(name: str) -> IO[bytes]:
        path = unpacked.folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")

    unpacked.folder.mkdir(mode=0o700)
    read_files(stream, unpacked.manifest, kept, heard)
    for folder in ("adapters", "datasets"):
        (unpacked.folder / folder).mkdir(exist_ok=True, mode=0o700)
    for name, entry in unpacked.manifest.files.items():
        os.utime(unpacked.folder / name, (entry.modified_at, entry.modified_at))


def _put_in_place(unpacked: Unpacked, now: datetime) -> Restored:
    unpacked.prove()
    unpacked.give_up_answers(now.timestamp())
    _settle(unpacked.folder)
    put(unpacked.folder, unpacked.target)
    return Restored(unpacked.target, unpacked.manifest, not unpacked.is_locked)


def _replace(unpacked: Unpacked, now: datetime, told: Told) -> Restored:
    with OldHome.alone(unpacked.target) as old:
        secrets = old.hand_over(unpacked.folder, SECRETS)
        unpacked.prove()
        unpacked.give_up_answers(now.timestamp())
        forgotten, stale = old.forget_again(unpacked, told)
        _settle(unpacked.folder)
        kept = old.give_way(unpacked.folder, now)
    return Restored(unpacked.target, unpacked.manifest, not unpacked.is_locked, kept, secrets, forgotten, stale)


def _settle(home: Path) -> None:
    """Onto the disk before the rename tells of it; nothing that others can read."""
    for path in [*home.rglob("*"), home]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        fsync(path)

"""Private folders and drafts that a killed process leaves behind, told from those of a live one by a lock.

Knows nothing of what is in them.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder of mode 0700 in another; gone afterwards, unless it was renamed.

    Folders of the same prefix whose process was killed are removed first.

    Raises:
        OSError: it cannot be made.
    """
    for left in parent.glob(f"{prefix}*"):
        if left.is_dir() and not left.is_symlink() and is_left_behind(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"{prefix}{secrets.token_hex(6)}"
    folder.mkdir(mode=0o700)
    descriptor = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def is_left_behind(path: Path) -> bool:
    """Whether nobody holds the lock of a folder or file that is locked as long as somebody works on it."""
    try:
        descriptor = _locked(path)
    except OSError:
        return False
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def lock(descriptor: int) -> None:
    """Take the lock of an open file or folder until it is closed or this process dies.

    Raises:
        OSError: somebody else has it.
    """
    if os.name == "posix":  # where there is no flock, nothing counts as left behind
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locked(path: Path) -> int | None:
    if os.name != "posix":
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        lock(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def fsync(path: Path) -> None:
    """Bring a file, or the names in a folder, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(folder: Path, target: Path) -> None:
    """Let a folder take the place of one that is empty, or not there, by one rename.

    A volume's own folder cannot be renamed: it gets the folder's entries, `twin.db` last, without which it is no home.

    Raises:
        OSError: it cannot be put there.
    """
    if target.is_mount():
        move(folder, target)
    else:
        folder.rename(target)
    fsync(target.parent)


def move(folder: Path, target: Path) -> None:
    """Give all entries of a folder to another one, but for the folder that it works in.

    Raises:
        OSError: that is not possible; they are where they were.
    """
    moved: list[Path] = []
    try:
        for path in sorted(folder.iterdir(), key=lambda path: path.name == "twin.db"):
            if not target.is_relative_to(path) and ".restoring-" not in path.name:
                path.rename(target / path.name)
                moved.append(path)
    except BaseException:
        for path in reversed(moved):
            (target / path.name).rename(path)
        raise
    fsync(target)

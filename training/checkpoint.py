"""Checkpoints of a run: written whole or not at all, found again only by the very same run.

Knows nothing of what a checkpoint holds, of models or of data.

    runs/                       in the home
      3f9c0b21d4e87a65/         one training, named by the fingerprint of everything that matters to it
        lock                    held while a process trains it
        run.json                which snapshot it learns from, for `training.pending`
        checkpoint.pt           where to go on; gone once the adapter is published
        attempt-1.csv           the loss curve of an attempt that diverged
"""

from __future__ import annotations

import fcntl
import io
import os
import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from twin.errors import TrainingError

NAME = "checkpoint.pt"
_FORMAT = 1
_ADAPTERS = 4  # of its size: what a checkpoint takes
_PATIENCE = 10.0  # seconds for a killed process to let go of its lock


class Checkpoints:
    """The checkpoints of one run, in a folder that this process alone uses; see `open_run`.

    Args:
        minutes: between two checkpoints.
        clock: seconds, of any origin.
        say: told, once, when one could not be written.
    """

    def __init__(self, folder: Path, minutes: float, clock: Callable[[], float], say: Callable[[str], None]) -> None:
        self.folder = folder
        self._every = 60 * minutes
        self._clock = clock
        self._say = say
        self._last = clock()
        self._told = False

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return self._clock() - self._last >= self._every

    def check_space(self, adapter: int) -> None:
        """Make sure that an adapter of so many bytes, its checkpoint and that one's successor can be written.

        A checkpoint holds the adapter, its best state, and an optimiser's two numbers for every weight.

        Raises:
            TrainingError: they cannot.
        """
        needed, free = adapter * (1 + 2 * _ADAPTERS), shutil.disk_usage(self.folder).free
        if free < needed:
            raise TrainingError(
                f"Training needs {_megabytes(needed)} on the disk of {self.folder}, where {_megabytes(free)} are free",
                "free some disk space",
            )

    def load(self) -> dict[str, Any] | None:
        """What was saved last; None when there is nothing, or nothing readable, which is removed."""
        path = self.folder / NAME
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError):
            found = None
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            self._say("The checkpoint of this training cannot be read: starting anew")
            self.remove()
            return None
        return found

    def save(self, values: dict[str, Any]) -> bool:
        """Replace the checkpoint by a newer one, readable by the owner alone; whether it could be written.

        The one before stays if it cannot: training is worth more than its checkpoint.

        Args:
            values: tensors and plain values.
        """
        self._last = self._clock()
        buffer = io.BytesIO()
        torch.save(values | {"format": _FORMAT}, buffer)
        try:
            write_whole(self.folder / NAME, buffer.getbuffer())
        except OSError as error:
            if not self._told:
                self._say(f"No checkpoint could be written ({error.strerror}): training goes on without")
            self._told = True
            return False
        self._told = False
        return True

    def remove(self) -> None:
        """There is nothing to go on from any more."""
        (self.folder / NAME).unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Replace a file: temporary file, fsync, rename, fsync of the folder; mode 0600.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def open_run(runs: Path, fingerprint: str) -> Iterator[Path]:
    """The folder of a run, locked while it is used; of a run that is over, only curves of failures stay.

    Raises:
        TrainingError: another process trains the same, or the folder cannot be made.
    """
    folder = runs / fingerprint
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise TrainingError(
            f"The folder {folder} cannot be made ({error.strerror})", "check the permissions and free disk space"
        ) from error
    try:
        _lock(lock)
        yield folder
    finally:
        os.close(lock)


def remove_others(runs: Path, fingerprint: str) -> int:
    """Delete what other runs left to go on from, unless a process trains them just now.

    Returns:
        how many checkpoints went.
    """
    gone = 0
    for folder in runs.iterdir():
        if folder.name == fingerprint or not folder.is_dir():
            continue
        with _unused(folder) as unused:
            if not unused:
                continue
            gone += (folder / NAME).exists()
            kept = any(folder.glob("*.csv"))
            for path in [folder / NAME, folder / f".{NAME}.part", folder / "run.json"]:
                path.unlink(missing_ok=True)
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
    return gone


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > deadline:
            raise TrainingError("The same training runs already", "wait for it, or stop it first")
        time.sleep(0.1)


@contextmanager
def _unused(folder: Path) -> Iterator[bool]:
    """Whether no process trains this run; it stays so inside of the block."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)

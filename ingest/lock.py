"""One live ingest at a time: two on one session would take each other's updates, and Telegram may end both.

Knows nothing of what is done meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twin.errors import AccountError


class Busy(AccountError):
    """Another one is at it."""


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the home's lock while the context lasts; the system takes it back from whoever dies.

    Raises:
        Busy: another process holds it.
        AccountError: the home cannot be written.
    """
    file = home / "telegram.lock"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise AccountError(f"{file} cannot be written ({error.strerror})", "make room, or set TWIN_HOME") from error
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if os.name != "posix":  # where there is no flock, whoever starts two of them is on their own
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Busy(
            "Another `twin ingest telegram` is at work in this home", "wait for it, or end it if it follows"
        ) from error

"""A file that another process may replace at any time, and what was read from it last.

Knows nothing of what is in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_Seen = tuple[int, int, int, int]


class Watched(Generic[T]):
    """Reads a file again when it is another one or was written to; asking costs a microsecond.

    Args:
        read: given what was read last; called under a lock, so never by two threads at once. What it raises is raised
            by `now`, again and again until the file can be read.
        value: what it is before there is a file, and stays once it is gone.
    """

    def __init__(self, file: Path, read: Callable[[T], T], value: T) -> None:
        self._file = file
        self._read = read
        self._value = value
        self._seen: _Seen | None = None
        self._lock = threading.Lock()

    def now(self) -> T:
        """What the file says, or last said."""
        if self._look() not in (self._seen, None):
            with self._lock:
                seen = self._look()
                if seen not in (self._seen, None):
                    self._value = self._read(self._value)
                    self._seen = seen
        return self._value

    def _look(self) -> _Seen | None:
        """Tells one state of the file from another; None when there is none."""
        try:
            told = self._file.stat()
        except FileNotFoundError:
            return None
        return told.st_ino, told.st_mtime_ns, told.st_ctime_ns, told.st_size

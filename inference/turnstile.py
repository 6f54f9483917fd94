"""The turnstile before an engine: who wants the version that serves goes in together, who wants another waits.

Knows nothing of engines or adapters; a version is a name, and changing to it is somebody else's work.

A swap happens between replies: the version changes when nobody is inside, and whoever came before is served before.
So a stream of replies by one version keeps no other version waiting, and no reply is written by two.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 0.2  # how often who waits looks whether they still want to

Version = str | None


class LeftTheQueue(Exception):
    """Whoever waited did not want to any more."""


class Turnstile:
    """Lets callers in, in the order they came, all who want the same version at once.

    Args:
        change: makes another version the one that serves. Called when nobody is inside, one call at a time; what it
            raises is raised to the one who wanted that version, and the version from before serves on.
        at_once: how many are inside at most.
    """

    def __init__(self, change: Callable[[Version], None], version: Version = None, at_once: int = 1 << 30) -> None:
        self._change = change
        self._at_once = at_once
        self._version = version
        self._inside = 0
        self._waiting: deque[object] = deque()
        self._is_closed = False
        self._moved = threading.Condition()

    @property
    def version(self) -> Version:
        """What serves."""
        return self._version

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def inside(
        self, wanted: Callable[[], Version], wants_no_more: Callable[[], bool] = lambda: False
    ) -> Iterator[Version]:
        """Be inside while a version serves; gives that version.

        Args:
            wanted: which one; asked whenever it might be one's turn, so that nobody goes back to what another
                promotion has overtaken.

        Raises:
            LeftTheQueue: `wants_no_more` became true while waiting.
            Exception: what `change` raised.
        """
        version = self._enter(wanted, wants_no_more)
        try:
            yield version
        finally:
            with self._moved:
                self._inside -= 1
                self._moved.notify_all()

    def close(self) -> None:
        """Let nobody in any more, and wait until all are out; who comes waits until `open`."""
        with self._moved:
            self._is_closed = True
            self._moved.wait_for(lambda: not self._inside)

    def open(self, version: Version) -> None:
        """Let in again, with what serves now."""
        with self._moved:
            self._is_closed, self._version = False, version
            self._moved.notify_all()

    def _enter(self, wanted: Callable[[], Version], wants_no_more: Callable[[], bool]) -> Version:
        ticket = object()
        with self._moved:
            self._waiting.append(ticket)
            try:
                while not (self._is_next(ticket) and self._is_free_for(version := wanted())):
                    if wants_no_more():
                        raise LeftTheQueue
                    self._moved.wait(_LOOK_SECONDS)
                if version != self._version:
                    self._change(version)
                    self._version = version
                self._inside += 1
                return version
            finally:
                self._waiting.remove(ticket)
                self._moved.notify_all()

    def _is_next(self, ticket: object) -> bool:
        return not self._is_closed and self._waiting[0] is ticket and self._inside < self._at_once

    def _is_free_for(self, version: Version) -> bool:
        return not self._inside or version == self._version

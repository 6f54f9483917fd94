"""The circuit breaker before a server: after so many failures in a row nobody asks it for a while, then one tries.

Knows nothing of HTTP, of what is asked or of what a failure is; its clock comes in.

The pattern is Nygard's ("Release It!", 2007). Ready-made ones were looked at: pybreaker holds its lock for as long as a
call lasts, so that texts would be written one after another, and purgatory lets everybody in for the trial.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]


class CircuitOpen(Exception):
    """Nobody may ask just now.

    Attributes:
        seconds: until somebody may; 0 while one tries.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Circuit:
    """Whoever asks calls `enter` before, and one of `succeed`, `fail` and `leave` after. Any thread may.

    Args:
        failures: so many in a row open it.
        seconds: for so long, then one may try.
    """

    def __init__(self, failures: int = 5, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._seconds = seconds
        self._clock = clock
        self._failures = 0
        self._until: float | None = None  # open or half open, since then
        self._is_tried = False
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """closed: all may ask; open: nobody may; half-open: one may, and what comes of it decides."""
        with self._lock:
            if self._until is None:
                return "closed"
            return "half-open" if self._is_tried or self._clock() >= self._until else "open"

    @property
    def failures(self) -> int:
        """How many in a row there were."""
        return self._failures

    def enter(self) -> None:
        """Ask to be let in.

        Raises:
            CircuitOpen: not now.
        """
        with self._lock:
            if self._until is None:
                return
            left = self._until - self._clock()
            if self._is_tried or left > 0:
                raise CircuitOpen(max(0.0, left))
            self._is_tried = True

    def succeed(self) -> None:
        """It answered: all may ask again."""
        with self._lock:
            self._failures = 0
            self._until = None
            self._is_tried = False

    def fail(self) -> None:
        """It did not answer."""
        with self._lock:
            self._failures += 1
            was_trial, self._is_tried = self._is_tried, False
            if was_trial or (self._until is None and self._failures >= self._most):
                self._until = self._clock() + self._seconds

    def leave(self) -> None:
        """Nothing was learned: whoever asked did not wait for an answer."""
        with self._lock:
            self._is_tried = False

"""Stages of long work as one share of the whole, so that a bar moves evenly and tells the time that is left.

Knows nothing of what is done in them, nor of bars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Stages:
    """Work in stages whose lengths are known about.

    Args:
        on_progress: told what is being done and the share of all that is done, in [0, 1].
        plan: for each stage, in order, what it is called and about how long it takes, in any unit.
    """

    def __init__(self, on_progress: Callable[[str, float], None], plan: Iterable[tuple[str, float]]) -> None:
        self._on_progress = on_progress
        self._waiting = list(plan)
        self._whole = sum(length for _, length in self._waiting) or 1.0
        self._done = self._length = 0.0
        self._name = ""

    def next(self) -> None:
        """The next stage begins, and the one before is done."""
        self._done += self._length
        self._name, self._length = self._waiting.pop(0)
        self.share(0)

    def share(self, share: float) -> None:
        """So much of the present stage is done, in [0, 1]."""
        self._on_progress(self._name, min(1.0, (self._done + share * self._length) / self._whole))

    def end(self) -> None:
        """Everything is done."""
        self._on_progress(self._name, 1.0)

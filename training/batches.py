"""Windows in the order in which a run sees them: one optimiser step after another, the same order from any place on.

Knows nothing of models; the order follows from the seed and the epoch alone, so that a run can go on anywhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from training.encode import Window


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A batch of a run: the epoch and its number in that epoch, both from 0."""

    epoch: int = 0
    batch: int = 0


class Batches:
    """Batches for ever, windows reshuffled every epoch.

    Args:
        batch_tokens: how many tokens a batch may hold; a longer window is a batch of its own.
    """

    def __init__(self, windows: Sequence[Window], batch_tokens: int, seed: int) -> None:
        self._windows = windows
        self._batch_tokens = batch_tokens
        self._seed = seed
        self.epoch_tokens = sum(len(window.ids) for window in windows)

    def start_at(self, place: Place) -> Iterator[tuple[Place, list[Window]]]:
        """The batch at a place and all that follow, each with its place."""
        for epoch in count(place.epoch):
            for number, batch in enumerate(self._epoch(epoch)):
                if epoch > place.epoch or number >= place.batch:
                    yield Place(epoch, number), batch

    def _epoch(self, epoch: int) -> Iterator[list[Window]]:
        shuffled = list(self._windows)
        random.Random(self._seed + epoch).shuffle(shuffled)
        batch: list[Window] = []
        size = 0
        for window in shuffled:
            if batch and size + len(window.ids) > self._batch_tokens:
                yield batch
                batch, size = [], 0
            batch.append(window)
            size += len(window.ids)
        if batch:
            yield batch

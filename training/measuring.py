"""Held-out loss during a run: shared between processes, in whatever pieces fit into memory.

Knows nothing of training, of checkpoints or of what a measurement is for.
"""

from __future__ import annotations

from collections.abc import Sequence

from inference.base_model import LoadedBase
from training.encode import EMPTY, Window, pack
from training.evaluate import HeldOut, held_out_loss
from training.ranks import Ranks
from training.step import free_memory, is_out_of_memory, no_room_among_many
from twin.errors import TrainingError


class Measurer:
    """Measures the model as it is just now, always on the same windows.

    Args:
        row_tokens: how many tokens may stand side by side; halved, and kept so, when memory runs out.
    """

    def __init__(self, base: LoadedBase, found: Sequence[Window], row_tokens: int, ranks: Ranks) -> None:
        self._base = base
        self._found = found
        self._row_tokens = row_tokens
        self._ranks = ranks

    def __call__(self) -> HeldOut:
        """Loss of all windows.

        Raises:
            TrainingError: a single one does not fit into memory.
        """
        longest = max(len(window.ids) for window in self._found)
        while True:
            nats, tokens, characters, turns, crowded = self._ranks.total(self._own())
            if not crowded:
                return HeldOut(nats, round(tokens), round(characters), round(turns))
            free_memory()
            if self._row_tokens < longest:
                raise TrainingError(
                    f"A held-out conversation window of {longest:,} tokens does not fit into memory",
                    "lower dataset.context_tokens, or choose a smaller base.model",
                )
            self._row_tokens //= 2

    def _own(self) -> tuple[float, float, float, float, float]:
        """This process's part, and whether memory ran out."""
        rows = self._ranks.deal(pack(self._found, self._row_tokens), EMPTY)
        try:
            part = held_out_loss(self._base.model, rows, self._base.device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if self._ranks.sharded:
                raise no_room_among_many(max(len(row.ids) for row in rows)) from None
            return 0.0, 0.0, 0.0, 0.0, 1.0
        return part.nats, part.tokens, part.characters, part.turns, 0.0

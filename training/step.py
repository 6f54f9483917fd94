"""One optimiser step over a batch of windows, whatever fits into memory at once.

Knows nothing of schedules, of epochs or of files.

The windows of a step are packed into rows, one forward and backward pass each, whose gradients add up. When memory runs
out, the step begins again with rows of half the length; what a step comes to is the same for every length.
"""

from __future__ import annotations

import gc
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel

from inference.base_model import LoadedBase
from training.encode import EMPTY, Row, Window, pack
from training.heap import give_back
from training.loss import summed_loss
from training.optimizer import make_optimizer
from training.ranks import Ranks
from twin.errors import TrainingError
from twin.sections import Train

_WORDS_OF_NO_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step came to: mean loss in nats a label over all processes, the gradient's norm before clipping."""

    loss: float
    gradient_norm: float


class Stepper:
    """Gradients, clipping and the optimiser of one attempt.

    Args:
        say: told when memory ran out.

    Attributes:
        row_tokens: how long rows may be from the next step on.
        optimizer: with its state.
    """

    def __init__(
        self, base: LoadedBase, lora: PeftModel, how: Train, ranks: Ranks, row_tokens: int, say: Callable[[str], None]
    ) -> None:
        self._base = base
        self._how = how
        self._ranks = ranks
        self._say = say
        self.parameters = [weight for weight in lora.parameters() if weight.requires_grad]
        self.optimizer = make_optimizer(self.parameters, 0.0, base.device)
        self.row_tokens = row_tokens

    def gradients(self, found: Sequence[Window], moment: str) -> Taken:
        """Put the gradient of the mean loss over the labels of all windows into the parameters, clipped.

        Args:
            moment: names the step; the dropout's masks follow from it and from the process alone, so that a run can
                go on at any step.

        Raises:
            TrainingError: a single window does not fit into memory.
        """
        while True:
            rows = pack(found, self.row_tokens)
            torch.manual_seed(zlib.crc32(f"{moment} {self._ranks.index}".encode()))
            total, crowded, hopeless = self._ranks.total(self._add_up(rows))
            if not crowded:
                break
            self._make_room(rows, bool(hopeless))
        self._ranks.add_gradients(self.parameters)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self._how.max_grad_norm)
        return Taken(total, float(norm))

    def apply(self, rate: float) -> None:
        """Let the optimiser use the gradients, and forget them."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.forget()
        if self._base.device.type == "cpu":
            give_back()

    def forget(self) -> None:
        """Drop the gradients of a step that is not taken."""
        self.optimizer.zero_grad(set_to_none=True)

    def _add_up(self, rows: Sequence[Row]) -> tuple[float, float, float]:
        """Backward through this process's rows; their share of the loss, whether memory ran out, and for good."""
        labels = sum(len(row.labels) for row in rows)
        total = 0.0
        for row in self._ranks.deal(rows, EMPTY):
            try:
                loss = summed_loss(self._base.model, row, self._base.device) / labels
                loss.backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self._ranks.sharded:
                    raise no_room_among_many(len(row.ids)) from None
                alone = row.positions.count(0) == 1
                return math.nan, 1.0, float(alone and self.row_tokens < len(row.ids))
        return total, 0.0, 0.0

    def _make_room(self, rows: Sequence[Row], hopeless: bool) -> None:
        self.forget()
        free_memory()
        longest = max(len(row.ids) for row in rows)
        if hopeless or self.row_tokens <= 1:
            raise TrainingError(
                f"A conversation window of {longest:,} tokens does not fit into memory",
                "lower dataset.context_tokens, or choose a smaller base.model",
            )
        self.row_tokens = min(self.row_tokens, longest) // 2
        self._say(f"Memory ran out: going on with {self.row_tokens:,} tokens at a time instead of {longest:,}")


def no_room_among_many(tokens: int) -> TrainingError:
    """Where the base model is sharded, the others wait in the middle of a pass: it cannot be tried again."""
    return TrainingError(
        f"A row of {tokens:,} tokens does not fit into memory beside a part of the base model",
        "lower train.batch_tokens or dataset.context_tokens, or use more processes",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, of a library of CUDA or of Python itself says that memory ran out."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS_OF_NO_MEMORY)


def free_memory() -> None:
    """Give back what a failed pass held; call it outside of the `except`, whose traceback holds tensors."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

"""Several processes that train one adapter together, through accelerate: gloo between CPUs, NCCL between GPUs.

Knows nothing of who started them (training/launch.py did), of models or of data.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, reduce

from training.deepspeed_file import zero_config
from training.ranks import Ranks
from twin.sections import Train

T = TypeVar("T")
# The others wait while the first builds the training set, measures or judges. Nobody waits for the dead that long:
# the launcher ends all processes when one ends.
_PATIENCE = timedelta(days=2)


class Processes(Ranks):
    """This process among the others, found from what `accelerate launch` told it.

    Args:
        state: of the process group.
    """

    def __init__(self, state: PartialState) -> None:
        self._state = state
        self.index = state.process_index
        self.count = state.num_processes
        self._let_go: Callable[[Any], None] | None = None

    @contextmanager
    def first_here_first(self) -> Iterator[None]:
        """See Ranks."""
        with self._state.local_main_process_first():
            yield

    def total(self, values: Sequence[float]) -> list[float]:
        """See Ranks; added up in float64."""
        together = torch.tensor(list(values), dtype=torch.float64, device=self._state.device)
        found: list[float] = reduce(together, reduction="sum").tolist()
        return found

    def add_gradients(self, parameters: Sequence[Any]) -> None:
        """See Ranks; all gradients travel as one vector of fp32, a few MB for a LoRA."""
        if not parameters:
            return
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat: torch.Tensor = reduce(torch.cat([part.reshape(-1).float() for part in parts]), reduction="sum")
        start = 0
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = flat[start : start + part.numel()].view_as(part).to(part.dtype)
            start += part.numel()

    def shard(self, model: Any, device: torch.device, how: Train) -> None:
        """See Ranks; by FSDP2 or DeepSpeed's ZeRO-3."""
        if how.sharding == "deepspeed":
            from training import zero3

            zero3.share_out(model, device, zero_config(how))
            self._let_go = zero3.let_go
        else:
            from training.sharding import share_out

            share_out(model, device, self.count)
        self.sharded = True

    def let_go(self, model: Any) -> None:
        """See Ranks."""
        if self._let_go is not None:
            self._let_go(model)

    def tell(self, value: T) -> T:
        """See Ranks."""
        said = [value if self.is_first else None]
        broadcast_object_list(said, from_process=0)
        return said[0]  # type: ignore[return-value]


@contextmanager
def joined(*, cpu: bool) -> Iterator[Processes]:
    """This process's place among those that were launched together; they part at the end.

    Args:
        cpu: compute and talk on CPUs even if there is a GPU.
    """
    _die_with_parent()
    state = PartialState(cpu=cpu, timeout=_PATIENCE)
    try:
        yield Processes(state)
    finally:
        state.destroy_process_group()


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the launcher dies, however that dies (prctl(2), PR_SET_PDEATHSIG = 1)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() == 1:
            os.kill(os.getpid(), signal.SIGKILL)

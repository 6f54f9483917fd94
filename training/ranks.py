"""The processes that train one adapter together: which of them this is, and what they tell one another.

Knows nothing of how they talk. This is the one for a process alone; training/distributed.py has the one for several.

Every process holds the whole data set, the same weights (of the base model perhaps only a part: `sharded`) and the same
optimiser state. Of each step's rows it takes its own, divides their loss by the labels of all rows, and adds its
gradients to the others'; so all of them take the same step, and a step is the same whatever their number. Only the
first measures, saves and reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from twin.sections import Train

T = TypeVar("T")


class Ranks:
    """A process alone.

    Attributes:
        index: this process's number, from 0.
        count: how many there are.
        sharded: whether the base model is shared out among them; then all must make as many passes through it.
    """

    index: int = 0
    count: int = 1
    sharded: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that measures, saves and reports."""
        return self.index == 0

    @contextmanager
    def first_here_first(self) -> Iterator[None]:
        """The first process of each machine goes through alone, then the others: for what is made once, then found."""
        yield

    def deal(self, rows: Sequence[T], empty: T) -> list[T]:
        """This process's rows of a step; all processes are given the same ones in the same order.

        Args:
            empty: a row that counts nothing; where the base model is sharded, who has a row less than others gets it.
        """
        own = list(rows[self.index :: self.count])
        lacks = self.sharded and len(own) * self.count < len(rows)
        return [*own, empty] if lacks else own

    def shard(self, model: Any, device: Any, how: Train) -> None:
        """Keep only a part of the base model's frozen weights, if there are others to keep the rest. A meeting.

        Args:
            how: `sharding` says by which library.
        """

    def let_go(self, model: Any) -> None:
        """Make sure that a sharded model takes no memory once nobody refers to it any more."""

    def total(self, values: Sequence[float]) -> list[float]:
        """Each value's sum over all processes; a meeting: every process must come, with as many values."""
        return list(values)

    def add_gradients(self, parameters: Sequence[Any]) -> None:
        """Replace every parameter's gradient by the sum over all processes; no gradient counts as zero. A meeting."""

    def tell(self, value: T) -> T:
        """What the first process says, anything that can be pickled; what the others pass is dropped. A meeting."""
        return value

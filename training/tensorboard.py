"""A run's numbers for TensorBoard, in event files under the home: `tensorboard --logdir HOME/tensorboard`.

Knows nothing of training: points come in. No text of any message, and nothing leaves the machine.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from training.progress import Point
from twin.errors import SettingsError


class Board:
    """Writes points as they come; a run that goes on after a stop writes on beside what is there.

    Args:
        folder: of this run; made if it is not there.

    Raises:
        SettingsError: the package `tensorboard` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise SettingsError(
                "train.tensorboard is on, but the package tensorboard is not installed",
                "run `pip install '.[tensorboard]'`, or set train.tensorboard = false",
            ) from error
        self._writer: Any = SummaryWriter(folder, flush_secs=10)

    def show(self, point: Point) -> None:
        """Write one step."""
        values = {
            "loss/train": point.loss,
            "loss/held_out": point.held_out,
            "rate": point.rate,
            "gradient_norm": point.gradient_norm,
            "tokens_per_second": point.tokens / point.seconds if point.seconds else None,
        }
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, point.step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

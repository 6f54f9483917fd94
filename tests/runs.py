"""Runs of the trainer over tiny models and made-up windows, without any database: what tests of its loop share."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from inference.base_model import LoadedBase, load_base
from training.checkpoint import Checkpoints
from training.encode import Window
from training.qlora import Run
from twin.sections import Base, Train
from twin.settings import Settings

QUICK = {"epochs": 2, "learning_rate": 5e-3, "batch_tokens": 96, "rank": 4, "dropout": 0.1, "evaluations": 3}


class Killed(BaseException):
    """Stands for a death that nothing in the run can answer to."""


class Clock:
    """Seconds that pass with every look, a quarter unless asked otherwise."""

    def __init__(self, tick: float = 0.25) -> None:
        self.now = 0.0
        self.tick = tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def some_windows(count: int, seed: int = 0, longest: int = 40) -> list[Window]:
    """Windows of random ids with a pattern to learn: supervised ids follow from those before."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        length = draw.randint(6, longest)
        ids = [1]
        while len(ids) < length:
            ids.append(3 + (ids[-1] * 7 + draw.randint(0, 2)) % 200)
        supervised = (False, *(draw.random() < 0.6 for _ in range(length - 2)), True)
        found.append(Window(tuple(ids), supervised, turns=1, characters=length))
    return found


class Trainer:
    """Makes runs of the same training again and again, each over a model of its own.

    Attributes:
        said: every sentence; steps: every progress.
    """

    def __init__(self, settings: Settings, base: Path, windows: int = 24, longest: int = 40, **how: Any) -> None:
        update = {"base": Base(model=str(base), quantization="none"), "train": Train(**(QUICK | how))}
        self.settings = settings.model_copy(update=update)
        self.learned, self.measured = some_windows(windows, longest=longest), some_windows(8, seed=1)
        self.said: list[str] = []
        self.stop = threading.Event()

    def load(self) -> LoadedBase:
        """The base model, anew."""
        return load_base(self.settings)

    def checkpoints(self, folder: Path, minutes: float = 1e-9) -> Checkpoints:
        """Checkpoints after every step, unless asked otherwise."""
        folder.mkdir(exist_ok=True)
        return Checkpoints(folder, minutes, Clock(), self.said.append)

    def run(
        self,
        checkpoints: Checkpoints | None = None,
        on_progress: Callable[[Any], None] = lambda _: None,
        **more: Any,
    ) -> Run:
        """A run that has not begun."""
        return Run(
            self.load(),
            self.settings,
            self.learned,
            self.measured,
            self.settings.train.learning_rate or 1e-3,
            checkpoints=checkpoints,
            say=self.said.append,
            on_progress=on_progress,
            stop=self.stop,
            **({"clock": Clock()} | more),
        )


def kill_at(step: int) -> Callable[[Any], None]:
    """A listener to progress that dies there."""

    def listen(progress: Any) -> None:
        if progress.step == step:
            raise Killed

    return listen


def losses(run: Run) -> list[tuple[float, ...]]:
    """Everything in a curve but for the seconds."""
    return [(p.step, p.tokens, p.loss, p.rate, p.gradient_norm, p.held_out) for p in run.curve]


def weights(run: Run) -> dict[str, torch.Tensor]:
    """The trained weights as they are."""
    return {name: value.detach().clone() for name, value in run.lora.named_parameters() if value.requires_grad}

"""What a process does in a training that another one leads: load the same base model, take its share of every step.

Knows nothing of the database, of snapshots or of publishing: what it learns from, it is told by the first process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.base_model import load_base
from inference.model_folder import locate
from training.cards import plan_here
from training.distributed import joined
from training.encode import Window
from training.launch import note_end, note_first
from training.optimizer import default_learning_rate
from training.qlora import Run
from training.ranks import Ranks
from twin.settings import Settings


@contextmanager
def part_of(folder: Path, *, cpu: bool) -> Iterator[Ranks]:
    """This process's place in a training in several; why it fails is noted in the folder, and nothing printed.

    Args:
        folder: of the front on this machine; see training/launch.py.
    """
    with joined(cpu=cpu) as ranks:
        if ranks.is_first:
            note_first(folder)
        try:
            yield ranks
        except Exception as error:  # noqa: BLE001 - the front says it, in one sentence for all processes
            note_end(folder, ranks.index, ranks.count, error)
            raise SystemExit(2) from None


def follow(settings: Settings, ranks: Ranks) -> None:
    """Everything that `training.run.train` has in common for all processes, to its end.

    Raises:
        ModelError: the base model cannot be loaded here.
        TrainingError: what the first process raises too.
    """
    with ranks.first_here_first():
        folder = locate(settings)
    plan = ranks.tell(plan_here(settings, folder))
    base = load_base(settings, sharded=settings.train.sharding != "none")
    nothing: tuple[list[Window], list[Window], bool] = ([], [], False)
    learned, measured, keep_interrupted = ranks.tell(nothing)
    run = Run(
        base,
        settings,
        learned,
        measured,
        settings.train.learning_rate or default_learning_rate(base.parameters),
        checkpoints=None,
        say=lambda _: None,
        on_progress=lambda _: None,
        stop=threading.Event(),
        keep_interrupted=keep_interrupted,
        ranks=ranks,
        plan=plan,
    )
    run.train()


def too_little(settings: Settings, count: int) -> str | None:
    """What to say when a step has too few tokens for so many processes."""
    wanted = count * settings.dataset.context_tokens
    if settings.train.batch_tokens >= wanted:
        return None
    return (
        f"A step of {settings.train.batch_tokens:,} tokens leaves some of {count} processes without work: "
        f"train.batch_tokens = {wanted} gives each a whole window."
    )

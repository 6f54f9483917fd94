"""A training job: snapshot in; base loaded, trained, published, judged and, if it proved itself, promoted.

Knows nothing of the command line or of the queue; progress goes to a callback, a stop comes from an event.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from inference.base_model import LoadedBase, load_base
from inference.model_folder import locate
from training.cards import plan_here
from training.checkpoint import Checkpoints, open_run, remove_others
from training.encode import Window, windows
from training.evaluate import evenly
from training.fidelity.canaries import plant
from training.gate import Verdict
from training.identity import fingerprint_of, note
from training.judging import examine
from training.loss import check_head
from training.optimizer import default_learning_rate
from training.plan import Plan
from training.progress import Progress
from training.publishing import canaries_of, publish
from training.qlora import Run
from training.ranks import Ranks
from training.snapshot import Snapshot
from training.tensorboard import Board
from training.windows import windows_of
from twin.errors import TrainingError
from twin.prompt import PromptSpec
from twin.registry import Manifest, Registry, new_version
from twin.settings import Settings

_VAL_TOKENS = 16_000
_VAL_TOKENS_LEAST = 3_000
_VAL_TOKENS_PER_SECOND = 6  # of the time budget: keeps held-out measurements near a seventh of it


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run came to.

    Attributes:
        manifest: of the published version.
        promoted: whether it serves now; `reason` says why or why not.
        interrupted: whether it was stopped before its end.
    """

    manifest: Manifest
    promoted: bool
    reason: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a run needs before its first step; `started` is when its time began."""

    base: LoadedBase
    spec: PromptSpec
    learned: list[Window]
    measured: list[Window]
    plan: Plan
    started: float


def train(
    settings: Settings,
    snapshot: Snapshot,
    registry: Registry,
    *,
    say: Callable[[str], None],
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    keep_interrupted: bool = True,
    fresh: bool = False,
    force: Callable[[], bool] = lambda: False,
    ranks: Ranks | None = None,
) -> Trained:
    """Fine-tune, keep the best checkpoint by held-out loss, publish it, promote it if it proved itself.

    A run that broke off goes on at its last checkpoint. With `train.max_seconds` all of it, but for the one-off
    preparation of the base model, ends in about that time: the learning rate follows the larger of the share of steps
    done and the share of time used, so that it has decayed when time is up.

    Args:
        keep_interrupted: publish, but do not promote, the best checkpoint of a run that was stopped.
        fresh: start anew even if there is a checkpoint.
        force: asked at the end whether what was published is to serve whatever the gate says.

    Raises:
        ModelError: the base model cannot be loaded, or is of a family that cannot be trained.
        TrainingError: it diverged twice, memory or disk do not suffice, or it was stopped.
    """
    ranks = ranks or Ranks()
    ready = _prepare(settings, snapshot, registry, say, ranks)
    ranks.tell((ready.learned, ready.measured, keep_interrupted))  # training.following waits for that
    if stop.is_set():
        raise TrainingError("Training was stopped before it began", "start it again when there is time")
    with (
        _checkpoints(settings, snapshot, ready, say, fresh=fresh, first=ranks.is_first) as checkpoints,
        _on_board(settings, on_progress, first=ranks.is_first) as on_progress,
    ):
        run = Run(
            ready.base,
            settings,
            ready.learned,
            ready.measured,
            settings.train.learning_rate or default_learning_rate(ready.base.parameters),
            checkpoints=checkpoints,
            say=say,
            on_progress=on_progress,
            stop=stop,
            keep_interrupted=keep_interrupted,
            started=ready.started,
            ranks=ranks,
            plan=ready.plan,
        )
        run.train()
        if run.interrupted and not (keep_interrupted and run.standing.learned):
            raise _stopped(run)
        say("Publishing")
        trained = _conclude(run, snapshot, ready.spec, registry, say, force())
        if checkpoints is not None and not run.interrupted:
            checkpoints.remove()
    return trained


def _prepare(
    settings: Settings, snapshot: Snapshot, registry: Registry, say: Callable[[str], None], ranks: Ranks
) -> _Prepared:
    say(f"Preparing the base model {settings.base.model} (the first time, this takes a minute)")
    with ranks.first_here_first():
        folder = locate(settings)
    plan = ranks.tell(plan_here(settings, folder))
    if not plan.fits:
        say("This may need more memory than there is: `twin plan` says what would help")
    started = time.monotonic()
    say(f"Loading the base model {settings.base.model}")
    base = load_base(settings, sharded=ranks.count > 1 and settings.train.sharding != "none")
    check_head(base.model, base.model.device)
    spec = PromptSpec.of(settings, snapshot.account.language).bound_to(base.tokenizer)
    say("Encoding conversations")
    parts = windows_of(snapshot, ("train", "val"), spec, base.tokenizer, registry.db)
    learned = parts["train"]
    if settings.train.canaries:
        planted = plant(snapshot.sessions("train"), canaries_of(settings, snapshot))
        learned = windows(planted, spec, base.tokenizer)
    return _Prepared(base, spec, learned, evenly(parts["val"], _val_tokens(settings)), plan, started)


def _val_tokens(settings: Settings) -> int:
    """How much is measured during training: all of the validation part, or what a time budget allows."""
    budget = settings.train.max_seconds
    if budget is None:
        return _VAL_TOKENS
    return min(_VAL_TOKENS, max(_VAL_TOKENS_LEAST, int(_VAL_TOKENS_PER_SECOND * budget)))


@contextmanager
def _checkpoints(
    settings: Settings,
    snapshot: Snapshot,
    ready: _Prepared,
    say: Callable[[str], None],
    *,
    fresh: bool,
    first: bool,
) -> Iterator[Checkpoints | None]:
    """Where this run goes on from, for the first process; what others left there does not fit and goes."""
    if not first:
        yield None
        return
    about = (ready.base.identity, ready.spec, ready.base.device.type)
    fingerprint = fingerprint_of(settings, (ready.learned, ready.measured), about)
    with open_run(settings.runs, fingerprint) as folder:
        checkpoints = Checkpoints(folder, settings.train.checkpoint_minutes, time.monotonic, say)
        if fresh:
            checkpoints.remove()
        if remove_others(settings.runs, fingerprint):
            say("The checkpoint of an earlier training does not fit this one (other messages, settings or programs)")
        with suppress(OSError):  # it only spares work
            note(folder, settings, snapshot, time.time())
        yield checkpoints


@contextmanager
def _on_board(
    settings: Settings, on_progress: Callable[[Progress], None], *, first: bool
) -> Iterator[Callable[[Progress], None]]:
    """TensorBoard is told too, if it is to be."""
    if not (settings.train.tensorboard and first):
        yield on_progress
        return
    with Board(settings.home / "tensorboard" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}") as board:

        def tell(progress: Progress) -> None:
            board.show(progress.point)
            on_progress(progress)

        yield tell


def _conclude(
    run: Run, snapshot: Snapshot, spec: PromptSpec, registry: Registry, say: Callable[[str], None], force: bool
) -> Trained:
    """Publish, judge, and promote what proved itself or is to serve in any case."""
    now = datetime.now(UTC)
    manifest = publish(run, snapshot, spec, registry, run.standing.version or new_version(now), now)
    if registry.is_stale(manifest):
        return Trained(manifest, False, "it learned from messages that were forgotten meanwhile", run.interrupted)
    verdict = examine(run, manifest, snapshot, registry, say)
    if force and not verdict.promoted and not run.interrupted and not run.settings.train.canaries:
        verdict = Verdict(True, f"forced, although: {verdict.reason}")
    if verdict.promoted:
        registry.promote(manifest.version, verdict.reason, time.time())
    return Trained(manifest, verdict.promoted, verdict.reason, run.interrupted)


def _stopped(run: Run) -> TrainingError:
    if not run.standing.steps:
        return TrainingError("Training was stopped before its first step", "start it again when there is time")
    return TrainingError(
        f"Training was stopped after {run.standing.steps:,} steps", "start it again: it goes on from there"
    )

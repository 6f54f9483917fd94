"""A training job: snapshot in; base loaded, trained, published, judged and, if it proved itself, promoted.

Knows nothing of the command line or of the queue; progress goes to a callback, a stop comes from an event.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version

import torch

from inference.base_model import load_base, locate
from training.encode import Row, Window, pack
from training.evaluate import evenly, held_out_loss
from training.loss import check_head
from training.optimizer import default_learning_rate
from training.progress import Progress
from training.qlora import Run, row_tokens
from training.snapshot import Snapshot, load
from training.windows import windows_of
from twin.errors import AdapterError, DatasetError, TrainingError
from twin.prompt import PromptSpec
from twin.registry import Manifest, Registry, new_version
from twin.settings import Settings

_VAL_TOKENS = 16_000
_VAL_TOKENS_LEAST = 3_000
_VAL_TOKENS_PER_SECOND = 6  # of the time budget: keeps held-out measurements near a seventh of it
_TOLERANCE = 1.01
_LIBRARIES = ("twin", "torch", "transformers", "peft", "bitsandbytes")


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


def train(
    settings: Settings,
    snapshot: Snapshot,
    registry: Registry,
    *,
    say: Callable[[str], None],
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    keep_interrupted: bool = True,
) -> Trained:
    """Fine-tune, keep the best checkpoint by held-out loss, publish it, promote it if it proved itself.

    With `train.max_seconds` all of it, but for the one-off preparation of the base model, ends in about that
    time: the learning rate follows the larger of the share of steps done and the share of time used, so that
    it has decayed when time is up.

    Args:
        keep_interrupted: publish, but do not promote, the best checkpoint of a run that was stopped.

    Raises:
        ModelError: the base model cannot be loaded, or is of a family that cannot be trained.
        TrainingError: the loss became NaN twice, or the run was stopped before anything was learned.
    """
    say(f"Preparing the base model {settings.base.model} (the first time, this takes a minute)")
    locate(settings)
    started = time.monotonic()
    say(f"Loading the base model {settings.base.model}")
    base = load_base(settings)
    check_head(base.model, base.device)
    spec = PromptSpec.of(settings, snapshot.account.language).for_tokenizer(base.tokenizer.fingerprint)
    say("Encoding conversations")
    parts = windows_of(snapshot, ("train", "val"), spec, base.tokenizer, registry.db)
    train_windows, val_rows = parts["train"], _val_rows(settings, parts["val"])
    if stop.is_set():
        raise _stopped_too_early()

    def attempt(rate: float) -> Run:
        torch.manual_seed(settings.train.seed)
        run = Run(base, settings, train_windows, val_rows, rate, started, on_progress, stop)
        run.train(say)
        return run

    run = _until_finite(attempt, settings.train.learning_rate or default_learning_rate(base.parameters), say)
    if run.interrupted and (run.best is run.before or not keep_interrupted):
        raise _stopped_too_early()
    say("Publishing")
    return _publish(run, snapshot, spec, registry)


def _val_rows(settings: Settings, found: Sequence[Window]) -> list[Row]:
    """What is measured during training: all of the validation part, or what a time budget allows."""
    budget = settings.train.max_seconds
    tokens = _VAL_TOKENS
    if budget is not None:
        tokens = min(_VAL_TOKENS, max(_VAL_TOKENS_LEAST, int(_VAL_TOKENS_PER_SECOND * budget)))
    return pack(evenly(found, tokens), row_tokens(settings))


def _until_finite(attempt: Callable[[float], Run], rate: float, say: Callable[[str], None]) -> Run:
    """Train; when the loss becomes NaN, once more from the start at half the rate."""
    for chosen in (rate, rate / 2):
        try:
            return attempt(chosen)
        except FloatingPointError:
            say("The loss is not a number: starting again at half the learning rate")
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise TrainingError(
                "Training needs more memory than there is",
                "lower dataset.context_tokens and train.batch_tokens, or choose a smaller base.model",
            ) from error
    raise TrainingError("The loss became NaN twice", "lower train.learning_rate, or check the base model")


def _publish(run: Run, snapshot: Snapshot, spec: PromptSpec, registry: Registry) -> Trained:
    now = datetime.now(UTC)
    manifest = Manifest(
        version=new_version(now),
        created_at=now.isoformat(timespec="seconds"),
        base=run.base.identity,
        prompt=spec,
        dataset=snapshot.fingerprint,
        owner_turns=snapshot.owner_turns,
        lora={
            "rank": run.settings.train.rank,
            "alpha": run.settings.train.alpha,
            "dropout": run.settings.train.dropout,
        },
        metrics=run.before.as_dict("val_base")
        | run.best.as_dict("val")
        | {
            "truncated_turns": run.truncated_turns,
            "steps": run.steps,
            "tokens": run.tokens,
            "seconds": round(run.seconds, 1),
            "tokens_per_second": round(run.tokens / max(run.seconds, 1e-9), 1),
            "interrupted": run.interrupted,
        },
        versions={name: library_version(name) for name in _LIBRARIES},
    )
    with registry.incoming() as folder:
        try:
            run.lora.save_pretrained(folder)
            manifest = registry.publish(folder, manifest)
        except OSError as error:
            raise TrainingError(f"The adapter cannot be written ({error.strerror})", "free some disk space") from error
    if registry.is_stale(manifest):
        return Trained(manifest, False, "it learned from messages that were forgotten meanwhile", run.interrupted)
    promoted, reason = _judge(run, snapshot, registry, spec)
    if promoted:
        registry.promote(manifest.version, reason, time.time())
    return Trained(manifest, promoted, reason, run.interrupted)


def _stopped_too_early() -> TrainingError:
    return TrainingError("Training was stopped before there was anything to keep", "start it again when there is time")


def _judge(run: Run, snapshot: Snapshot, registry: Registry, spec: PromptSpec) -> tuple[bool, str]:
    """Whether the challenger proved itself: better than the base, not worse than the champion by over 1 %."""
    mine = run.best.bits_per_character
    if run.interrupted:
        return False, "training was stopped before its end"
    if run.best is run.before:
        return False, f"not better than the base model on held-out replies ({mine:.3f} bits per character)"
    champion = _champion_loss(run, snapshot, registry, spec)
    if champion is not None and mine > _TOLERANCE * champion:
        return False, f"worse than the adapter that serves: {mine:.3f} against {champion:.3f} bits per character"
    beaten = f"the base model's {run.before.bits_per_character:.3f}"
    return True, f"{mine:.3f} held-out bits per character against {beaten}"


def _champion_loss(run: Run, snapshot: Snapshot, registry: Registry, spec: PromptSpec) -> float | None:
    """Held-out bits per character of the adapter that serves, on the same rows; None when it cannot be compared."""
    version = registry.current()
    if version is None:
        return None
    try:
        champion = registry.verify(version, run.base.identity)
        learned_until = load(run.settings.datasets, champion.dataset).cuts.val_from
    except (AdapterError, DatasetError):
        return None
    if champion.prompt != spec or learned_until > snapshot.cuts.val_from:
        return None  # it reads conversations that are written otherwise, or has seen some of the held-out ones
    run.lora.load_adapter(registry.path(version), adapter_name=version, is_trainable=False)
    run.lora.set_adapter(version)
    try:
        return held_out_loss(run.base.model, run.val_rows, run.base.device).bits_per_character
    finally:
        run.lora.set_adapter("default")
        run.lora.delete_adapter(version)

"""QLoRA: a dataset snapshot in, a published adapter out.

Knows nothing of the command line or of jobs; progress goes to a callback, a stop comes from an event.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from itertools import count
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from inference.base_model import LoadedBase, load_base, locate
from training.dataset import Snapshot
from training.encode import Row, Window, pack, windows
from training.evaluate import HeldOut, evenly, held_out_loss
from training.loss import summed_loss
from twin.errors import AdapterError, TrainingError
from twin.prompt import PromptSpec
from twin.registry import Manifest, Registry, new_version
from twin.settings import Settings, Train

_ROW_TOKENS = 1024  # longer rows cost more attention than they save; measured on CPU: 1024 > 2048 tokens/s
_VAL_TOKENS = 16_000
_VAL_TOKENS_PER_SECOND = 6  # of the time budget: keeps held-out measurements near a seventh of it
_TOLERANCE = 1.01
_CHECKPOINTING_FROM = 1e9
_LIBRARIES = ("twin", "torch", "transformers", "peft", "bitsandbytes")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step, steps: optimiser steps done, and in all at the present speed.
        loss: mean training loss in nats a token, smoothed.
        tokens_per_second: of conversation, context included.
        seconds_left: until training ends, held-out measurements not counted.
        held_out: the last measurement; base: the one before the first step.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    held_out: HeldOut
    base: HeldOut

    def as_dict(self) -> dict[str, float]:
        """Rounded numbers for the job queue."""
        return {
            "step": self.step,
            "steps": self.steps,
            "loss": round(self.loss, 4),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "seconds_left": round(self.seconds_left),
            "val_bits_per_character": round(self.held_out.bits_per_character, 4),
            "base_bits_per_character": round(self.base.bits_per_character, 4),
        }


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
) -> Trained:
    """Fine-tune, keep the best checkpoint by held-out loss, publish it, promote it if it proved itself.

    With `train.max_seconds` all of it, but for the one-off preparation of the base model, ends in about that
    time: the learning rate follows the larger of the share of steps done and the share of time used, so that
    it has decayed when time is up.

    Raises:
        ModelError: the base model cannot be loaded.
        TrainingError: the loss became NaN twice, or the run was stopped before anything was learned.
    """
    torch.manual_seed(settings.train.seed)
    say(f"Preparing the base model {settings.base.model} (the first time, this takes a minute)")
    locate(settings)
    started = time.monotonic()
    say(f"Loading the base model {settings.base.model}")
    base = load_base(settings)
    spec = PromptSpec(settings.base.template, settings.base.system, settings.dataset.context_tokens)
    spec = spec.for_tokenizer(base.tokenizer.fingerprint)
    say("Encoding conversations")
    train_windows = windows(snapshot.sessions("train"), spec, base.tokenizer)
    val_windows = windows(snapshot.sessions("val"), spec, base.tokenizer)
    budget = settings.train.max_seconds
    val_tokens = _VAL_TOKENS if budget is None else min(_VAL_TOKENS, int(_VAL_TOKENS_PER_SECOND * budget))
    val_rows = pack(evenly(val_windows, val_tokens), _row_tokens(settings))
    for rate in (settings.train.learning_rate, settings.train.learning_rate / 2):
        run = _Run(base, settings, train_windows, val_rows, rate, started, on_progress, stop)
        try:
            run.train(say)
            break
        except FloatingPointError:
            say("The loss is not a number: starting again at half the learning rate")
            base.model = run.lora.unload()
    else:
        raise TrainingError("The loss became NaN twice", "lower train.learning_rate, or check the base model")
    return _publish(run, snapshot, spec, registry, say)


class _Run:
    """One pass of training over one base model."""

    def __init__(
        self,
        base: LoadedBase,
        settings: Settings,
        train_windows: Sequence[Window],
        val_rows: Sequence[Row],
        learning_rate: float,
        started: float,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
    ) -> None:
        self.base = base
        self.settings = settings
        self._how = settings.train
        self._windows = train_windows
        self.val_rows = val_rows
        self._rate = learning_rate
        self._started = started
        self._on_progress = on_progress
        self._stop = stop
        self.lora: PeftModel = add_lora(base, settings.train)
        self._parameters = [weight for weight in self.lora.parameters() if weight.requires_grad]
        self._optimizer = make_optimizer(self._parameters, learning_rate, base.device)
        self.before: HeldOut
        self.best: HeldOut
        self._best_state: dict[str, torch.Tensor] = {}
        self.steps = 0
        self.tokens = 0
        self.seconds = 0.0
        self.interrupted = False

    def train(self, say: Callable[[str], None]) -> None:
        """Run to the end of the epochs, of the time, or until stopped; the best state is in the model then."""
        say("Measuring the base model on held-out conversations")
        begin = time.monotonic()
        self.before = self.best = held_out_loss(self.base.model, self.val_rows, self.base.device)
        self._measuring = time.monotonic() - begin
        self._best_state = self._state()
        epoch_tokens = sum(len(window.ids) for window in self._windows)
        total_tokens = epoch_tokens * (self._how.epochs or default_epochs(sum(w.turns for w in self._windows)))
        say(f"Training on {sum(w.turns for w in self._windows):,} replies in {len(self._windows):,} windows")
        self._loop(total_tokens)
        set_peft_model_state_dict(self.lora, self._best_state)

    def _loop(self, total_tokens: int) -> None:
        begin, measured = time.monotonic(), 0
        smoothed, held_out = math.nan, self.before
        available = self._time_available(begin)
        self.lora.train()
        for batch in self._batches():
            share = max(self.tokens / total_tokens, self.seconds / available)
            self.interrupted = self._stop.is_set()
            if share >= 1 or self.interrupted:
                break
            loss = self._step(batch, schedule(share, self._how.warmup) * self._rate)
            smoothed = loss if math.isnan(smoothed) else 0.9 * smoothed + 0.1 * loss
            self.steps += 1
            self.tokens += sum(len(row.ids) for row in batch)
            self.seconds = time.monotonic() - begin - measured * self._measuring
            share = max(self.tokens / total_tokens, self.seconds / available)
            if share >= 1 or int(share * self._how.evaluations) > measured:
                measured += 1
                held_out = self._measure()
            self._on_progress(self._progress(share, smoothed, held_out))
        if self.interrupted and self.steps:
            self._measure()

    def _step(self, batch: Sequence[Row], rate: float) -> float:
        """One optimiser step over a batch of rows; returns the mean loss in nats a label."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        labels = sum(len(row.labels) for row in batch)
        total = 0.0
        for row in batch:
            loss = summed_loss(self.base.model, row, self.base.device) / labels
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._how.max_grad_norm)
        if not math.isfinite(total) or not math.isfinite(float(norm)):
            raise FloatingPointError
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return total

    def _measure(self) -> HeldOut:
        found = held_out_loss(self.base.model, self.val_rows, self.base.device)
        if found.nats < self.best.nats:
            self.best, self._best_state = found, self._state()
        return found

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().cpu().clone() for name, value in get_peft_model_state_dict(self.lora).items()}

    def _batches(self) -> Iterator[list[Row]]:
        """Rows for one optimiser step after another, for ever; windows are reshuffled every epoch."""
        for epoch in count():
            shuffled = list(self._windows)
            random.Random(self._how.seed + epoch).shuffle(shuffled)
            batch: list[Window] = []
            for window in shuffled:
                if batch and sum(len(w.ids) for w in batch) + len(window.ids) > self._how.batch_tokens:
                    yield pack(batch, _row_tokens(self.settings))
                    batch = []
                batch.append(window)
            yield pack(batch, _row_tokens(self.settings))

    def _time_available(self, begin: float) -> float:
        """Seconds for optimiser steps: the budget less what is used and what measuring will take."""
        if self._how.max_seconds is None:
            return math.inf
        used = begin - self._started
        measuring = (self._how.evaluations + 1) * self._measuring  # + 1: the champion, on the same rows
        return max(0.1 * self._how.max_seconds, self._how.max_seconds - used - measuring)

    def _progress(self, share: float, loss: float, held_out: HeldOut) -> Progress:
        return Progress(
            step=self.steps,
            steps=max(self.steps, round(self.steps / share)),
            loss=loss,
            tokens_per_second=self.tokens / max(self.seconds, 1e-9),
            seconds_left=max(0.0, self.seconds * (1 / share - 1)),
            held_out=held_out,
            base=self.before,
        )


def add_lora(base: LoadedBase, how: Train) -> PeftModel:
    """LoRA on every linear layer but the head; no `modules_to_save`, so adapters stay small and swappable."""
    if base.parameters > _CHECKPOINTING_FROM:
        base.model.gradient_checkpointing_enable({"use_reentrant": False})
    return get_peft_model(
        base.model,
        LoraConfig(
            r=how.rank,
            lora_alpha=how.alpha,
            lora_dropout=how.dropout,
            target_modules="all-linear",
            bias="none",
            task_type="CAUSAL_LM",
        ),
    )


def make_optimizer(parameters: list[Any], rate: float, device: torch.device) -> torch.optim.Optimizer:
    """Paged 8-bit AdamW on a CUDA GPU (Dettmers et al. 2023), AdamW elsewhere."""
    if device.type == "cuda":
        from bitsandbytes.optim import PagedAdamW8bit

        paged: torch.optim.Optimizer = PagedAdamW8bit(parameters, lr=rate, weight_decay=0.0)
        return paged
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)


def schedule(share: float, warmup: float) -> float:
    """Factor of the learning rate at a share of the run in [0, 1]: linear warm-up, then cosine to 5 %."""
    if share < warmup:
        return (share + 1e-3) / (warmup + 1e-3)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup) / (1 - warmup))))


def default_epochs(turns: int) -> int:
    """Small sets are seen more often: 3 below 1,000 owner turns, 2 below 10,000, else 1."""
    return 3 if turns < 1_000 else 2 if turns < 10_000 else 1


def _row_tokens(settings: Settings) -> int:
    return min(_ROW_TOKENS, settings.train.batch_tokens)


def _publish(
    run: _Run, snapshot: Snapshot, spec: PromptSpec, registry: Registry, say: Callable[[str], None]
) -> Trained:
    if run.interrupted and run.best is run.before:
        raise TrainingError(
            "Training was stopped before the twin was better than the base model", "start it again when there is time"
        )
    say("Publishing")
    now = datetime.now(UTC)
    manifest = Manifest(
        version=new_version(now),
        created_at=now.isoformat(timespec="seconds"),
        base=run.base.identity,
        prompt=spec,
        dataset=snapshot.fingerprint,
        owner_messages=snapshot.owner_messages,
        lora={
            "rank": run.settings.train.rank,
            "alpha": run.settings.train.alpha,
            "dropout": run.settings.train.dropout,
        },
        metrics=run.before.as_dict("val_base")
        | run.best.as_dict("val")
        | {
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
        except OSError as error:
            raise TrainingError(f"The adapter cannot be written ({error.strerror})", "free some disk space") from error
        manifest = registry.publish(folder, manifest)
    promoted, reason = _judge(run, registry)
    if promoted:
        registry.promote(manifest.version, reason, time.time())
    return Trained(manifest, promoted, reason, run.interrupted)


def _judge(run: _Run, registry: Registry) -> tuple[bool, str]:
    """Whether the challenger proved itself: better than the base, not worse than the champion by over 1 %."""
    mine = run.best.bits_per_character
    if run.interrupted:
        return False, "training was stopped before its end"
    if run.best is run.before:
        return False, f"not better than the base model on held-out replies ({mine:.3f} bits per character)"
    champion = _champion_loss(run, registry)
    if champion is not None and mine > _TOLERANCE * champion:
        return False, f"worse than the adapter that serves: {mine:.3f} against {champion:.3f} bits per character"
    beaten = f"the base model's {run.before.bits_per_character:.3f}"
    return True, f"{mine:.3f} held-out bits per character against {beaten}"


def _champion_loss(run: _Run, registry: Registry) -> float | None:
    """Held-out bits per character of the adapter that serves, on the same rows; None when it cannot be compared."""
    version = registry.current()
    if version is None:
        return None
    try:
        registry.verify(version, run.base.identity)
    except AdapterError:
        return None
    run.lora.load_adapter(registry.path(version), adapter_name=version, is_trainable=False)
    run.lora.set_adapter(version)
    try:
        return held_out_loss(run.base.model, run.val_rows, run.base.device).bits_per_character
    finally:
        run.lora.set_adapter("default")
        run.lora.delete_adapter(version)

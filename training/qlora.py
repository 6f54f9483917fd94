"""QLoRA: optimiser steps over packed windows, held-out measurements in between, the best checkpoint at the end.

Knows nothing of datasets on disk or of publishing; progress goes to a callback, a stop comes from an event.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from inference.base_model import LoadedBase
from training.encode import Row, Window, pack
from training.evaluate import HeldOut, held_out_loss
from training.loss import summed_loss
from twin.sections import Train
from twin.settings import Settings

_ROW_TOKENS = 1024  # longer rows cost more attention than they save; measured on CPU: 1024 > 2048 tokens/s
_CHECKPOINTING_FROM = 1e9
_MEASURING_SHARE = 0.2


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


class Run:
    """One training of one adapter over one base model.

    Attributes:
        before, best: held-out loss of the bare base model, and of the best checkpoint so far.
        steps, tokens, seconds: done so far; held-out measurements are not in the seconds.
        truncated_turns: how many were longer than the context budget and are learned, or read, in part.
        interrupted: whether it was stopped before its end.
    """

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
        self.truncated_turns = sum(window.truncated for window in train_windows)
        self.steps = 0
        self.tokens = 0
        self.seconds = 0.0
        self.interrupted = False

    def train(self, say: Callable[[str], None]) -> None:
        """Run to the end of the epochs, of the time, or until stopped; the best state is in the model then.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; the base model is as it was before.
        """
        say("Measuring the base model on held-out conversations")
        begin = time.monotonic()
        self.before = self.best = held_out_loss(self.base.model, self.val_rows, self.base.device)
        self._measuring = time.monotonic() - begin
        self._measurements = self._plan_measurements()
        self._best_state = self._state()
        epoch_tokens = sum(len(window.ids) for window in self._windows)
        total_tokens = epoch_tokens * (self._how.epochs or default_epochs(sum(w.turns for w in self._windows)))
        say(f"Training on {sum(w.turns for w in self._windows):,} replies in {len(self._windows):,} windows")
        try:
            self._loop(total_tokens)
        except FloatingPointError:
            self.base.model = self.lora.unload()
            raise
        set_peft_model_state_dict(self.lora, self._best_state)

    def _loop(self, total_tokens: int) -> None:
        begin, measured = time.monotonic(), 0
        smoothed, held_out = math.nan, self.before
        available = self._time_available(begin)
        self.lora.train()
        for batch in self._batches():
            share = max(self.tokens / total_tokens, self.seconds / available)
            if share >= 1:
                break
            if self._stop.is_set():
                self.interrupted = True
                break
            loss = self._step(batch, schedule(share, self._how.warmup) * self._rate)
            smoothed = loss if math.isnan(smoothed) else 0.9 * smoothed + 0.1 * loss
            self.steps += 1
            self.tokens += sum(len(row.ids) for row in batch)
            self.seconds = time.monotonic() - begin - measured * self._measuring
            share = max(self.tokens / total_tokens, self.seconds / available)
            if share >= 1 or int(share * self._measurements) > measured:
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
                    yield pack(batch, row_tokens(self.settings))
                    batch = []
                batch.append(window)
            yield pack(batch, row_tokens(self.settings))

    def _time_available(self, begin: float) -> float:
        """Seconds for optimiser steps: the budget less what is used and what measuring will take."""
        if self._how.max_seconds is None:
            return math.inf
        left = self._how.max_seconds - (begin - self._started)
        return max(0.1 * self._how.max_seconds, left - self._measurements * self._measuring)

    def _plan_measurements(self) -> int:
        """As many as set, but in a short run no more than fit into a fifth of it; the last is at the end."""
        if self._how.max_seconds is None:
            return self._how.evaluations
        fitting = int(_MEASURING_SHARE * self._how.max_seconds / max(self._measuring, 1e-9))
        return max(1, min(self._how.evaluations, fitting))

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
        base.model.activation_checkpointing_enable({"use_reentrant": False})
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


def default_learning_rate(parameters: int) -> float:
    """2e-4 for models of billions (QLoRA, Dettmers et al. 2023); measured on a 270M one, 5e-4 learns faster."""
    return 5e-4 if parameters < 1e9 else 2e-4


def default_epochs(turns: int) -> int:
    """Small sets are seen more often: 3 below 1,000 owner turns, 2 below 10,000, else 1."""
    return 3 if turns < 1_000 else 2 if turns < 10_000 else 1


def row_tokens(settings: Settings) -> int:
    return min(_ROW_TOKENS, settings.train.batch_tokens)

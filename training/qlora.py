"""QLoRA: optimiser steps over packed windows, held-out measurements in between, the best checkpoint at the end.

Knows nothing of datasets on disk or of publishing; progress goes to a callback, a stop comes from an event.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence

import torch
from peft import PeftModel
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from inference.base_model import LoadedBase
from training.batches import Batches, Place
from training.encode import Row, Window, pack
from training.evaluate import HeldOut, held_out_loss
from training.lora import add_lora
from training.loss import summed_loss
from training.optimizer import default_epochs, make_optimizer, schedule
from training.progress import Progress
from twin.settings import Settings

_ROW_TOKENS = 1024  # longer rows cost more attention than they save; measured on CPU: 1024 > 2048 tokens/s
_MEASURING_SHARE = 0.2


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
        batches = Batches(self._windows, self._how.batch_tokens, self._how.seed)
        total_tokens = batches.epoch_tokens * (self._how.epochs or default_epochs(sum(w.turns for w in self._windows)))
        say(f"Training on {sum(w.turns for w in self._windows):,} replies in {len(self._windows):,} windows")
        try:
            self._loop(batches, total_tokens)
        except FloatingPointError:
            self.base.model = self.lora.unload()
            raise
        set_peft_model_state_dict(self.lora, self._best_state)

    def _loop(self, batches: Batches, total_tokens: int) -> None:
        begin, measured = time.monotonic(), 0
        smoothed, held_out = math.nan, self.before
        available = self._time_available(begin)
        self.lora.train()
        for _, found in batches.start_at(Place()):
            batch = pack(found, row_tokens(self.settings))
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


def row_tokens(settings: Settings) -> int:
    return min(_ROW_TOKENS, settings.train.batch_tokens)

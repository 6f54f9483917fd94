"""QLoRA: optimiser steps over batches of windows, held-out measurements in between, the best checkpoint at the end.

Knows nothing of datasets on disk or of publishing; progress goes to a callback, a stop comes from an event.

A run goes on where its last checkpoint stood, with the same batches in the same order and the same dropout: on a CPU
its curve is that of a run that never stopped. When it diverges it starts once more, at half the rate.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import torch
from peft import PeftModel
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from inference.base_model import LoadedBase, load_base
from training.batches import Batches, Place
from training.checkpoint import Checkpoints
from training.encode import Window
from training.evaluate import HeldOut
from training.health import Diverged, Health
from training.lora import add_lora
from training.measuring import Measurer
from training.optimizer import default_epochs, optimizer_state, restore_optimizer, schedule
from training.pace import Pace, steps_in_all
from training.plan import ROW_ON_CPU, Plan
from training.progress import Point, Progress, write_curve
from training.ranks import Ranks
from training.standing import Standing
from training.step import Stepper, free_memory
from twin.errors import TrainingError
from twin.registry import new_version
from twin.settings import Settings

_ATTEMPTS = 2


class Run:
    """One training of one adapter over one base model.

    Args:
        val_windows: measured `train.evaluations` times, to choose the best checkpoint.
        rate: the peak of the learning rate.
        checkpoints: where to go on from, and where to write that; the first process's alone.
        say: told what is being done; on_progress: after every step.
        stop: ends the run after the step that it is at, with a checkpoint.
        keep_interrupted: measure what a run that was stopped came to, since it may be published.
        clock: seconds, of any origin; started: when `train.max_seconds` began.
        plan: how long rows are and whether activations are computed again; the same in all processes.

    Attributes:
        lora: the base model with its adapter; once trained, in its best state.
        standing: counters, measurements and the curve.
        truncated_turns: how many were longer than the context budget and are learned, or read, in part.
        interrupted: whether it was stopped before its end.
        measure: held-out loss of the model as it is just now, of all processes together.
    """

    def __init__(
        self,
        base: LoadedBase,
        settings: Settings,
        train_windows: Sequence[Window],
        val_windows: Sequence[Window],
        rate: float,
        *,
        checkpoints: Checkpoints | None,
        say: Callable[[str], None],
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
        keep_interrupted: bool = True,
        started: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        ranks: Ranks | None = None,
        plan: Plan | None = None,
    ) -> None:
        self.base = base
        self.settings = settings
        self._how = settings.train
        self._rate = rate
        self._checkpoints = checkpoints
        self._say = say
        self._on_progress = on_progress
        self._stop = stop
        self._keep_interrupted = keep_interrupted
        self._clock = clock
        self._ranks = ranks or Ranks()
        self._batches = Batches(train_windows, self._how.batch_tokens, self._how.seed)
        turns = sum(window.turns for window in train_windows)
        self._plan = f"Training on {turns:,} replies in {len(train_windows):,} windows"
        tokens = self._batches.epoch_tokens * (self._how.epochs or default_epochs(turns))
        self._pace = Pace(self._how, tokens, clock() if started is None else started, clock)
        self.truncated_turns = sum(window.truncated for window in train_windows)
        self.interrupted = False
        torch.manual_seed(self._how.seed)
        self._row_tokens = plan.row_tokens if plan else min(ROW_ON_CPU, self._how.batch_tokens)
        self.lora: PeftModel = add_lora(base, self._how, checkpointing=plan is not None and plan.checkpointing)
        if self._how.sharding != "none":
            self._ranks.shard(base.model, base.device, self._how)
        self._first_state = self._state()
        self.measure = Measurer(base, val_windows, self._row_tokens, self._ranks)
        self.standing: Standing

    @property
    def curve(self) -> list[Point]:
        """Every step of this attempt so far."""
        return self.standing.curve

    @property
    def before(self) -> HeldOut:
        """Held-out loss of the bare base model."""
        return self.standing.before

    @property
    def best(self) -> HeldOut:
        """Held-out loss of the best checkpoint so far, or of the base model."""
        return self.standing.best

    @property
    def stopped_early(self) -> bool:
        """Whether it ended because nothing got better any more."""
        at = self.standing
        return at.unimproved >= self._how.patience and at.measured < at.measurements

    def train(self) -> None:
        """Run to the end of the epochs, of the time or of the patience, or until stopped; keep the best state.

        Raises:
            TrainingError: it diverged twice, or a window does not fit into memory, or a checkpoint not on the disk.
        """
        saved = self._ranks.tell(self._checkpoints.load() if self._checkpoints else None)
        if saved is None:
            if self._checkpoints:
                self._checkpoints.check_space(sum(value.nbytes for value in self._first_state.values()))
            self._begin(self._measure_base())
        else:
            self._go_on(saved)
        while not (self.standing.finished or self.interrupted):
            try:
                self._attempt()
            except Diverged as reason:
                self._start_again(str(reason))
        set_peft_model_state_dict(self.lora, self._best_state)

    def save(self) -> None:
        """Write down where to go on; of a run that is over, only what there is to publish."""
        if self._checkpoints is None:
            return
        values: dict[str, Any] = {"standing": self.standing.as_dict(), "best": self._best_state}
        values["spent"] = self._pace.spent
        if not self.standing.finished:
            values |= {"adapter": self._state(), "optimizer": optimizer_state(self._stepper.optimizer)}
        self._checkpoints.save(values)

    def whole_base(self) -> LoadedBase:
        """The base model without the adapter, whole; the run is over then.

        Raises:
            ModelError: it was sharded, and does not fit into this process's memory whole.
        """
        if self._ranks.sharded:
            self._ranks.let_go(self.base.model)
            self.base.model = None
            del self.lora
            free_memory()
            self.base.model = load_base(self.settings).model
        else:
            self.base.model = self.lora.unload()
        return self.base

    def _measure_base(self) -> Standing:
        self._say("Measuring the base model on held-out conversations")
        begin = self._clock()
        with self.lora.disable_adapter():  # not every adapter starts from nothing
            before = self.measure()
        took = self._ranks.tell(self._clock() - begin)
        return Standing.at_start(self._rate, self._row_tokens, before, took, self._pace.measurements(took), attempt=1)

    def _begin(self, at: Standing) -> None:
        """Put the adapter and the optimiser at their start."""
        self.standing = at
        self._best_state = self._first_state
        set_peft_model_state_dict(self.lora, self._first_state)
        self._stepper = self._new_stepper()
        self._health = Health(at.before.nats_per_token)
        self._say(self._plan)

    def _go_on(self, saved: dict[str, Any]) -> None:
        at = self.standing = Standing.of(saved["standing"])
        self._best_state = saved["best"]
        self._pace.count_before(saved["spent"])
        if at.finished:
            self._say("Everything is learned already")
            return
        set_peft_model_state_dict(self.lora, saved["adapter"])
        self._stepper = self._new_stepper()
        restore_optimizer(self._stepper.optimizer, saved["optimizer"])
        self._health = Health(at.before.nats_per_token, [point.loss for point in at.curve])
        share = self._pace.share(at, self._pace.available(at))
        self._say(f"Going on at step {at.steps:,} of {steps_in_all(at, share):,}")

    def _start_again(self, reason: str) -> None:
        """Once more from the start at half the rate; the curve of what went wrong stays."""
        at = self.standing
        kept = self._keep_curve()
        if at.attempt >= _ATTEMPTS:
            raise TrainingError(
                f"Training diverged at a learning rate of {2 * at.rate:g} and again at {at.rate:g} ({reason}){kept}",
                "lower train.learning_rate, or check the base model",
            )
        self._say(f"Training diverged ({reason}): starting again at half the learning rate{kept}")
        again = (at.rate / 2, self._stepper.row_tokens, at.before, at.measuring, at.measurements, at.attempt + 1)
        self._stepper.forget()
        self._begin(Standing.at_start(*again))

    def _keep_curve(self) -> str:
        """Write the curve of a run that diverged in place of its checkpoint; says where."""
        if self._checkpoints is None:
            return ""
        self._checkpoints.remove()
        path = self._checkpoints.folder / f"attempt-{self.standing.attempt}.csv"
        with suppress(OSError):
            write_curve(path, self.curve)
            return f"; its curve is in {path}"
        return ""

    def _attempt(self) -> None:
        """Steps until there is nothing left to do, or the run is told to stop."""
        at, ranks = self.standing, self._ranks
        available, stopped, due = ranks.tell((self._pace.available(at), self._stop.is_set(), False))
        self.lora.train()
        self._mark = self._clock()
        for place, found in self._batches.start_at(at.place):
            share = self._pace.share(at, available)
            if share >= 1 or self.stopped_early:
                break
            if stopped:
                return self._break_off()
            self._step(place, found, share)
            self._look(self._pace.share(at, available))
            stopped, due = ranks.tell((self._stop.is_set(), self._checkpoints is not None and self._checkpoints.due))
            if due:
                self.save()
        if at.curve and at.curve[-1].held_out is None:  # it went on from a checkpoint when its time was up already
            self._choose(self.measure())
        at.finished, at.version = True, self._ranks.tell(new_version(datetime.now(UTC)))
        self.save()

    def _break_off(self) -> None:
        """Write down where to go on, at once: whoever asks for a stop does not wait long."""
        self.interrupted = True
        self.save()
        if self._keep_interrupted and self.standing.steps:
            self._prefer(self.measure())

    def _step(self, place: Place, found: Sequence[Window], share: float) -> None:
        """One optimiser step, counted."""
        at = self.standing
        rate = schedule(share, self._how.warmup) * at.rate
        taken = self._stepper.gradients(found, f"{self._how.seed} {at.attempt} {at.steps}")
        self._health.see(taken.loss, taken.gradient_norm)
        self._stepper.apply(rate)
        at.place = Place(place.epoch, place.batch + 1)
        at.steps += 1
        at.tokens += sum(len(window.ids) for window in found)
        now = self._clock()
        at.seconds, self._mark = self._ranks.tell(at.seconds + now - self._mark), now
        at.smoothed = self._health.smoothed
        at.row_tokens = self._stepper.row_tokens
        at.curve.append(Point(at.steps, at.tokens, at.seconds, taken.loss, rate, taken.gradient_norm))

    def _look(self, share: float) -> None:
        """Measure at equal shares of the run and at its end; then tell those who watch."""
        at = self.standing
        if share >= 1 or int(share * at.measurements) > at.measured:
            at.measured = int(share * at.measurements)
            begin = self._clock()
            self._choose(self.measure())
            self._mark += self._clock() - begin  # everything but measuring counts as time of the steps
        if self._ranks.is_first:
            self._on_progress(self._pace.progress(at, share))

    def _choose(self, found: HeldOut) -> None:
        """Take note of a measurement, and keep the state if it is the best."""
        at = self.standing
        self._health.see_held_out(found.nats_per_token, at.best.nats_per_token)
        at.curve[-1] = replace(at.curve[-1], held_out=found.nats_per_token)
        at.unimproved = 0 if found.nats < at.best.nats else at.unimproved + 1
        self._prefer(found)

    def _prefer(self, found: HeldOut) -> None:
        at = self.standing
        at.held_out = found
        if found.nats < at.best.nats:
            at.best, self._best_state = found, self._state()

    def _new_stepper(self) -> Stepper:
        return Stepper(self.base, self.lora, self._how, self._ranks, self.standing.row_tokens, self._say)

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().cpu().clone() for name, value in get_peft_model_state_dict(self.lora).items()}

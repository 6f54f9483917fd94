"""The loop of a run: what ends it early, what starts it again, and what it tells meanwhile."""

from __future__ import annotations

import csv
import math
from dataclasses import replace

import pytest
import torch

import training.measuring
import training.step
from tests.runs import Killed, Trainer, kill_at, losses
from training.checkpoint import NAME
from training.loss import summed_loss
from twin.errors import TrainingError


@pytest.fixture
def trainer(home, tiny_base):
    return Trainer(home, tiny_base("llama"))


def spoil(monkeypatch, how, calls):
    """Let `how` change the loss of these backward passes, counted from 0."""
    seen = iter(range(10**9))

    def loss(model, row, device):
        found = summed_loss(model, row, device)
        return how(found) if found.requires_grad and next(seen) in calls else found

    monkeypatch.setattr(training.step, "summed_loss", loss)


def read_curve(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_loss_that_is_no_number_starts_the_run_again_at_half_the_rate(trainer, tmp_path, monkeypatch):
    straight = Trainer(trainer.settings, trainer.settings.base.model, learning_rate=2.5e-3)
    expected = straight.run()
    expected.train()
    spoil(monkeypatch, lambda loss: loss * math.nan, calls={4})
    run = trainer.run(trainer.checkpoints(tmp_path / "run"))
    run.train()
    assert run.standing.attempt == 2 and run.standing.rate == 2.5e-3 and run.standing.finished
    path = tmp_path / "run" / "attempt-1.csv"
    assert trainer.said[2] == (
        f"Training diverged (the loss became NaN): starting again at half the learning rate; its curve is in {path}"
    )
    kept = read_curve(path)
    assert [int(row["step"]) for row in kept] == [1, 2, 3, 4] and kept[0].keys() >= {"loss", "rate", "held_out"}
    assert [row[0] for row in losses(run)] == [row[0] for row in losses(expected)]
    assert losses(run)[-1][2] == pytest.approx(losses(expected)[-1][2], rel=0.1)
    assert all(torch.isfinite(value).all() for value in run.lora.state_dict().values())


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_run_that_diverges_twice_fails_with_a_sentence_and_its_curves(trainer, tmp_path, monkeypatch, number):
    spoil(monkeypatch, lambda loss: loss * number, calls={3, 7})
    with pytest.raises(TrainingError) as raised:
        trainer.run(trainer.checkpoints(tmp_path / "run")).train()
    path = tmp_path / "run" / "attempt-2.csv"
    assert str(raised.value) == (
        "Training diverged at a learning rate of 0.005 and again at 0.0025 (the loss became NaN); its curve is in"
        f" {path}: lower train.learning_rate, or check the base model."
    )
    assert len(read_curve(path)) == 3 and not (tmp_path / "run" / NAME).exists()


def test_a_loss_that_climbs_away_starts_the_run_again(home, tiny_base, monkeypatch, tmp_path):
    trainer = Trainer(home, tiny_base("llama"), epochs=8, evaluations=1)
    spoil(monkeypatch, lambda loss: loss + 1e4 * loss.detach(), calls=range(25, 60))
    run = trainer.run(trainer.checkpoints(tmp_path / "run", minutes=1e9))
    run.train()
    assert run.standing.attempt == 2 and any("the loss rose from" in said for said in trainer.said)
    assert 25 < len(read_curve(tmp_path / "run" / "attempt-1.csv")) < 60


def test_held_out_text_that_gets_far_worse_starts_the_run_again_and_then_fails(trainer, tmp_path, monkeypatch):
    real, factors = training.measuring.held_out_loss, iter([1, 1.6, 1.6])

    def worse(*what):
        found = real(*what)
        return replace(found, nats=next(factors) * found.nats)

    monkeypatch.setattr(training.measuring, "held_out_loss", worse)
    with pytest.raises(TrainingError, match=r"at a learning rate of 0\.005 and again .* on held-out replies rose from"):
        trainer.run(trainer.checkpoints(tmp_path / "run")).train()
    assert read_curve(tmp_path / "run" / "attempt-2.csv")


def test_a_run_that_was_killed_in_its_second_attempt_goes_on_there(trainer, tmp_path, monkeypatch):
    spoil(monkeypatch, lambda loss: loss * math.nan, calls={2})
    whole = trainer.run(trainer.checkpoints(tmp_path / "whole"))
    whole.train()
    spoil(monkeypatch, lambda loss: loss * math.nan, calls={2})
    deaths = iter([False] * 6)

    def listen(_):
        if next(deaths, None) is None:
            raise Killed

    with pytest.raises(Killed):
        trainer.run(trainer.checkpoints(tmp_path / "run"), listen).train()
    again = trainer.run(trainer.checkpoints(tmp_path / "run"))
    again.train()
    assert again.standing.attempt == 2 and losses(again) == losses(whole)


def test_memory_that_runs_out_leaves_the_curve_as_it_is_and_is_remembered(trainer, tmp_path, monkeypatch):
    straight = Trainer(trainer.settings, trainer.settings.base.model, dropout=0)
    expected = straight.run()
    expected.train()
    raised = []

    def loss(model, row, device):
        if len(row.ids) > 60:
            raised.append(len(row.ids))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return summed_loss(model, row, device)

    monkeypatch.setattr(training.step, "summed_loss", loss)
    with pytest.raises(Killed):
        straight.run(straight.checkpoints(tmp_path / "run"), kill_at(5)).train()
    before = len(raised)
    again = straight.run(straight.checkpoints(tmp_path / "run"))
    again.train()
    assert before and len(raised) == before, "what went on knew from the start what fits"
    assert again.standing.row_tokens <= 60
    for got, wanted in zip(losses(again), losses(expected), strict=True):
        assert got[:4] == pytest.approx(wanted[:4], rel=2e-3)


def test_a_run_without_improvement_ends_early_with_its_best_state(home, tiny_base):
    trainer = Trainer(home, tiny_base("llama"), epochs=40, learning_rate=0.02, evaluations=40, patience=3)
    run = trainer.run()
    run.train()
    measured = [point.held_out for point in run.curve if point.held_out is not None]
    assert run.stopped_early and len(measured) < 40
    assert measured.index(min(measured)) == len(measured) - 4, "three measurements on end were not better"
    assert run.measure().nats_per_token == pytest.approx(min(measured), rel=1e-6)


def test_ordinary_short_runs_are_never_cut(home, tiny_base):
    trainer = Trainer(home, tiny_base("llama"), learning_rate=1e-12, evaluations=4)
    run = trainer.run()
    run.train()
    assert trainer.settings.train.patience == 4, "the default"
    assert not run.stopped_early and run.standing.tokens == 2 * sum(len(window.ids) for window in trainer.learned)


def test_measurements_stand_at_equal_shares_and_progress_is_told_at_every_step(trainer):
    seen = []
    run = trainer.run(on_progress=seen.append)
    run.train()
    total = run.curve[-1].tokens
    shares = [point.tokens / total for point in run.curve if point.held_out is not None]
    assert shares == pytest.approx([1 / 3, 2 / 3, 1], abs=0.1) and shares[-1] == 1
    assert [at.step for at in seen] == [point.step for point in run.curve] == list(range(1, len(seen) + 1))
    assert seen[-1].seconds_left == 0 and seen[-1].held_out == run.standing.held_out

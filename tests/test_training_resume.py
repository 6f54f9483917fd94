"""Runs that are killed and go on: the same curve and the same adapter as those that never stopped."""

from __future__ import annotations

import math
import pickle
import stat

import pytest
import torch
from torch.testing import assert_close

from tests.runs import Clock, Killed, Trainer, kill_at, losses, weights
from training.checkpoint import NAME
from training.optimizer import optimizer_state, restore_optimizer
from training.standing import Standing


@pytest.fixture
def trainer(home, tiny_base):
    return Trainer(home, tiny_base("llama"))


@pytest.fixture
def whole(trainer):
    """The run that never stopped."""
    run = trainer.run()
    run.train()
    return run


@pytest.mark.parametrize("step", [1, 2, 7, -1])
def test_a_killed_run_goes_on_bit_by_bit_as_if_it_had_not_been(trainer, whole, tmp_path, step):
    assert len(whole.curve) > 10 and trainer.settings.train.dropout > 0
    step = step if step > 0 else len(whole.curve) + 1 + step
    with pytest.raises(Killed):
        trainer.run(trainer.checkpoints(tmp_path / "run"), kill_at(step)).train()
    trainer.said.clear()
    again = trainer.run(trainer.checkpoints(tmp_path / "run"))
    again.train()
    if step > 1:
        assert any(said.startswith(f"Going on at step {step - 1} of ") for said in trainer.said)
    assert losses(again) == losses(whole)
    assert_close(weights(again), weights(whole), rtol=0, atol=0)
    assert again.best == whole.best and again.before == whole.before


def test_a_run_may_be_killed_after_every_few_steps(trainer, whole, tmp_path):
    for step in range(3, len(whole.curve), 5):
        with pytest.raises(Killed):
            trainer.run(trainer.checkpoints(tmp_path / "run"), kill_at(step)).train()
    again = trainer.run(trainer.checkpoints(tmp_path / "run"))
    again.train()
    assert losses(again) == losses(whole)
    assert_close(weights(again), weights(whole), rtol=0, atol=0)


def test_a_run_that_was_asked_to_stop_goes_on_as_well(trainer, whole, tmp_path):
    stopped = trainer.run(
        trainer.checkpoints(tmp_path / "run", minutes=1e9), lambda at: trainer.stop.set() if at.step == 6 else None
    )
    stopped.train()
    assert stopped.interrupted and len(stopped.curve) == 6
    trainer.stop.clear()
    again = trainer.run(trainer.checkpoints(tmp_path / "run"))
    again.train()
    assert not again.interrupted and losses(again) == losses(whole)
    assert_close(weights(again), weights(whole), rtol=0, atol=0)


def test_a_finished_run_is_not_trained_again_only_its_best_state_loaded(trainer, whole, tmp_path):
    first = trainer.run(trainer.checkpoints(tmp_path / "run"))
    first.train()
    trainer.said.clear()
    again = trainer.run(trainer.checkpoints(tmp_path / "run"), on_progress=lambda _: pytest.fail("trained again"))
    again.train()
    assert trainer.said == ["Everything is learned already"]
    assert again.standing.version == first.standing.version and losses(again) == losses(whole)
    assert_close(weights(again), weights(whole), rtol=0, atol=0)


def test_checkpoints_come_as_often_as_set_and_are_the_owners_alone(trainer, tmp_path):
    checkpoints = trainer.checkpoints(tmp_path / "run", minutes=60 * 24)
    seen = []
    trainer.run(checkpoints, lambda _: seen.append((tmp_path / "run" / NAME).exists())).train()
    assert not any(seen), "a day is not over yet"
    path = tmp_path / "run" / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == [NAME]


def test_time_used_before_a_kill_counts_against_the_budget(home, tiny_base, tmp_path):
    trainer, clock = Trainer(home, tiny_base("llama"), epochs=10_000, max_seconds=30), Clock(tick=0)

    def a_second_passes(at):
        clock.now += 1
        if at.step == dies_at:
            raise Killed

    dies_at = 12
    with pytest.raises(Killed):
        trainer.run(trainer.checkpoints(tmp_path / "run"), a_second_passes, clock=clock).train()
    dies_at = 0
    again = trainer.run(trainer.checkpoints(tmp_path / "run"), a_second_passes, clock=clock)
    again.train()
    assert clock.now == pytest.approx(31, abs=1), "of the half minute the process that died had used twelve seconds"
    assert len(again.curve) == pytest.approx(30, abs=1)
    assert again.curve[-1].rate < 0.1 * max(point.rate for point in again.curve), "the rate has decayed by then"


def test_a_checkpoint_whose_time_is_up_is_measured_before_it_is_published(home, tiny_base, tmp_path):
    trainer = Trainer(home, tiny_base("llama"), epochs=10_000, max_seconds=30)
    with pytest.raises(Killed):
        trainer.run(trainer.checkpoints(tmp_path / "run"), kill_at(11)).train()
    saved = torch.load(tmp_path / "run" / NAME, weights_only=True)
    saved["standing"]["seconds"] = 29.0
    saved["spent"] = 100.0
    torch.save(saved, tmp_path / "run" / NAME)
    again = trainer.run(trainer.checkpoints(tmp_path / "run"), on_progress=lambda _: pytest.fail("no step any more"))
    again.train()
    assert len(again.curve) == 10 and again.curve[-1].held_out is not None


def test_a_damaged_checkpoint_is_said_removed_and_not_used(trainer, tmp_path):
    with pytest.raises(Killed):
        trainer.run(trainer.checkpoints(tmp_path / "run"), kill_at(3)).train()
    path = tmp_path / "run" / NAME
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"no archive",
        whole[: len(whole) // 2],
        whole[:-1000],
        pickle.dumps({"format": 1}, protocol=2),
    ):
        trainer.said.clear()
        path.write_bytes(damaged)
        assert trainer.checkpoints(path.parent).load() is None
        assert trainer.said == ["The checkpoint of this training cannot be read: starting anew"] and not path.exists()


def test_a_standing_survives_being_written_down(whole):
    at = whole.standing
    assert Standing.of(at.as_dict()) == at
    at.smoothed = math.nan
    assert math.isnan(Standing.of(at.as_dict()).smoothed)


@pytest.mark.parametrize("kind", ["AdamW", "AdamW8bit", "PagedAdamW8bit"])
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_an_optimiser_of_every_kind_goes_on_from_its_state(kind):
    import bitsandbytes.optim

    make = torch.optim.AdamW if kind == "AdamW" else getattr(bitsandbytes.optim, kind)

    def weight() -> torch.Tensor:
        torch.manual_seed(0)
        return torch.nn.Parameter(torch.randn(128, 64))

    def steps(optimizer: torch.optim.Optimizer, own: torch.Tensor, numbers: range) -> None:
        for number in numbers:
            torch.manual_seed(number)
            own.grad = torch.randn_like(own)
            optimizer.step()

    whole, own = weight(), weight()
    steps(make([whole], lr=1e-2), whole, range(8))
    before = make([own], lr=1e-2)
    steps(before, own, range(4))
    state = optimizer_state(before)
    kept = own.detach().clone()
    steps(before, own, range(90, 92))  # what was saved is a copy
    own.data.copy_(kept)
    after = make([own], lr=1e-2)
    restore_optimizer(after, state)
    steps(after, own, range(4, 8))
    assert_close(own, whole, rtol=0, atol=0)
    if "8bit" in kind:
        assert after.state[own]["state1"].dtype == torch.uint8, "it is the 8-bit state that was tested"

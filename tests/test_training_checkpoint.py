"""Files of runs: whole or not there, one process's alone, swept away when nothing fits them, and full disks."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

import training.checkpoint
from tests.runs import Clock, Killed, Trainer, kill_at, losses
from training.checkpoint import NAME, Checkpoints, open_run, remove_others, write_whole
from twin.errors import TrainingError


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow further, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old" * 10_000)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with files_up_to(20_000), pytest.raises(OSError, match="File too large"):
        write_whole(path, b"new" * 10_000)
    assert path.read_bytes() == b"old" * 10_000 and list(tmp_path.iterdir()) == [path]


def test_what_is_saved_is_what_is_loaded_until_it_is_removed(tmp_path):
    checkpoints = Checkpoints(tmp_path, 5, Clock(), print)
    assert checkpoints.load() is None
    assert checkpoints.save({"weights": {"a": torch.arange(3.0)}, "step": 7, "nan": [None, 0.5]})
    found = checkpoints.load()
    assert torch.equal(found["weights"]["a"], torch.arange(3.0))
    assert (found["step"], found["nan"]) == (7, [None, 0.5])
    checkpoints.remove()
    assert checkpoints.load() is None
    checkpoints.remove()


def test_a_checkpoint_is_due_when_its_minutes_are_over(tmp_path):
    clock = Clock(tick=0)
    checkpoints = Checkpoints(tmp_path, 5, clock, print)
    clock.now = 299
    assert not checkpoints.due
    clock.now = 300
    assert checkpoints.due
    checkpoints.save({})
    assert not checkpoints.due


def test_a_disk_that_fills_up_is_said_once_and_training_goes_on(home, tiny_base, tmp_path):
    trainer = Trainer(home, tiny_base("llama"))
    whole = trainer.run()
    whole.train()
    with pytest.raises(Killed):
        trainer.run(trainer.checkpoints(tmp_path / "run"), kill_at(4)).train()
    trainer.said.clear()
    path = tmp_path / "run" / NAME
    third = path.read_bytes()
    with files_up_to(20_000):
        run = trainer.run(trainer.checkpoints(tmp_path / "run"))
        run.train()
    assert [said for said in trainer.said if "No checkpoint" in said] == [
        "No checkpoint could be written (File too large): training goes on without"
    ]
    assert losses(run) == losses(whole)
    assert path.read_bytes() == third and list(path.parent.iterdir()) == [path], "the one before stays"


def test_no_space_left_is_what_a_user_reads(tmp_path, monkeypatch):
    said = []
    checkpoints = Checkpoints(tmp_path, 5, Clock(), said.append)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(training.checkpoint.os, "fsync", full)
    assert not checkpoints.save({"a": 1}) and not checkpoints.save({"a": 2})
    assert said == ["No checkpoint could be written (No space left on device): training goes on without"]
    assert not list(tmp_path.iterdir())


def test_a_disk_too_small_is_refused_before_the_first_step(home, tiny_base, tmp_path, monkeypatch):
    trainer = Trainer(home, tiny_base("llama"))
    run = trainer.run(trainer.checkpoints(tmp_path / "run"), lambda _: pytest.fail("a step"))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(training.checkpoint.shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    with pytest.raises(TrainingError, match=r"Training needs \d MB on the disk of .*, where 0 MB are free: free some"):
        run.train()


def test_a_run_is_one_processs_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(training.checkpoint, "_PATIENCE", 0.2)
    with open_run(tmp_path / "runs", "abc") as folder:
        assert folder == tmp_path / "runs" / "abc" and stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
        with pytest.raises(TrainingError, match="The same training runs already"), open_run(tmp_path / "runs", "abc"):
            pass
    with open_run(tmp_path / "runs", "abc"):
        pass


def test_checkpoints_of_other_runs_go_but_not_of_those_that_run_nor_curves(tmp_path):
    runs = tmp_path / "runs"

    def leave(name):
        with open_run(runs, name) as folder:
            (folder / NAME).write_bytes(b"x")
        return folder

    over, running, failed = leave("over"), leave("running"), leave("failed")
    (failed / "attempt-2.csv").write_text("step\n")
    with open_run(runs, "running"), open_run(runs, "mine") as mine:
        (mine / NAME).write_bytes(b"x")
        assert remove_others(runs, "mine") == 2
    assert not over.exists() and (running / NAME).exists() and (mine / NAME).exists()
    assert not (failed / NAME).exists() and (failed / "attempt-2.csv").exists()
    assert remove_others(runs, "mine") == 1 and not running.exists()


def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(TrainingError, match="cannot be made"), open_run(tmp_path / "runs", "abc"):
        pass

"""Real trainings that get a real SIGKILL: `twin train` goes on and publishes the very same adapter."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chats import fill
from tests.conftest import is_running
from training.checkpoint import NAME
from twin.jobs import RETRAIN, JobQueue
from twin.registry import Registry

OPTIONS = {
    "TWIN_TRAIN__LEARNING_RATE": "0.01",
    "TWIN_TRAIN__BATCH_TOKENS": "256",
    "TWIN_TRAIN__EPOCHS": "1",
    "TWIN_TRAIN__RANK": "4",
    "TWIN_TRAIN__CHECKPOINT_MINUTES": "0.000001",
    "TWIN_BASE__QUANTIZATION": "none",
    "TWIN_WORKER__POLL_SECONDS": "0.1",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def environment(home, store, tiny_base):
    fill(store)
    return os.environ | OPTIONS | {"TWIN_HOME": str(home.home), "TWIN_BASE__MODEL": str(tiny_base("llama"))}


def twin(environment, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "twin", *arguments], env=environment, check=True, capture_output=True, text=True
    )


def sha_of(home, version):
    manifest = json.loads((home.adapters / version / "twin.json").read_text())
    return manifest["files"]["adapter_model.safetensors"]["sha256"]


@pytest.mark.parametrize("where", ["saved", pytest.param("saving", marks=pytest.mark.slow)])
def test_a_killed_training_goes_on_and_publishes_the_same_adapter(home, environment, where):
    killed = subprocess.run([sys.executable, "-m", "tests.killed_training", "4", where], env=environment)
    assert killed.returncode == -signal.SIGKILL and not list(home.adapters.glob("*"))
    (checkpoint,) = home.runs.glob(f"*/{NAME}")
    assert checkpoint.stat().st_mode & 0o077 == 0
    resumed = twin(environment, "train")
    assert f"Going on at step {4 if where == 'saved' else 3} of " in resumed.stderr
    assert not list(home.runs.glob(f"*/{NAME}")), "removed after publishing"
    fresh = json.loads(twin(environment, "train", "--json").stdout)
    first, second = (path.name for path in sorted(home.adapters.iterdir()))
    assert second == fresh["version"] and sha_of(home, first) == sha_of(home, second)


@pytest.mark.slow
def test_ten_kills_at_any_moment_change_nothing(home, environment):
    """From the first moment of the process to the publishing; the last run ends by itself."""
    begin = time.monotonic()
    whole = json.loads(twin(environment, "train", "--json").stdout)["version"]
    took = time.monotonic() - begin
    draw, killed = random.Random(5), 0
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-m", "twin", "train", "--json"], env=environment, stdout=-3)
        time.sleep(draw.uniform(0.3, 1.2) * took)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 3
    twin(environment, "train", "--json")
    assert {sha_of(home, path.name) for path in home.adapters.glob("2*")} == {sha_of(home, whole)}
    assert not list(home.runs.glob(f"*/{NAME}"))


@pytest.mark.slow
def test_a_job_that_is_killed_is_run_again_by_the_worker_and_goes_on(home, store, environment, eventually, tmp_path):
    """The worker's child is killed once its first checkpoint is there; slowly enough that it is not over by then."""
    queue = JobQueue(store.db)
    job = queue.enqueue(RETRAIN, "owner", time.time())
    slow = environment | {"TWIN_TRAIN__EPOCHS": "40"}
    log = tmp_path / "log"
    with log.open("w") as err:
        worker = subprocess.Popen([sys.executable, "-m", "twin", "worker"], env=slow, stderr=err)
    try:
        eventually(lambda: list(home.runs.glob(f"*/{NAME}")), 300)
        child = child_of(worker.pid)
        os.kill(child, signal.SIGKILL)
        step = queue.get(job.id).progress["step"]
        eventually(lambda: not is_running(child), 60)
        eventually(lambda: queue.get(job.id).attempts == 2 and queue.get(job.id).progress, 300)
        assert queue.get(job.id).progress["step"] >= step, "it did not begin again"
        eventually(lambda: not queue.get(job.id).is_open, 600)
    finally:
        worker.terminate()
        worker.wait(120)
    assert queue.get(job.id).state == "done" and "trying again" in log.read_text()
    assert queue.get(job.id).result["version"] in Registry(home.adapters, store.db).versions()


def child_of(pid: int) -> int:
    """The only process that this one started."""
    (child,) = (int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return child

"""A model gives way to a training and comes back, whatever its worker comes to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inference.yielding import Yielding, training_runs, yielding
from tests.serving import Scripted
from twin.errors import ModelError
from twin.jobs import JobQueue
from twin.sections import EngineSettings
from twin.settings import Settings
from twin.store import Store

LONG_AGO, NOW = 1_000_000.0, 2_000_000.0


def test_only_a_job_that_a_living_worker_runs_counts_as_training(home: Settings, store: Store) -> None:
    queue = JobQueue(store.db)
    assert not training_runs(home, NOW)
    queue.enqueue("ingest", "schedule", NOW)
    queue.claim("box", NOW)
    assert not training_runs(home, NOW)
    job = queue.enqueue("retrain", "owner", NOW)
    assert not training_runs(home, NOW)
    queue.claim("box", NOW)
    assert training_runs(home, NOW) and training_runs(home, NOW + home.worker.stale_seconds - 1)
    assert not training_runs(home, NOW + home.worker.stale_seconds + 1)
    queue.beat(job.id, NOW + 1000)
    assert training_runs(home, NOW + 1000)
    queue.finish(job.id, NOW + 1001)
    assert not training_runs(home, NOW + 1001)


def test_memory_is_freed_once_for_a_training_and_taken_back_once_after_it() -> None:
    twin, trainings = Scripted(), iter([False, True, True, False, False, True])
    watcher = Yielding(twin, lambda: next(trainings))
    for _ in range(6):
        watcher.look()
    assert twin.calls == ["release", "resume", "release"] and watcher.has_yielded


def test_what_cannot_be_taken_back_yet_is_tried_again() -> None:
    twin, trainings = Scripted(), iter([True, False, False])
    full = iter([ModelError("The GPU is full", "wait"), None])

    def resume() -> None:
        twin.calls.append("resume")
        if (error := next(full)) is not None:
            raise error

    twin.resume = resume  # type: ignore[method-assign]
    watcher = Yielding(twin, lambda: next(trainings))
    watcher.look()
    with pytest.raises(ModelError):
        watcher.look()
    assert watcher.has_yielded
    watcher.look()
    assert twin.calls == ["release", "resume", "resume"] and not watcher.has_yielded


def test_a_running_watcher_survives_failures_and_ends_when_told(eventually: Callable[..., None]) -> None:
    twin, looks = Scripted(), 0

    def is_training() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise OSError("the database is busy")
        return looks < 4

    watcher = Yielding(twin, is_training, seconds=0.01)
    watcher.start()
    eventually(lambda: twin.calls == ["release", "resume"])
    watcher.stop()
    assert not watcher._thread.is_alive()


def test_a_generator_gives_way_only_if_the_settings_say_so(
    home: Settings, store: Store, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.yielding._LOOK_SECONDS", 0.01)
    monkeypatch.setattr("inference.yielding.time.time", lambda: NOW)
    queue = JobQueue(store.db)
    job = queue.enqueue("retrain", "owner", NOW)
    queue.claim("box", NOW)
    twin, stubborn = Scripted(), Scripted()
    gives_way = home.model_copy(update={"engine": EngineSettings(while_training="release")})
    with yielding(home, stubborn), yielding(gives_way, twin):
        eventually(lambda: twin.calls == ["release"])
        queue.finish(job.id, NOW)
        eventually(lambda: twin.calls == ["release", "resume"])
    assert stubborn.calls == []

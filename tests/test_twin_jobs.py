"""The job queue: who gets a job, and what becomes of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from twin.database import open_database
from twin.errors import JobError
from twin.jobs import RETRAIN, JobQueue
from twin.settings import Settings
from twin.store import Store

CLAIM_ALL = """
import sys, time
from pathlib import Path
from twin.jobs import JobQueue
from twin.database import open_database
database, go, name = sys.argv[1:]
queue = JobQueue(open_database(Path(database)))
print("ready", flush=True)
while not Path(go).exists():
    time.sleep(0.001)
while (job := queue.claim(name, time.time())) is not None:
    print(job.id, flush=True)
"""


@pytest.fixture
def queue(store: Store) -> JobQueue:
    return JobQueue(store.db)


def test_a_job_is_queued_claimed_reported_and_done(queue: JobQueue) -> None:
    job = queue.enqueue(RETRAIN, "owner", now=1.0)
    assert (job.state, job.is_open, job.attempts) == ("queued", True, 0)
    claimed = queue.claim("w1", now=2.0)
    assert claimed is not None
    assert (claimed.id, claimed.state, claimed.worker, claimed.started_at, claimed.attempts) == (
        job.id,
        "running",
        "w1",
        2.0,
        1,
    )
    queue.report(job.id, {"step": 3, "steps": 9})
    assert queue.get(job.id).progress == {"step": 3, "steps": 9}
    queue.finish(job.id, 5.0, result={"version": "v"})
    done = queue.get(job.id)
    assert (done.state, done.is_open, done.finished_at, done.result, done.error) == (
        "done",
        False,
        5.0,
        {"version": "v"},
        None,
    )


def test_two_workers_never_claim_the_same_job(tmp_path: Path) -> None:
    database, go = tmp_path / "twin.db", tmp_path / "go"
    queue = JobQueue(open_database(database))
    ids = {queue.enqueue(f"kind {number}", "test", 0.0).id for number in range(60)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM_ALL, str(database), str(go), name], stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b", "c")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    go.touch()
    claimed = [[int(line) for line in worker.communicate(timeout=60)[0].split()] for worker in workers]
    everything = [job_id for ids_of_one in claimed for job_id in ids_of_one]
    assert len(everything) == len(ids)
    assert set(everything) == ids


def test_there_is_one_open_job_of_a_kind(queue: JobQueue) -> None:
    first = queue.enqueue(RETRAIN, "owner", 1.0)
    with pytest.raises(JobError, match="A retrain job is open already: wait for it"):
        queue.enqueue(RETRAIN, "schedule", 2.0)
    assert queue.open_job(RETRAIN) == first
    queue.claim("w", 3.0)
    with pytest.raises(JobError):
        queue.enqueue(RETRAIN, "schedule", 4.0)
    queue.finish(first.id, 5.0, error="It broke: fix it.")
    assert queue.open_job(RETRAIN) is None
    assert queue.enqueue(RETRAIN, "schedule", 6.0).id != first.id


def test_jobs_are_claimed_oldest_first_and_then_there_is_nothing(queue: JobQueue) -> None:
    ids = [queue.enqueue(kind, "test", 0.0).id for kind in ("a", "b")]
    claimed = [queue.claim("w", 1.0) for _ in range(3)]
    assert [job and job.id for job in claimed] == [*ids, None]


def test_a_silent_workers_job_is_taken_over_and_a_live_ones_is_not(queue: JobQueue) -> None:
    silent = queue.enqueue("a", "test", 0.0)
    live = queue.enqueue("b", "test", 0.0)
    queue.claim("w1", now=100.0)
    queue.claim("w2", now=100.0)
    queue.beat(live.id, now=150.0)
    queue.take_over(now=170.0, stale_seconds=60.0, max_attempts=2)
    assert (queue.get(silent.id).state, queue.get(silent.id).worker) == ("queued", None)
    assert (queue.get(live.id).state, queue.get(live.id).worker) == ("running", "w2")


def test_a_job_that_outlived_max_attempts_workers_fails_with_a_sentence(queue: JobQueue) -> None:
    job = queue.enqueue(RETRAIN, "owner", 0.0)
    for now in (100.0, 200.0):
        queue.claim("w", now)
        queue.take_over(now + 61.0, stale_seconds=60.0, max_attempts=2)
    failed = queue.get(job.id)
    assert (failed.state, failed.attempts, failed.finished_at) == ("failed", 2, 261.0)
    assert failed.error == "The worker died each time it ran this job: see its log, then try again."


def test_a_released_job_loses_no_attempt_and_a_retried_one_does(queue: JobQueue) -> None:
    job = queue.enqueue(RETRAIN, "owner", 0.0)
    queue.claim("w", 1.0)
    queue.release(job.id)
    assert (queue.get(job.id).state, queue.get(job.id).attempts) == ("queued", 0)
    queue.claim("w", 2.0)
    queue.retry(job.id)
    assert (queue.get(job.id).state, queue.get(job.id).attempts) == ("queued", 1)


def test_a_new_attempt_starts_without_the_old_ones_progress(queue: JobQueue) -> None:
    job = queue.enqueue(RETRAIN, "owner", 0.0)
    queue.claim("w", 1.0)
    queue.report(job.id, {"step": 8})
    queue.retry(job.id)
    again = queue.claim("w", 2.0)
    assert again is not None
    assert again.progress == {}


def test_the_first_end_of_a_job_is_its_end(queue: JobQueue) -> None:
    job = queue.enqueue(RETRAIN, "owner", 0.0)
    queue.claim("w", 1.0)
    queue.finish(job.id, 2.0, result={"version": "v"})
    queue.finish(job.id, 3.0, error="The worker thought it had died: it had not.")
    assert (queue.get(job.id).state, queue.get(job.id).finished_at, queue.get(job.id).error) == ("done", 2.0, None)


def test_a_sign_of_life_is_left_out_while_the_database_is_busy(
    home: Settings, store: Store, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    job = queue.enqueue(RETRAIN, "owner", 0.0)
    queue.claim("w", 1.0)
    store.db.execute("pragma busy_timeout = 0")
    with Store.open(home.database) as other, other.atomic():
        queue.beat(job.id, 2.0)
        queue.report(job.id, {"step": 1})
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            queue.finish(job.id, 2.0, result={})
    assert (queue.get(job.id).heartbeat_at, queue.get(job.id).progress) == (1.0, {})
    assert caplog.text.count("the database is busy") == 2
    queue.beat(job.id, 3.0)
    queue.report(job.id, {"step": 2})
    assert (queue.get(job.id).heartbeat_at, queue.get(job.id).progress) == (3.0, {"step": 2})


def test_a_sign_of_life_that_fails_otherwise_is_an_error(store: Store, queue: JobQueue) -> None:
    store.db.execute("drop table jobs")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        queue.beat(1, 2.0)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        queue.report(1, {})


def test_ended_jobs_are_neither_released_nor_taken_over(queue: JobQueue) -> None:
    job = queue.enqueue(RETRAIN, "owner", 0.0)
    queue.claim("w", 1.0)
    queue.finish(job.id, 2.0, result={})
    queue.release(job.id)
    queue.retry(job.id)
    queue.take_over(1000.0, 60.0, 2)
    assert queue.get(job.id).state == "done"


def test_an_unknown_job_is_named(queue: JobQueue) -> None:
    with pytest.raises(JobError, match="There is no job 7"):
        queue.get(7)


def test_the_latest_jobs_come_newest_first(queue: JobQueue) -> None:
    ids = [queue.enqueue(kind, "test", 0.0).id for kind in ("a", "b", "c")]
    assert [job.id for job in queue.latest(2)] == ids[:0:-1]

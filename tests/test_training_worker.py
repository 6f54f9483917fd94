"""The worker: one child process a job, whatever becomes of the child or of the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import is_running
from training.worker import COMMANDS, Worker, explain, train_command
from twin.jobs import INGEST, RETRAIN, Job, JobQueue
from twin.processes import StopRequest
from twin.sections import Worker as WorkerSettings
from twin.settings import Settings, settings_file
from twin.store import Store

QUICK = WorkerSettings(poll_seconds=0.02, stale_seconds=1.0, max_attempts=2)
Eventually = Callable[..., None]

CHILD = """
import os, signal, sys, time
from pathlib import Path
from twin.jobs import JobQueue
from twin.database import open_database
database, folder, job_id = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
queue = JobQueue(open_database(database))
def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.01)
"""


@pytest.fixture
def queue(store: Store) -> JobQueue:
    return JobQueue(store.db)


def child(folder: Path, database: Path, body: str) -> Callable[[int], list[str]]:
    """A command line that stands for `twin train --job`: a script with `queue`, `job_id` and `folder` at hand."""
    script = folder / "child.py"
    script.write_text(CHILD + body)
    return lambda job_id: [sys.executable, str(script), str(database), str(folder), str(job_id)]


@contextmanager
def working(
    home: Settings,
    command: Callable[[int], list[str]],
    settings: WorkerSettings = QUICK,
    grace_seconds: float = 30.0,
    kind: str = RETRAIN,
) -> Iterator[StopRequest]:
    """A worker in a thread of its own; stopped, and waited for, at the end."""
    stop = StopRequest()

    def work() -> None:
        with Store.open(home.database) as store:
            Worker(JobQueue(store.db), settings, stop, commands={kind: command}, grace_seconds=grace_seconds).run()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stop
    finally:
        stop.request()
        thread.join(60)
        assert not thread.is_alive()


def run_to_end(home: Settings, queue: JobQueue, body: str, eventually: Eventually) -> Job:
    """Queue one job, let a worker run this child for it, and return how it ended."""
    job = queue.enqueue(RETRAIN, "owner", time.time())
    with working(home, child(home.home, home.database, body)):
        eventually(lambda: not queue.get(job.id).is_open)
    return queue.get(job.id)


def test_a_child_that_finishes_its_job_has_the_last_word(
    home: Settings, queue: JobQueue, eventually: Eventually
) -> None:
    job = run_to_end(home, queue, "queue.finish(job_id, time.time(), result={'version': 'v1'})", eventually)
    assert (job.state, job.result, job.error, job.attempts) == ("done", {"version": "v1"}, None, 1)


def test_a_child_that_fails_with_a_sentence_is_quoted(home: Settings, queue: JobQueue, eventually: Eventually) -> None:
    body = "queue.finish(job_id, time.time(), error='There is nothing to learn from: ingest more.'); sys.exit(2)"
    job = run_to_end(home, queue, body, eventually)
    assert (job.state, job.error) == ("failed", "There is nothing to learn from: ingest more.")


def test_progress_is_visible_while_the_child_runs(
    home: Settings, queue: JobQueue, eventually: Eventually, tmp_path: Path
) -> None:
    body = "queue.report(job_id, {'step': 1}); wait_for('go'); queue.finish(job_id, time.time(), result={})"
    job = queue.enqueue(RETRAIN, "owner", time.time())
    with working(home, child(tmp_path, home.database, body)):
        eventually(lambda: queue.get(job.id).progress == {"step": 1})
        assert queue.get(job.id).state == "running"
        (tmp_path / "go").touch()
        eventually(lambda: queue.get(job.id).state == "done")


def test_a_child_that_ends_without_a_word_fails_its_job_with_one_sentence(
    home: Settings, queue: JobQueue, eventually: Eventually
) -> None:
    job = run_to_end(home, queue, "sys.exit(3)", eventually)
    assert (job.state, job.attempts) == ("failed", 1)
    assert job.error == (
        "The training process ended without a result (exit code 3): see the worker's log, then retrain."
    )


def test_a_killed_child_is_tried_again_until_its_attempts_are_used_up(
    home: Settings, queue: JobQueue, eventually: Eventually
) -> None:
    job = run_to_end(home, queue, "os.kill(os.getpid(), signal.SIGKILL)", eventually)
    assert (job.state, job.attempts) == ("failed", 2)
    assert job.error == str(explain(-signal.SIGKILL))
    assert "was killed (SIGKILL): free some memory" in job.error


def test_a_child_that_succeeds_at_the_second_attempt_is_done(
    home: Settings, queue: JobQueue, eventually: Eventually
) -> None:
    body = """
if not (folder / "tried").exists():
    (folder / "tried").touch()
    os.kill(os.getpid(), signal.SIGKILL)
queue.finish(job_id, time.time(), result={"version": "v2"})
"""
    job = run_to_end(home, queue, body, eventually)
    assert (job.state, job.attempts, job.result) == ("done", 2, {"version": "v2"})


def test_the_heart_beats_while_a_child_runs_so_nobody_takes_its_job(
    home: Settings, queue: JobQueue, eventually: Eventually, tmp_path: Path
) -> None:
    job = queue.enqueue(RETRAIN, "owner", time.time())
    body = "wait_for('go'); queue.finish(job_id, time.time(), result={})"
    with working(home, child(tmp_path, home.database, body)):
        eventually(lambda: queue.get(job.id).state == "running")
        first = queue.get(job.id).heartbeat_at
        eventually(lambda: queue.get(job.id).heartbeat_at != first)
        (tmp_path / "go").touch()
        eventually(lambda: not queue.get(job.id).is_open)
    assert queue.get(job.id).attempts == 1


def test_a_dead_workers_job_is_taken_over(
    home: Settings, queue: JobQueue, eventually: Eventually, tmp_path: Path
) -> None:
    job = queue.enqueue(RETRAIN, "owner", time.time())
    queue.claim("a worker that died", time.time() - 3600)
    with working(home, child(tmp_path, home.database, "queue.finish(job_id, time.time(), result={})")):
        eventually(lambda: queue.get(job.id).state == "done")
    assert queue.get(job.id).attempts == 2


def test_a_job_that_goes_silent_later_is_taken_over_too(
    home: Settings, queue: JobQueue, eventually: Eventually, tmp_path: Path
) -> None:
    job = queue.enqueue(RETRAIN, "owner", time.time())
    queue.claim("a worker about to die", time.time())
    with working(home, child(tmp_path, home.database, "queue.finish(job_id, time.time(), result={})")):
        eventually(lambda: queue.get(job.id).state == "done")
    assert queue.get(job.id).attempts == 2


def test_a_live_workers_job_is_left_to_it(home: Settings, queue: JobQueue, tmp_path: Path) -> None:
    job = queue.enqueue(RETRAIN, "owner", time.time())
    queue.claim("another worker", time.time() + 3600)
    with working(home, child(tmp_path, home.database, "")):
        time.sleep(0.3)
    assert (queue.get(job.id).state, queue.get(job.id).worker) == ("running", "another worker")


def test_a_child_that_will_not_stop_is_killed_after_the_grace(
    home: Settings, queue: JobQueue, eventually: Eventually, tmp_path: Path
) -> None:
    body = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(folder / "pid").write_text(str(os.getpid()))
(folder / "deaf").touch()
time.sleep(600)
"""
    job = queue.enqueue(RETRAIN, "owner", time.time())
    with working(home, child(tmp_path, home.database, body), grace_seconds=0.2):
        eventually((tmp_path / "deaf").exists)
    assert (queue.get(job.id).state, queue.get(job.id).attempts) == ("queued", 0)
    assert not is_running(int((tmp_path / "pid").read_text()))


STANDALONE = """
import sys
from pathlib import Path
from training.worker import Worker
from twin.jobs import RETRAIN, JobQueue
from twin.processes import StopRequest
from twin.sections import Worker as WorkerSettings
from twin.store import Store
database, script, folder = sys.argv[1:]
command = lambda job_id: [sys.executable, script, database, folder, str(job_id)]
with StopRequest().on_signals() as stop, Store.open(Path(database)) as store:
    Worker(JobQueue(store.db), WorkerSettings(poll_seconds=0.02), stop, commands={RETRAIN: command}).run()
"""
STAYS = """
def leave(*_):
    (folder / "stopped cleanly").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, leave)
(folder / "pid.part").write_text(str(os.getpid()))
(folder / "pid.part").rename(folder / "pid")
time.sleep(600)
"""


@pytest.fixture
def standalone(
    home: Settings, queue: JobQueue, tmp_path: Path, eventually: Eventually
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that is in the middle of a job, whose child wrote its id to `tmp_path / "pid"`."""
    queue.enqueue(RETRAIN, "owner", time.time())
    child(tmp_path, home.database, STAYS)
    worker = subprocess.Popen(
        [sys.executable, "-c", STANDALONE, str(home.database), str(tmp_path / "child.py"), str(tmp_path)],
        start_new_session=True,
    )
    eventually((tmp_path / "pid").exists)
    yield worker
    worker.kill()
    worker.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_worker_stops_its_child_gives_the_job_back_and_exits_well(
    standalone: subprocess.Popen[bytes], queue: JobQueue, tmp_path: Path, number: signal.Signals
) -> None:
    standalone.send_signal(number)
    assert standalone.wait(60) == 0
    assert (tmp_path / "stopped cleanly").exists()
    (job,) = queue.latest()
    assert (job.state, job.attempts, job.worker) == ("queued", 0, None)


def test_a_ctrl_c_in_the_terminal_reaches_the_worker_alone(standalone: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pid = int((tmp_path / "pid").read_text())
    assert os.getpgid(pid) == pid != os.getpgid(standalone.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
def test_a_killed_workers_child_dies_with_it(
    standalone: subprocess.Popen[bytes], tmp_path: Path, eventually: Eventually
) -> None:
    pid = int((tmp_path / "pid").read_text())
    assert is_running(pid)
    standalone.kill()
    standalone.wait()
    eventually(lambda: not is_running(pid))


def test_the_child_is_this_interpreters_twin_train() -> None:
    assert train_command(7) == [sys.executable, "-m", "twin", "train", "--job", "7"]


def test_an_ingest_is_this_interpreters_live_ingest_that_asks_nothing() -> None:
    command = COMMANDS[INGEST](7)
    assert command == [sys.executable, "-m", "twin", "ingest", "telegram", "--yes", "--job", "7"]


def test_an_ingest_that_dies_is_not_called_a_training(home: Settings, queue: JobQueue, eventually: Eventually) -> None:
    job = queue.enqueue(INGEST, "schedule", time.time())
    with working(home, child(home.home, home.database, "sys.exit(3)"), kind=INGEST):
        eventually(lambda: not queue.get(job.id).is_open)
    assert queue.get(job.id).error == (
        "The ingest process ended without a result (exit code 3): see the worker's log, then try again."
    )


def test_a_job_of_an_unknown_kind_fails_with_a_sentence_and_holds_nobody_up(
    home: Settings, queue: JobQueue, eventually: Eventually, tmp_path: Path
) -> None:
    strange, known = queue.enqueue("knitting", "owner", time.time()), queue.enqueue(RETRAIN, "owner", time.time())
    with working(home, child(tmp_path, home.database, "queue.finish(job_id, time.time(), result={})")):
        eventually(lambda: not queue.get(known.id).is_open)
    assert "This version knows no knitting jobs" in str(queue.get(strange.id).error)


def test_the_verb_waits_for_jobs_and_ends_well_when_told_to(home: Settings) -> None:
    worker = subprocess.Popen([sys.executable, "-m", "twin", "worker"], stderr=subprocess.PIPE, text=True)
    assert worker.stderr is not None
    lines = iter(worker.stderr.readline, "")
    assert any("Ready for jobs" in line for line in lines)
    worker.terminate()
    assert worker.wait(60) == 0
    assert "Traceback" not in worker.stderr.read()
    worker.stderr.close()


def test_a_bad_cron_expression_stops_the_worker_at_its_start(home: Settings, run_twin: Callable[..., object]) -> None:
    settings_file(home.home).write_text("[worker]\nretrain_cron = 'weekly'\n")
    ran = run_twin("worker")
    assert vars(ran)["code"] == 2
    assert "worker.retrain_cron ('weekly') is no cron expression: write minute, hour" in vars(ran)["err"]


def test_the_worker_itself_imports_neither_torch_nor_transformers() -> None:
    code = "import sys, training.worker; print(sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"

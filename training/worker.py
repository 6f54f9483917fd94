"""The worker: claims jobs from the queue and runs each in a child process, so that memory and crashes die with it.

Knows nothing of training or ingest: the child, such as `twin train --job ID`, reports its progress and its end to the
queue itself.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import click

from training.scheduler import schedule
from twin.errors import JobError, TrainingError, TwinError
from twin.jobs import INGEST, RETRAIN, Job, JobQueue
from twin.processes import StopRequest, start_child, stop_children
from twin.sections import Worker as WorkerSettings
from twin.settings import load_settings
from twin.store import Store

log = logging.getLogger(__name__)
GRACE_SECONDS = 30.0  # a training step on a slow machine takes many seconds, and only then does it look at the signal


def train_command(job_id: int) -> list[str]:
    """What runs a training: this interpreter, so that the child has the packages that we have."""
    return [sys.executable, "-m", "twin", "train", "--job", str(job_id)]


def ingest_command(job_id: int) -> list[str]:
    """What brings in the live account."""
    return [sys.executable, "-m", "twin", "ingest", "telegram", "--yes", "--job", str(job_id)]


COMMANDS: Mapping[str, Callable[[int], Sequence[str]]] = {RETRAIN: train_command, INGEST: ingest_command}


class Worker:
    """Runs one job at a time until it is asked to stop.

    Args:
        queue: over a connection of the thread that calls `run`.
        stop: ends `run`; a running job goes back into the queue.
        commands: by kind of job, the child's command line from the job's id.
        clock: UTC epoch seconds.
        grace_seconds: how long a child may take to stop before it is killed.
    """

    def __init__(
        self,
        queue: JobQueue,
        settings: WorkerSettings,
        stop: StopRequest,
        *,
        commands: Mapping[str, Callable[[int], Sequence[str]]] = COMMANDS,
        clock: Callable[[], float] = time.time,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._queue = queue
        self._settings = settings
        self._stop = stop
        self._commands = commands
        self._clock = clock
        self._grace = grace_seconds
        self._beat_every = settings.stale_seconds / 4

    def run(self) -> None:
        """Take over what dead workers left, claim, run; until asked to stop.

        Stale jobs are looked for only between jobs: there is one open job of a kind, and after a suspension our own
        would look stale.
        """
        next_look = -float("inf")
        while not self._stop.requested:
            now = self._clock()
            if now >= next_look:
                self._queue.take_over(now, self._settings.stale_seconds, self._settings.max_attempts)
                next_look = now + self._beat_every
            job = self._queue.claim(self.name, now)
            if job is None:
                self._stop.wait(self._settings.poll_seconds)
            else:
                self._run(job)

    def _run(self, job: Job) -> None:
        if job.kind not in self._commands:
            error = JobError(f"This version knows no {job.kind} jobs", "run the worker of the twin that queued it")
            self._queue.finish(job.id, self._clock(), error=str(error))
            log.error("Job %d: %s", job.id, error)
            return
        child = start_child(self._commands[job.kind](job.id))
        log.info("Job %d (%s for %s): process %d", job.id, job.kind, job.requested_by, child.pid)
        try:
            self._watch(job, child)
        finally:
            stop_children([child], self._grace)
        self._settle(job.id, child.returncode)

    def _watch(self, job: Job, child: subprocess.Popen[bytes]) -> None:
        """Keep the heartbeat going until the child ends or we are asked to stop."""
        next_beat = self._clock() + self._beat_every
        while child.poll() is None and not self._stop.wait(self._settings.poll_seconds):
            now = self._clock()
            if now >= next_beat:
                self._queue.beat(job.id, now)
                next_beat = now + self._beat_every

    def _settle(self, job_id: int, code: int) -> None:
        """Give the job an end if its child gave it none."""
        job = self._queue.get(job_id)
        if not job.is_open:
            log.info("Job %d: %s", job.id, job.error or job.state)
        elif job.worker != self.name:
            log.warning("Job %d was taken over by %s", job.id, job.worker)
        elif self._stop.requested:
            self._queue.release(job.id)
            log.info("Job %d: back in the queue", job.id)
        elif code < 0 and job.attempts < self._settings.max_attempts:
            self._queue.retry(job.id)
            log.warning("Job %d: %s; trying again", job.id, explain(code, job.kind).problem)
        else:
            self._queue.finish(job.id, self._clock(), error=str(explain(code, job.kind)))
            log.error("Job %d: %s", job.id, explain(code, job.kind))


def explain(code: int, kind: str = RETRAIN) -> TwinError:
    """Why a child ended without a word, from its exit code (negative: the signal that killed it)."""
    if kind != RETRAIN:
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended without a result (exit code {code})"
        return JobError(f"The {kind} process {how}", "see the worker's log, then try again")
    if code < 0:
        return TrainingError(
            f"The training process was killed ({signal.Signals(-code).name})",
            "free some memory or set a smaller base.model, then retrain",
        )
    return TrainingError(
        f"The training process ended without a result (exit code {code})",
        "see the worker's log, then retrain",
    )


@click.command()
def worker() -> None:
    """Run queued trainings and ingests, and queue them on schedule, until stopped.

    Ctrl-C or SIGTERM puts a running job back into the queue.
    """
    settings = load_settings()
    with StopRequest().on_signals() as stop, schedule(settings), Store.of(settings) as store:
        log.info("Ready for jobs")
        Worker(JobQueue(store.db), settings.worker, stop).run()

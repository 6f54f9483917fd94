"""The job queue in SQLite: bot and scheduler enqueue, the worker claims, its child reports.

Knows nothing of what a job does.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from sqlite_utils import Database

from twin.database import is_busy
from twin.errors import JobError

log = logging.getLogger(__name__)
State = Literal["queued", "running", "done", "failed"]
RETRAIN = "retrain"
INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the queue; times are UTC epoch seconds.

    Attributes:
        options: how it is to be done; {"force": True}: whatever was trained is to serve.
        progress: what the child last reported: {"step", "steps", "loss", "tokens_per_second", "seconds_left"}.
        result: what it came to when done; `error` is one sentence when it failed.
    """

    id: int
    kind: str
    state: State
    requested_by: str
    created_at: float
    started_at: float | None
    heartbeat_at: float | None
    finished_at: float | None
    worker: str | None
    attempts: int
    progress: dict[str, Any]
    result: dict[str, Any]
    error: str | None
    options: dict[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether it still has to end."""
        return self.state in ("queued", "running")


class JobQueue:
    """The queue over one database connection; every change is a single statement, so no lock is held.

    `now` is always UTC epoch seconds.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def enqueue(self, kind: str, requested_by: str, now: float, *, force: bool = False) -> Job:
        """Add a job.

        Args:
            force: what it makes is to serve, whatever the gate says.

        Raises:
            JobError: one of this kind is open already.
        """
        try:
            rows = self._write(
                "insert into jobs (kind, state, requested_by, created_at, options)"
                " values (?, 'queued', ?, ?, ?) returning *",
                [kind, requested_by, now, json.dumps({"force": True} if force else {})],
            )
        except sqlite3.IntegrityError as error:
            raise JobError(f"A {kind} job is open already", "wait for it; `twin jobs` shows how far it is") from error
        return rows[0]

    def claim(self, worker: str, now: float) -> Job | None:
        """Take the oldest queued job, or nothing; no two workers get the same one."""
        rows = self._write(
            "update jobs set state = 'running', worker = ?, started_at = ?, heartbeat_at = ?, attempts = attempts + 1,"
            " progress = null"
            " where id = (select id from jobs where state = 'queued' order by id limit 1) and state = 'queued'"
            " returning *",
            [worker, now, now],
        )
        return rows[0] if rows else None

    def beat(self, job_id: int, now: float) -> None:
        """Say that the job's worker is alive; one heartbeat is left out if the database is busy all the while."""
        with _unless_busy(job_id):
            self._db.execute("update jobs set heartbeat_at = ? where id = ? and state = 'running'", [now, job_id])

    def report(self, job_id: int, progress: dict[str, Any]) -> None:
        """Store how far a running job is; the next report tells it if the database is busy all the while."""
        with _unless_busy(job_id):
            self._db.execute("update jobs set progress = ? where id = ?", [json.dumps(progress), job_id])

    def finish(
        self, job_id: int, now: float, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """End a job: done with a result, or failed with one sentence; the first to end it is right."""
        self._db.execute(
            "update jobs set state = ?, finished_at = ?, result = ?, error = ? where id = ? and finished_at is null",
            ["failed" if error else "done", now, json.dumps(result or {}), error, job_id],
        )

    def release(self, job_id: int) -> None:
        """Put a running job back: its worker was told to stop, which is no fault of the job's."""
        self._db.execute(
            "update jobs set state = 'queued', worker = null, attempts = attempts - 1"
            " where id = ? and state = 'running'",
            [job_id],
        )

    def retry(self, job_id: int) -> None:
        """Put a running job back after its process died; the attempt counts."""
        self._db.execute(
            "update jobs set state = 'queued', worker = null where id = ? and state = 'running'",
            [job_id],
        )

    def take_over(self, now: float, stale_seconds: float, max_attempts: int) -> None:
        """Requeue running jobs whose worker went silent; after `max_attempts` they fail instead."""
        stale = now - stale_seconds
        self._db.execute(
            "update jobs set state = 'failed', finished_at = ?, error = ?"
            " where state = 'running' and heartbeat_at < ? and attempts >= ?",
            [
                now,
                str(JobError("The worker died each time it ran this job", "see its log, then try again")),
                stale,
                max_attempts,
            ],
        )
        self._db.execute(
            "update jobs set state = 'queued', worker = null where state = 'running' and heartbeat_at < ?",
            [stale],
        )

    def force(self, job_id: int) -> None:
        """Let what an open job makes serve, whatever the gate says."""
        self._db.execute(
            "update jobs set options = json_set(options, '$.force', json('true')) where id = ? and finished_at is null",
            [job_id],
        )

    def get(self, job_id: int) -> Job:
        """One job.

        Raises:
            JobError: there is none with this id.
        """
        rows = self._read("select * from jobs where id = ?", [job_id])
        if not rows:
            raise JobError(f"There is no job {job_id}", "`twin jobs` lists them")
        return rows[0]

    def latest(self, limit: int = 20, kind: str | None = None) -> list[Job]:
        """The newest jobs first, of one kind or of all."""
        return self._read(
            "select * from jobs where kind = coalesce(?, kind) order by id desc limit ?",
            [kind, limit],
        )

    def open_job(self, kind: str) -> Job | None:
        """The job of this kind that has not ended, if any."""
        rows = self._read("select * from jobs where kind = ? and state in ('queued', 'running')", [kind])
        return rows[0] if rows else None

    def _read(self, sql: str, values: list[Any]) -> list[Job]:
        return [_job(row) for row in self._db.query(sql, values)]

    def _write(self, sql: str, values: list[Any]) -> list[Job]:
        return [_job(row) for row in list(self._db.query(sql, values))]


@contextmanager
def _unless_busy(job_id: int) -> Iterator[None]:
    """A sign of life that cannot be written is no reason to end hours of training."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        log.warning("Job %d: the database is busy, its progress is stored next time", job_id)


def _job(row: dict[str, Any]) -> Job:
    row = dict(row)
    row["progress"] = json.loads(row["progress"] or "{}")
    row["result"] = json.loads(row["result"] or "{}")
    row["options"] = json.loads(row["options"])
    return Job(**row)

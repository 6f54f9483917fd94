"""Giving way to a training: the model's memory is freed while one runs, and taken back afterwards.

Knows nothing of what asks the generator or of how training is started; it looks into the job queue.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inference.generator import Generator
from twin.jobs import RETRAIN, JobQueue
from twin.settings import Settings
from twin.store import Store

_LOOK_SECONDS = 2.0
_CLOSE_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Yielding:
    """Looks, now and then and in a thread of its own, whether a training runs, and has the generator give way.

    Args:
        is_training: asked in that thread; what it raises leaves everything as it is until the next look.
        seconds: between two looks; default: a few.
    """

    def __init__(self, generator: Generator, is_training: Callable[[], bool], seconds: float | None = None) -> None:
        self._generator = generator
        self._is_training = is_training
        self._seconds = _LOOK_SECONDS if seconds is None else seconds
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="yielding")
        self.has_yielded = False

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. A generator that gave way is left so: whoever built it closes it."""
        self._is_ended.set()
        self._thread.join(_CLOSE_SECONDS)

    def look(self) -> None:
        """Look once.

        Raises:
            Exception: what the generator or `is_training` raised; the next look tries again.
        """
        is_training = self._is_training()
        if is_training and not self.has_yielded:
            self._generator.release()
            self.has_yielded = True
            _log.info("The model's memory is free for a training; replies wait until it is over")
        elif not is_training and self.has_yielded:
            self._generator.resume()
            self.has_yielded = False
            _log.info("The training is over; the model answers again")

    def _run(self) -> None:
        while not self._is_ended.wait(self._seconds):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - a database that is busy, a GPU still full: the next look tries again
                _log.warning("The model could not give way or come back (%s); trying again", type(error).__name__)


@contextmanager
def yielding(settings: Settings, generator: Generator) -> Iterator[None]:
    """Give way to trainings while it lasts, if `engine.while_training` says so."""
    if settings.engine.while_training == "keep":
        yield
        return
    watcher = Yielding(generator, lambda: training_runs(settings, time.time()))
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()


def training_runs(settings: Settings, now: float) -> bool:
    """Whether a worker trains just now; one that is silent for `worker.stale_seconds` has died.

    Args:
        now: UTC epoch seconds.
    """
    with Store.of(settings) as store:
        job = JobQueue(store.db).open_job(RETRAIN)
    if job is None or job.state != "running":
        return False
    return job.heartbeat_at is None or now - job.heartbeat_at < settings.worker.stale_seconds

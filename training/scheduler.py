"""The schedule: looks at the set times whether enough is new to queue a retraining, and queues an ingest at its own.

Knows nothing of how either works, and does neither; the worker runs what is queued.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from training.cron import Cron
from twin.errors import AdapterError, JobError, TwinError
from twin.jobs import INGEST, RETRAIN, Job, JobQueue
from twin.manifest import Manifest
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

log = logging.getLogger(__name__)
REQUESTED_BY = "schedule"


def wants_training(owner_turns: int, trained_on: int, minimum: int, *, is_open: bool) -> bool:
    """Whether a retraining is due.

    Args:
        owner_turns: turns of the owner, stored now.
        trained_on: turns of the owner, stored when the newest adapter was trained; 0 when there is none.
        minimum: so many new ones are worth a training.
        is_open: whether one is queued or running already.
    """
    return not is_open and owner_turns - trained_on >= minimum


def is_overdue(trigger: Any, last: datetime | None, now: datetime) -> bool:
    """Whether a set time passed since the last training (aware times): the machine was off, or asleep."""
    if last is None:
        return False
    due = trigger.get_next_fire_time(None, last)
    return due is not None and due <= now


def trigger_for(expression: str, zone: tzinfo | None = None, setting: str = "worker.retrain_cron") -> Any:
    """The times of a cron expression, in local time unless a zone is given.

    Args:
        setting: where it stands, for the error.

    Raises:
        SettingsError: the expression is wrong.
    """
    cron = Cron.parse(expression, setting)
    common = {"minute": _list(cron.minutes), "hour": _list(cron.hours), "month": _list(cron.months), "timezone": zone}
    days = {"day": _list(cron.days)}
    weekdays = {"day_of_week": _list(tuple((value - 1) % 7 for value in cron.weekdays))}  # APScheduler: 0 is Monday
    if cron.either_day:
        return OrTrigger([CronTrigger(**common, **days), CronTrigger(**common, **weekdays)])
    return CronTrigger(**common, **days, **weekdays)


def _list(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))


def newest_trained(registry: Registry) -> Manifest | None:
    """The manifest of the adapter trained last, promoted or not.

    Damaged ones are passed over, and those whose training was interrupted: they did not learn from all there was.
    """
    manifests = []
    for version in registry.versions():
        try:
            manifests.append(Manifest.read(registry.path(version)))
        except AdapterError as error:
            log.warning("%s", error)
    manifests = [manifest for manifest in manifests if not manifest.metrics.get("interrupted")]
    return max(manifests, key=lambda manifest: manifest.created_at, default=None)


def queue_if_due(settings: Settings, now: float) -> Job | None:
    """Look once: queue a retraining if enough is new. Opens its own connection, so any thread may call it.

    Returns:
        the queued job, None when there was no need.
    """
    with Store.of(settings) as store:
        queue = JobQueue(store.db)
        registry = Registry(settings.adapters, store.db)
        newest = newest_trained(registry)
        trained_on = newest.owner_turns if newest and not registry.is_stale(newest) else 0
        owner_turns = store.owner_turns()
        is_open = queue.open_job(RETRAIN) is not None
        if not wants_training(owner_turns, trained_on, settings.worker.min_new_turns, is_open=is_open):
            log.info("No retraining: %s", "one is open already" if is_open else "too little is new")
            return None
        try:
            job = queue.enqueue(RETRAIN, REQUESTED_BY, now)
        except JobError:  # somebody asked in the same instant
            return None
        log.info("Queued job %d: %d new turns of yours", job.id, owner_turns - trained_on)
        return job


def queue_ingest(settings: Settings, now: float) -> Job | None:
    """Queue an ingest of the live account, unless one is open; None then. Any thread may call it."""
    with Store.of(settings) as store:
        try:
            return JobQueue(store.db).enqueue(INGEST, REQUESTED_BY, now)
        except JobError:
            return None


@contextmanager
def schedule(settings: Settings, zone: tzinfo | None = None) -> Iterator[None]:
    """Look at the set times while the context lasts, and once at its start when one was missed.

    Raises:
        SettingsError: a cron expression is wrong.
    """
    trigger = trigger_for(settings.worker.retrain_cron, zone)
    ingest = settings.worker.ingest_cron and trigger_for(settings.worker.ingest_cron, zone, "worker.ingest_cron")
    # misfire_grace_time=None: a look that a suspended machine slept through happens when it wakes.
    scheduler = BackgroundScheduler(timezone=zone, job_defaults={"misfire_grace_time": None, "coalesce": True})
    first = _first_look(trigger, _last_training(settings))
    scheduler.add_job(_look, trigger, [settings], next_run_time=first, id=RETRAIN)
    if ingest:
        scheduler.add_job(
            _ask_for_ingest, ingest, [settings], next_run_time=_first_look(ingest, _last_ingest(settings)), id=INGEST
        )
    scheduler.start()
    if first is not None:
        log.info("Looking next at %s whether enough is new to retrain", f"{first.astimezone(zone):%Y-%m-%d %H:%M}")
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


def _first_look(trigger: Any, last: datetime | None) -> datetime | None:
    """At once if one was missed, else the next set time."""
    now = datetime.now(UTC)
    return now if is_overdue(trigger, last, now) else trigger.get_next_fire_time(None, now)


def _look(settings: Settings) -> None:
    try:
        queue_if_due(settings, time.time())
    except TwinError as error:
        log.error("%s", error)


def _ask_for_ingest(settings: Settings) -> None:
    try:
        if (job := queue_ingest(settings, time.time())) is not None:
            log.info("Queued job %d: ingest", job.id)
    except TwinError as error:
        log.error("%s", error)


def _last_training(settings: Settings) -> datetime | None:
    """When a retraining was last asked for or an adapter made; a failed one counts, or it would be asked for again."""
    with Store.of(settings) as store:
        newest = newest_trained(Registry(settings.adapters, store.db))
        asked = [datetime.fromtimestamp(job.created_at, UTC) for job in JobQueue(store.db).latest(1, RETRAIN)]
    made = [datetime.fromisoformat(newest.created_at)] if newest else []
    return max(asked + made, default=None)


def _last_ingest(settings: Settings) -> datetime | None:
    """When an ingest was last asked for."""
    with Store.of(settings) as store:
        asked = JobQueue(store.db).latest(1, INGEST)
    return datetime.fromtimestamp(asked[0].created_at, UTC) if asked else None

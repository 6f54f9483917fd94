"""The schedule: when it looks, and when a look queues a retraining."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given
from hypothesis import strategies as st

from training.cron import Cron
from training.scheduler import (
    _last_training,
    is_overdue,
    newest_trained,
    queue_if_due,
    queue_ingest,
    schedule,
    trigger_for,
    wants_training,
)
from twin.errors import SettingsError
from twin.jobs import INGEST, RETRAIN, JobQueue
from twin.messages import Message
from twin.prompt import PromptSpec
from twin.registry import BaseIdentity, Manifest, Registry
from twin.settings import Settings, load_settings, settings_file
from twin.store import Store

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)  # 2026-01-01 was a Thursday


def times(expression: str, count: int, after: datetime = MONDAY) -> list[str]:
    """The next `count` times, as "weekday month-day hour:minute"."""
    trigger = trigger_for(expression, UTC)
    found: list[datetime] = []
    while len(found) < count:
        previous = found[-1] if found else None
        found.append(trigger.get_next_fire_time(previous, previous or after))
    return [f"{moment:%a %m-%d %H:%M}" for moment in found]


def publish(
    registry: Registry, version: str, created_at: datetime, owner_turns: int, *, interrupted: bool = False
) -> None:
    with registry.incoming() as folder:
        (folder / "adapter_model.safetensors").write_bytes(b"w")
        (folder / "adapter_config.json").write_text("{}")
        manifest = Manifest(
            version=version,
            created_at=created_at.isoformat(),
            base=BaseIdentity("m", "f", "nf4"),
            prompt=PromptSpec(),
            dataset="d",
            owner_turns=owner_turns,
            lora={},
            metrics={"interrupted": interrupted},
            versions={},
        )
        registry.publish(folder, manifest)


def write_owner_turns(store: Store, count: int) -> None:
    """So many turns of two messages each, and as many of the other person."""
    store.add_dialog(1, None)
    store.write_messages([Message(1, number, MONDAY, 7, number % 3 > 0, "hi") for number in range(3 * count)])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 4 * * mon", ["Mon 01-05 04:00", "Mon 01-12 04:00"]),
        ("0 4 * * 1", ["Mon 01-05 04:00", "Mon 01-12 04:00"]),
        ("0 4 * * 0", ["Sun 01-11 04:00", "Sun 01-18 04:00"]),
        ("0 4 * * 7", ["Sun 01-11 04:00", "Sun 01-18 04:00"]),
        ("0 4 * * SUN", ["Sun 01-11 04:00", "Sun 01-18 04:00"]),
        ("0 4 * * 6", ["Sat 01-10 04:00", "Sat 01-17 04:00"]),
        ("0 4 * * 5-7", ["Fri 01-09 04:00", "Sat 01-10 04:00", "Sun 01-11 04:00", "Fri 01-16 04:00"]),
        ("0 4 * * fri-sun", ["Fri 01-09 04:00", "Sat 01-10 04:00", "Sun 01-11 04:00", "Fri 01-16 04:00"]),
        ("0 4 * * 0-1", ["Mon 01-05 04:00", "Sun 01-11 04:00", "Mon 01-12 04:00"]),
        ("0 4 * * mon-fri/2", ["Mon 01-05 04:00", "Wed 01-07 04:00", "Fri 01-09 04:00", "Mon 01-12 04:00"]),
        ("0 4 * * */2", ["Tue 01-06 04:00", "Thu 01-08 04:00", "Sat 01-10 04:00", "Sun 01-11 04:00"]),
        ("30 1,13 * * *", ["Mon 01-05 01:30", "Mon 01-05 13:30", "Tue 01-06 01:30"]),
        ("*/20 23 * * *", ["Mon 01-05 23:00", "Mon 01-05 23:20", "Mon 01-05 23:40", "Tue 01-06 23:00"]),
        ("0 0 1 jan-jun/2 *", ["Sun 03-01 00:00", "Fri 05-01 00:00", "Fri 01-01 00:00"]),
        ("0 0 13 * 5", ["Fri 01-09 00:00", "Tue 01-13 00:00", "Fri 01-16 00:00"]),
        ("0 0 29 2 *", ["Tue 02-29 00:00"]),
    ],
)
def test_an_expression_means_what_cron_means_by_it(expression: str, expected: list[str]) -> None:
    assert times(expression, len(expected)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "weekly",
        "0 4 * *",
        "0 4 * * mon 2026",
        "60 4 * * *",
        "0 24 * * *",
        "0 4 0 * *",
        "0 4 32 * *",
        "0 4 * 13 *",
        "0 4 * * 8",
        "0 4 * * -1",
        "0 4 * * monday",
        "0 4 * * mon-",
        "0 4 * * 5-2",
        "*/0 4 * * *",
        "0 4 * * mon,",
        "1_0 4 * * *",
        "0 ٤ * * *",
        "0 4 * feb-jan *",
        "@weekly",
    ],
)
def test_a_bad_expression_is_refused_with_an_example(expression: str) -> None:
    with pytest.raises(SettingsError, match=r'is no cron expression: write minute, hour, .* "0 4 \* \* mon"'):
        trigger_for(expression)


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_day_that_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(SettingsError, match="names a day that its months do not have: choose another day"):
        trigger_for(expression)


@given(
    st.sets(st.integers(0, 59), min_size=1),
    st.sets(st.integers(0, 23), min_size=1),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_a_list_of_values_is_read_as_it_stands(minutes: set[int], hours: set[int], weekdays: set[int]) -> None:
    fields = [",".join(map(str, values)) for values in (minutes, hours, weekdays)]
    cron = Cron.parse(f"{fields[0]} {fields[1]} * * {fields[2]}")
    assert (set(cron.minutes), set(cron.hours), set(cron.weekdays)) == (minutes, hours, weekdays)
    assert (cron.days, cron.months, cron.either_day) == (tuple(range(1, 32)), tuple(range(1, 13)), False)


@pytest.mark.parametrize(
    ("owner_turns", "trained_on", "is_open", "expected"),
    [
        (1200, 1000, False, True),
        (1199, 1000, False, False),
        (5000, 1000, True, False),
        (200, 0, False, True),
        (900, 1000, False, False),
    ],
)
def test_a_retraining_is_wanted_when_enough_is_new_and_none_is_open(
    owner_turns: int, trained_on: int, is_open: bool, expected: bool
) -> None:
    assert wants_training(owner_turns, trained_on, 200, is_open=is_open) is expected


def test_a_time_missed_since_the_last_training_is_overdue() -> None:
    trigger = trigger_for("0 4 * * mon", UTC)
    sunday = MONDAY - timedelta(days=1)
    assert is_overdue(trigger, sunday, MONDAY + timedelta(hours=5))
    assert not is_overdue(trigger, sunday, MONDAY + timedelta(hours=3))
    assert not is_overdue(trigger, MONDAY + timedelta(hours=5), MONDAY + timedelta(days=6))
    assert not is_overdue(trigger, None, MONDAY)


def test_the_newest_adapter_is_the_one_trained_last_promoted_or_not(home: Settings, store: Store) -> None:
    registry = Registry(home.adapters, store.db)
    assert newest_trained(registry) is None
    publish(registry, "b-first", MONDAY, 100)
    publish(registry, "a-second", MONDAY + timedelta(days=7), 200)
    publish(registry, "c-damaged", MONDAY + timedelta(days=9), 300)
    (home.adapters / "c-damaged" / "twin.json").write_text("{")
    registry.promote("b-first", "better", 0.0)
    newest = newest_trained(registry)
    assert newest is not None
    assert (newest.version, newest.owner_turns) == ("a-second", 200)


def test_an_interrupted_training_did_not_learn_from_all_there_was(home: Settings, store: Store) -> None:
    registry = Registry(home.adapters, store.db)
    publish(registry, "a-first", MONDAY, 100)
    publish(registry, "b-interrupted", MONDAY + timedelta(days=7), 300, interrupted=True)
    newest = newest_trained(registry)
    assert newest is not None
    assert newest.version == "a-first"
    write_owner_turns(store, 300)
    assert queue_if_due(home, 1.0) is not None


def test_a_look_queues_one_job_when_enough_is_new(home: Settings, store: Store) -> None:
    publish(Registry(home.adapters, store.db), "v1", MONDAY, 100)
    write_owner_turns(store, 299)
    assert queue_if_due(home, 1.0) is None
    write_owner_turns(store, 300)
    job = queue_if_due(home, 2.0)
    assert job is not None
    assert (job.kind, job.state, job.requested_by, job.created_at) == (RETRAIN, "queued", "schedule", 2.0)
    assert queue_if_due(home, 3.0) is None
    assert len(JobQueue(store.db).latest()) == 1


def test_what_was_missed_while_the_machine_was_off_is_made_up_for_at_the_start(
    home: Settings, store: Store, eventually: Callable[..., None]
) -> None:
    publish(Registry(home.adapters, store.db), "v1", datetime.now(UTC) - timedelta(days=8), 0)
    write_owner_turns(store, 200)
    queue = JobQueue(store.db)
    with schedule(home, UTC):
        eventually(lambda: queue.open_job(RETRAIN) is not None)


def test_a_start_with_nothing_missed_queues_nothing(home: Settings, store: Store) -> None:
    publish(Registry(home.adapters, store.db), "v1", datetime.now(UTC), 0)
    write_owner_turns(store, 200)
    with schedule(home, UTC):
        pass
    assert JobQueue(store.db).latest() == []


def test_a_set_time_queues_a_job(
    home: Settings, store: Store, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.scheduler.trigger_for", lambda *_: IntervalTrigger(seconds=1, timezone=UTC))
    write_owner_turns(store, 200)
    queue = JobQueue(store.db)
    with schedule(home, UTC):
        assert queue.latest() == []
        eventually(lambda: queue.open_job(RETRAIN) is not None)


def test_a_database_that_breaks_meanwhile_is_logged_and_not_raised(
    home: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from training.scheduler import _look

    home.database.write_text("no database at all, and long enough to be told from one\n" * 20)
    _look(home)
    assert "is encrypted, or is no database" in caplog.text


def with_ingest(home: Settings, expression: str) -> Settings:
    settings_file(home.home).write_text(f"[worker]\ningest_cron = '{expression}'\n")
    return load_settings()


def test_an_ingest_is_queued_at_its_own_times_and_once_when_one_was_missed(
    home: Settings, store: Store, eventually: Callable[..., None]
) -> None:
    queue = JobQueue(store.db)
    done = queue.enqueue(INGEST, "owner", (datetime.now(UTC) - timedelta(days=2)).timestamp())
    queue.finish(done.id, 1.0, result={})
    with schedule(with_ingest(home, "0 5 * * *"), UTC):
        eventually(lambda: queue.open_job(INGEST) is not None)
    assert queue.latest(kind=RETRAIN) == []
    assert queue_ingest(home, 1.0) is None  # one is open


def test_without_a_set_time_no_ingest_is_queued(home: Settings, store: Store) -> None:
    queue = JobQueue(store.db)
    queue.finish(queue.enqueue(INGEST, "owner", 1.0).id, 1.0, result={})
    with schedule(home, UTC):
        pass
    assert queue.open_job(INGEST) is None


def test_an_ingest_asked_for_is_no_training_asked_for(home: Settings, store: Store) -> None:
    publish(Registry(home.adapters, store.db), "v1", MONDAY, 0)
    JobQueue(store.db).enqueue(INGEST, "owner", datetime.now(UTC).timestamp())
    assert _last_training(home) == MONDAY


def test_a_wrong_time_for_ingests_is_named(home: Settings) -> None:
    settings = with_ingest(home, "hourly")
    with pytest.raises(SettingsError, match=r"worker\.ingest_cron \('hourly'\) is no cron"), schedule(settings):
        pass

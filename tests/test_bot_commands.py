"""What the bot answers to commands: who may, what they tell, and how a training is followed to its end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lo_bot_api_emulator import ApiRefusal

from bot import wording
from bot.engine import Serving
from bot.pacing import Rhythm
from tests.bot_api import FRIEND, OWNER, BotApi, Parrot, bot_api, bot_settings, running_bot
from tests.bot_versions import publish
from twin.jobs import RETRAIN, Job, JobQueue
from twin.store import Store


@asynccontextmanager
async def _scene(tmp_path: Path, build: Callable[[], Parrot] = Parrot, **owner: Any) -> AsyncIterator[BotApi]:
    async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api, owner=owner), build):
        yield api


def test_start_says_what_this_is_and_help_names_only_what_one_may_use(tmp_path: Path) -> None:
    async def scene() -> None:
        async with _scene(tmp_path, name="Ada") as api:
            assert "Ada" in await api.told(FRIEND, "/start")
            assert "/retrain" not in await api.told(FRIEND, "/help")
            assert "/retrain" in await api.told(OWNER, "/help")
            assert "/reset" in await api.told(FRIEND, "/nonsense")

    asyncio.run(scene())


def test_status_tells_the_version_its_held_out_metrics_and_why_another_was_refused(tmp_path: Path) -> None:
    publish(tmp_path, "v1")
    refusal = "The adapter v2 is truncated: promote another version."

    async def scene() -> None:
        async with _scene(tmp_path, lambda: Parrot(adapter="v1", refused=refusal)) as api:
            assert await api.told(FRIEND, "hi")
            told = await api.told(OWNER, "/status")
            assert "v1" in told and "bits per character: 2.35" in told and refusal in told
            assert "train" not in told.replace("training", "")

    asyncio.run(scene())


def test_status_does_not_wait_for_a_model_that_loads(tmp_path: Path) -> None:
    loaded = threading.Event()

    def build() -> Parrot:
        assert loaded.wait(60)
        return Parrot()

    async def scene() -> None:
        async with _scene(tmp_path, build) as api:
            assert "loading" in await api.told(OWNER, "/status")
            loaded.set()

    asyncio.run(scene())


def test_retrain_is_the_owners_alone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with _scene(tmp_path, name="Ada") as api:
            assert await api.told(FRIEND, "/retrain") == "Only Ada can do that."

    asyncio.run(scene())
    with Store.open(tmp_path / "twin.db") as store:
        assert JobQueue(store.db).latest() == []


def test_retrain_follows_the_training_in_its_own_message_to_the_end(tmp_path: Path) -> None:
    async def scene() -> None:
        async with _scene(tmp_path) as api:
            assert "queued" in await api.told(OWNER, "/retrain")
            with Store.open(tmp_path / "twin.db") as store:
                queue = JobQueue(store.db)
                job = queue.claim("a worker", time.time())
                assert job is not None and job.kind == RETRAIN and job.requested_by == f"telegram:{OWNER}"
                queue.report(job.id, {"step": 10, "steps": 40, "loss": 2.3456, "seconds_left": 200.0})
                await api.until(lambda: "step 10 of 40 (25 %), loss 2.35, about 3 min left" in api.shown(OWNER)[0])
                assert "step 10 of 40" in (second := await api.told(OWNER, "/retrain")) and "already" in second
                assert "step 10 of 40" in await api.told(OWNER, "/status")
                queue.finish(job.id, time.time(), result={"version": "v7", "promoted": True, "reason": "better"})
                await api.until(lambda: "v7" in api.shown(OWNER)[0])
                assert len(queue.latest()) == 1
                await api.until(lambda: not list(store.db.execute("select * from bot_watches")))
            assert "queued" in await api.told(OWNER, "/retrain")

    asyncio.run(scene())


def test_a_training_that_ends_while_the_bot_is_away_is_told_at_its_return(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, Parrot):
                await api.told(OWNER, "/retrain")
            with Store.open(settings.database) as store:
                queue = JobQueue(store.db)
                job = queue.claim("a worker", time.time())
                assert job is not None
                queue.finish(job.id, time.time(), error="There is too little to learn from: ingest more.")
            async with running_bot(api, settings, Parrot):
                await api.until(lambda: "too little" in api.shown(OWNER)[0])
            async with running_bot(api, settings, Parrot):
                await api.told(OWNER, "hi")
            assert len([text for text in api.edits(OWNER) if "too little" in text]) == 1

    asyncio.run(scene())


def test_the_end_is_told_anew_when_the_message_that_followed_is_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with _scene(tmp_path) as api:
            await api.told(OWNER, "/retrain")
            api.refuse["editMessageText"] = [ApiRefusal("Bad Request: message to edit not found")]
            with Store.open(tmp_path / "twin.db") as store:
                queue = JobQueue(store.db)
                queue.finish(queue.latest()[0].id, time.time(), error="The disk is full: make room.")
            await api.until(lambda: "disk is full" in api.texts(OWNER)[-1])

    asyncio.run(scene())


def test_a_forced_retraining_says_so_and_an_open_one_can_be_forced_later(tmp_path: Path) -> None:
    async def scene() -> None:
        async with _scene(tmp_path) as api:
            assert "it will serve" not in await api.told(OWNER, "/retrain")
            with Store.open(tmp_path / "twin.db") as store:
                queue = JobQueue(store.db)
                assert queue.latest()[0].options == {}
                assert "it will serve: you forced it" in await api.told(OWNER, "/retrain force")
                assert queue.latest()[0].options == {"force": True}
                queue.finish(queue.latest()[0].id, time.time(), result={"version": "v1", "promoted": True})
                await api.until(lambda: not list(store.db.execute("select * from bot_watches")))
                assert "it will serve" in await api.told(OWNER, "/retrain Force")
                assert queue.latest()[0].options == {"force": True}
            assert "lets it serve if it is better" in await api.told(OWNER, "/retrain now please")

    asyncio.run(scene())


def test_the_end_of_a_training_that_nobody_followed_is_told_to_the_owner_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        queue = JobQueue(store.db)
        old = queue.enqueue(RETRAIN, "schedule", time.time())
        queue.finish(old.id, time.time(), result={"version": "v1", "promoted": True})

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, Parrot):
                await api.told(OWNER, "hi")
                with Store.open(settings.database) as store:
                    queue = JobQueue(store.db)
                    job = queue.enqueue(RETRAIN, "schedule", time.time())
                    result = {"version": "v2", "promoted": False, "reason": "it copies more than the one that serves"}
                    queue.finish(job.id, time.time(), result=result)
                await api.until(lambda: "v2 does not serve: it copies more" in api.texts(OWNER)[-1])
            async with running_bot(api, settings, Parrot):
                await api.told(OWNER, "hi")
            assert len([text for text in api.texts(OWNER) if "training is done" in text]) == 1

    asyncio.run(scene())


def test_a_training_that_the_schedule_queued_is_followed_too(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        job = JobQueue(store.db).enqueue(RETRAIN, "schedule", time.time())

    async def scene() -> None:
        async with _scene(tmp_path) as api:
            assert "already" in await api.told(OWNER, "/retrain")
            with Store.open(tmp_path / "twin.db") as store:
                result = {"version": "v8", "promoted": False, "reason": "not better"}
                JobQueue(store.db).finish(job.id, time.time(), result=result)
            await api.until(lambda: "v8 does not serve: not better" in api.shown(OWNER)[0])

    asyncio.run(scene())


def _job(**changes: Any) -> Job:
    job = Job(1, RETRAIN, "running", "telegram:1", 0, 0, 0, None, "w", 1, {}, {}, None, {})
    return replace(job, **changes)


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        ({}, "Training is running."),
        ({"step": 0, "steps": 3}, "step 0 of 3 (0 %)"),
        ({"seconds_left": 0.2}, "about 1 s left"),
        ({"seconds_left": 7200}, "about 2.0 h left"),
    ],
)
def test_progress_is_told_with_what_there_is(progress: dict[str, Any], told: str) -> None:
    assert told in wording.course(_job(progress=progress))


def test_status_without_a_trained_version_says_so() -> None:
    assert "No trained version" in wording.status(Serving(None, None), {}, None)


def test_a_stopping_bot_waits_no_longer_than_a_service_manager_should() -> None:
    assert Rhythm().grace + Rhythm().close < 8

"""The kill switch: nothing is answered from /pause on, and what came meanwhile is answered after /resume, in order."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from tests.bot_api import FAST, FRIEND, OWNER, Held, Parrot, bot_api, bot_settings, running_bot
from tests.hand_clock import HandClock
from twin.store import Store


def test_what_comes_during_a_pause_is_answered_afterwards_in_its_order(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert await api.told(FRIEND, "one") == "you said one"
            assert "Paused" in await api.told(OWNER, "/pause")
            for text in ("two", "/status", "three"):
                await api.write(FRIEND, text)
            await api.write(OWNER, "me too")
            assert "Paused since" in await api.told(OWNER, "/status")
            assert api.texts(FRIEND) == ["you said one"]
            assert await api.told(OWNER, "/resume") == "I answer again."
            await api.until(lambda: len(api.texts(FRIEND)) == 4 and "you said me too" in api.texts(OWNER))
            said = [text for text in api.texts(FRIEND) if text.startswith("you said")]
            assert said == ["you said one", "you said two", "you said three"]
            assert "Paused" not in await api.told(OWNER, "/status")

    asyncio.run(scene())
    with Store.open(tmp_path / "twin.db") as store:
        assert list(store.db.execute("select 1 from bot_inbox where answered_at is null")) == []


def test_a_reply_under_way_is_broken_off_and_made_after_the_pause(tmp_path: Path) -> None:
    held = Held()

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: Parrot(say=held)):
            await api.write(FRIEND, "hi")
            await api.until(held.begun.is_set)
            await api.write(OWNER, "mine")  # the owner's own chat is busy as well
            assert "Paused" in await api.told(OWNER, "/pause")
            held.may.set()
            assert "Paused since" in await api.told(OWNER, "/status")
            assert api.texts(FRIEND) == []
            await api.write(OWNER, "/resume")
            await api.until(lambda: api.texts(FRIEND) == ["you said hi"] and "you said mine" in api.texts(OWNER))

    asyncio.run(scene())


def test_a_pause_outlives_a_restart_and_so_does_what_waits(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, Parrot):
                await api.told(OWNER, "/pause")
                await api.write(FRIEND, "hi")
                await api.told(OWNER, "/status")
            async with running_bot(api, settings, Parrot):
                assert "Paused since" in await api.told(OWNER, "/status")
                await api.write(FRIEND, "still there?")
                assert "Paused since" in await api.told(OWNER, "/status")
                assert api.texts(FRIEND) == []
                await api.write(OWNER, "/resume")
                await api.until(lambda: api.texts(FRIEND) == ["you said hi", "you said still there?"])

    asyncio.run(scene())


def test_what_is_too_old_after_a_pause_stays_unanswered_and_is_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, Parrot):
                await api.told(OWNER, "/pause")
                await api.write(FRIEND, "old")
                await api.write(FRIEND, "new")
                await api.told(OWNER, "/status")
                with Store.open(settings.database) as store:
                    store.db.execute(
                        "update bot_inbox set received_at = received_at - 13 * 3600"
                        " where json_extract(payload, '$.message.text') = 'old'"
                    )
                assert await api.told(OWNER, "/resume") == (
                    "I answer again. Older than 12 hours, and left unanswered: 1."
                )
                await api.until(lambda: api.texts(FRIEND) == ["you said new"])

    asyncio.run(scene())
    with Store.open(tmp_path / "twin.db") as store:
        assert [json.loads(row[0]) for row in store.db.execute("select distinct payload from bot_inbox")] == [{}]


def test_guests_can_neither_pause_nor_resume(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert "can do that" in await api.told(FRIEND, "/pause")
            assert await api.told(FRIEND, "hi") == "you said hi"
            await api.told(OWNER, "/pause")
            await api.write(FRIEND, "/resume")
            assert "Paused since" in await api.told(OWNER, "/status")
            assert len(api.texts(FRIEND)) == 2
            await api.told(OWNER, "/resume")
            await api.until(lambda: "can do that" in api.texts(FRIEND)[-1])

    asyncio.run(scene())


def test_a_burst_that_is_being_gathered_waits_too_and_nothing_of_it_is_answered_twice(tmp_path: Path) -> None:
    clock, parrot = HandClock(), Parrot()
    rhythm = replace(FAST, clock=clock)

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"debounce_seconds": 3})
            async with running_bot(api, settings, lambda: parrot, rhythm):
                await api.write(FRIEND, "one")
                await api.until(lambda: clock.sleepers == 1)
                await api.told(OWNER, "/pause")
                await api.write(FRIEND, "two")
                clock.advance(60)
                assert "Paused since" in await api.told(OWNER, "/status")
                assert parrot.asked == [] and api.texts(FRIEND) == []
                assert await api.told(OWNER, "/resume") == "I answer again."

                def answered() -> bool:
                    clock.advance(1)
                    return api.texts(FRIEND)[-1:] == ["you said two"]

                await api.until(answered)
                assert api.texts(FRIEND) in (["you said two"], ["you said one", "you said two"])

    asyncio.run(scene())
    assert [bubbles for speaker, bubbles in parrot.asked[-1] if speaker == "other"] in (
        [["one", "two"]],
        [["one"], ["two"]],
    )

"""With `telegram.silence` the twin leaves unanswered what its owner would, remembers that, and never twice in a row."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.bot_api import FRIEND, Parrot, bot_api
from tests.stages import Scene, running, stage
from tests.test_bot_pauses import dataset, pace
from twin.timing import Answers, Timing

NEVER = 0.999
ALWAYS_SILENT = {kind: Answers(1000, 1000, 0, 0) for kind in ("acknowledgement", "statement", "media", "question")}


def silent_owner(home: Path, **fields: object) -> None:
    dataset(home, "aa", Timing(answers=ALWAYS_SILENT, **fields))  # type: ignore[arg-type]


def test_what_the_owner_would_leave_unanswered_is(tmp_path: Path) -> None:
    silent_owner(tmp_path)
    parrot = Parrot()

    async def play() -> None:
        async with stage(tmp_path, parrot, silence=True) as scene:
            assert await scene.met("hi there") == ["you said hi there"], "the first message of a chat"
            assert await scene.met("ok") == []
            assert await scene.met("well") == ["you said well"], "never twice in a row"
            assert await scene.met("and when?") == ["you said and when?"], "a question"
            assert await scene.met("fine") == []
            await scene.settled(await scene.say("/reset"))
            assert await scene.met("so") == ["you said so"], "the first after a fresh start"

    asyncio.run(play())
    assert parrot.asked[1] == [("other", ["hi there"]), ("owner", ["you said hi there"]), ("other", ["ok", "well"])]


def test_a_silence_is_no_turn_and_shows_no_typing(tmp_path: Path) -> None:
    silent_owner(tmp_path)

    async def play() -> None:
        async with stage(tmp_path, Parrot(), silence=True) as scene:
            await scene.met("hi there")
            before = len(scene.api.methods(FRIEND))
            await scene.met("ok")
            assert scene.api.methods(FRIEND)[before:] == []
            assert scene.rows()[-2:] == [("other", "ok"), ("silence", "")]

    asyncio.run(play())


def test_without_the_setting_everything_is_answered(tmp_path: Path) -> None:
    silent_owner(tmp_path)

    async def play() -> None:
        async with stage(tmp_path, Parrot()) as scene:
            for text in ("hi there", "ok", "hm"):
                assert await scene.met(text) == [f"you said {text}"]

    asyncio.run(play())


def test_what_was_met_with_silence_stays_so_after_a_kill_and_the_next_is_answered(tmp_path: Path) -> None:
    """Killed after the decision was written and before the updates were closed."""
    silent_owner(tmp_path)

    async def play() -> None:
        async with bot_api() as api:
            scene = Scene(tmp_path, api)
            async with running(scene, Parrot(), silence=True):
                await scene.met("hi there")
                quiet = await scene.say("ok")
                await scene.settled(quiet)
            scene.undo(quiet, FRIEND, "ok")
            parrot = Parrot()
            async with running(scene, parrot, silence=True):
                await scene.settled(quiet)
                assert scene.done() == ["you said hi there"] and parrot.asked == []
                assert await scene.met("hm") == ["you said hm"]
            assert [row for row in scene.rows() if row[0] == "silence"] == [("silence", "")]

    asyncio.run(play())


def test_who_calls_the_twin_by_name_in_a_group_is_answered(tmp_path: Path) -> None:
    silent_owner(tmp_path)
    group = -100_500
    chat = {"id": group, "type": "supergroup", "title": "Friends"}
    name = "@emulated_twin_bot"
    call = {"entities": [{"type": "mention", "offset": 0, "length": len(name)}]}
    said_by_twin = {
        "message_id": 3,
        "date": 1,
        "chat": chat,
        "from": {"id": 123456789, "is_bot": True, "first_name": "Twin"},
        "text": "hm",
    }

    async def play() -> None:
        async with stage(tmp_path, Parrot(), silence=True, allowed_ids=[FRIEND, group]) as scene:
            for _ in range(3):
                assert scene.done(group) == [*scene.done(group)]
                await scene.settled(await scene.say(f"{name} nice", chat=chat, **call))
            assert scene.done(group) == ["you said nice"] * 3
            await scene.settled(await scene.say("nice", chat=chat, reply_to_message=said_by_twin))
            assert scene.done(group) == ["you said nice"] * 3, "a mere reply may be left alone"

    asyncio.run(play())


def test_silence_is_for_all_of_a_burst_unless_something_in_it_is_asked(tmp_path: Path) -> None:
    silent_owner(tmp_path)
    parrot = Parrot(lambda heard: [" + ".join(heard)])

    async def play() -> None:
        async with stage(tmp_path, parrot, silence=True, debounce_seconds=3) as scene:
            first = await scene.say("hi there")
            await scene.pass_time(3)
            await scene.settled(first)
            updates = [await scene.say(text) for text in ("ok", "fine")]
            await scene.taken_in(*updates)
            await scene.pass_time(3)
            await scene.settled(*updates)
            assert scene.done() == ["hi there"]
            last = await scene.say("so")
            await scene.pass_time(3)
            await scene.settled(last)
            asked = [await scene.say(text) for text in ("where?", "lol")]
            await scene.taken_in(*asked)
            await scene.pass_time(3)
            await scene.settled(*asked)
            assert scene.done() == ["hi there", "ok + fine + so", "where? + lol"]

    asyncio.run(play())


def test_the_rates_are_those_of_the_version_that_serves_and_chance_decides(tmp_path: Path) -> None:
    timing = pace(0, 0, answers={"acknowledgement": Answers(1000, 500, 0, 0)})
    dataset(tmp_path, "aa", timing)

    async def play() -> None:
        async with stage(tmp_path, Parrot(), silence=True) as scene:
            await scene.met("hi there")
            scene.chance.coming = [NEVER]
            assert await scene.met("ok") == ["you said ok"]
            scene.chance.coming = [0.0]
            assert await scene.met("ok") == []

    asyncio.run(play())

"""With `telegram.reactions` the twin gives the emoji its owner would give; where that is refused it says something."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lo_bot_api_emulator import ApiRefusal

from tests.bot_api import FRIEND, Parrot, bot_api
from tests.stages import Scene, running, stage
from tests.test_bot_pauses import dataset, pace
from twin.timing import Answers, Timing

REACT, GIVEN = 0.0, "setMessageReaction"
RATES = {"acknowledgement": Answers(1000, 500, 0, 500)}


def reacting_owner(home: Path, **fields: Any) -> None:
    dataset(home, "aa", Timing(answers=RATES, emoji={"acknowledgement": {"👍": 900}}, **fields))


def test_an_emoji_stands_for_an_answer_where_the_owner_gives_one(tmp_path: Path) -> None:
    reacting_owner(tmp_path)
    parrot = Parrot()

    async def play() -> None:
        async with stage(tmp_path, parrot, reactions=True) as scene:
            assert await scene.met("hi there") == ["you said hi there"]
            scene.chance.coming = [REACT]
            assert await scene.met("ok") == [GIVEN]
            assert scene.api.reactions == [(FRIEND, scene.api.newest, ["👍"])], "on the message itself"
            scene.chance.coming = [0.999]
            assert await scene.met("hm") == ["you said hm"]

    asyncio.run(play())
    assert parrot.asked[1] == [("other", ["hi there"]), ("owner", ["you said hi there"]), ("other", ["ok", "hm"])]


def test_a_chat_that_takes_no_emoji_gets_words_instead(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reacting_owner(tmp_path)

    async def play() -> None:
        async with stage(tmp_path, Parrot(), reactions=True) as scene:
            await scene.met("hi there")
            scene.api.refuse[GIVEN] = [ApiRefusal("Bad Request: REACTION_INVALID", 400)]
            scene.chance.coming = [REACT]
            assert await scene.met("ok") == ["you said ok"]
            assert [speaker for speaker, _ in scene.rows()] == ["other", "owner", "other", "owner"]

    asyncio.run(play())


def test_an_emoji_comes_when_the_owner_would_give_it_and_an_edit_before_is_respected(tmp_path: Path) -> None:
    reacting_owner(tmp_path, **{name: getattr(pace(0, 11), name) for name in ("gaps", "latency")})

    async def play() -> None:
        async with stage(tmp_path, Parrot(), reactions=True, debounce_seconds=3, pacing="owner") as scene:
            first = await scene.say("hi there")
            await scene.taken_in(first)
            await scene.pass_time(3)
            await scene.pass_time(8.1)
            await scene.settled(first)
            scene.chance.coming = [REACT]
            nice = await scene.say("nice")
            message = scene.api.newest
            await scene.taken_in(nice)
            await scene.pass_time(3)
            await scene.api.until(lambda: scene.clock.asked[-1] == pytest.approx(8))
            edit = await scene.api.edit(FRIEND, message, "nice, where?")
            await scene.taken_in(edit)
            await scene.api.until(lambda: scene.clock.asked[-1] == pytest.approx(3))
            await scene.pass_time(3)
            await scene.pass_time(8.1)
            await scene.settled(nice, edit)
            assert scene.done() == ["you said hi there", "you said nice, where?"]
            scene.chance.coming = [REACT]
            thanks = await scene.say("thanks")
            await scene.taken_in(thanks)
            await scene.pass_time(3)
            await scene.pass_time(8.1)
            await scene.settled(thanks)
            assert scene.done()[2:] == [GIVEN]

    asyncio.run(play())


def test_what_got_an_emoji_gets_no_other_after_a_kill_and_no_answer(tmp_path: Path) -> None:
    reacting_owner(tmp_path)

    async def play() -> None:
        async with bot_api() as api:
            scene, parrot = Scene(tmp_path, api), Parrot()
            async with running(scene, parrot, reactions=True):
                await scene.met("hi there")
                scene.chance.coming = [REACT]
                ok = await scene.say("ok")
                await scene.settled(ok)
            scene.undo(ok, FRIEND, "ok")
            async with running(scene, parrot, reactions=True):
                await scene.settled(ok)
            assert scene.done() == ["you said hi there", GIVEN] and len(parrot.asked) == 1
            scene.undo(ok, FRIEND, "ok", is_sent=False)
            async with running(scene, parrot, reactions=True):
                await scene.settled(ok)
            assert scene.done() == ["you said hi there", GIVEN, GIVEN] and len(parrot.asked) == 1
            assert len(set(api.reactions[0][2] + api.reactions[1][2])) == 1, "planned and not noted: the same once more"

    asyncio.run(play())


def test_a_reply_of_one_emoji_goes_out_as_one(tmp_path: Path) -> None:
    reacting_owner(tmp_path)
    parrot = Parrot(lambda heard: ["👌"])

    async def play() -> None:
        async with stage(tmp_path, parrot, reactions=True) as scene:
            assert await scene.met("hi there") == ["👌"], "the first message is answered with a message"
            scene.chance.coming = [0.999]
            assert await scene.met("ok") == [GIVEN]
            assert scene.api.reactions[-1][2] == ["👌"]
            scene.chance.coming = [0.999]
            assert await scene.met("I was at the lake all day long") == ["👌"], "the owner has none for such messages"

    asyncio.run(play())


def test_by_default_nothing_but_words_is_sent(tmp_path: Path) -> None:
    reacting_owner(tmp_path)

    async def play() -> None:
        async with stage(tmp_path, Parrot()) as scene:
            for text in ("hi there", "ok", "hm"):
                scene.chance.coming = [REACT]
                assert await scene.met(text) == [f"you said {text}"]

    asyncio.run(play())

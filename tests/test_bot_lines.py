"""The bot's own lines are written down before they are sent: a bot that ends goes on, and the twin never reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.bot_api import FRIEND, OWNER, Parrot, bot_api
from tests.stages import Scene, running, stage


def broken(heard: Sequence[str]) -> list[str]:
    raise RuntimeError("no memory")


def test_an_apology_that_was_sent_is_not_sent_again_by_the_next_bot(tmp_path: Path) -> None:
    async def play() -> None:
        async with bot_api() as api:
            scene, well = Scene(tmp_path, api), Parrot()
            async with running(scene, Parrot(broken)):
                hi = await scene.say("hi")
                await scene.settled(hi)
            said = scene.done()
            assert len(said) == 1
            scene.undo(hi, FRIEND, "hi")
            async with running(scene, well):
                await scene.settled(hi)
                assert scene.done() == said and well.asked == []
                await scene.met("still there?")
            assert well.asked == [[("other", ["hi", "still there?"])]], "an apology is no turn of the twin's"

    asyncio.run(play())


def test_a_line_that_was_planned_and_not_sent_is_sent_as_it_was(tmp_path: Path) -> None:
    async def play() -> None:
        async with bot_api() as api:
            scene, well = Scene(tmp_path, api), Parrot()
            async with running(scene, Parrot(adapter=None)):
                hi = await scene.say("hi")
                await scene.settled(hi)
            (said,) = scene.done()
            scene.undo(hi, FRIEND, "hi", is_sent=False)
            async with running(scene, well):
                await scene.settled(hi)
            assert scene.done() == [said, said] and well.asked == [], "Telegram may not have had it"

    asyncio.run(play())


def test_why_knows_nothing_of_the_bots_own_lines(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path, Parrot(broken)) as scene:
            await scene.met("hi", OWNER)
            sent = next(call for call in scene.api.calls if call.method == "sendMessage")
            reply = {
                "message_id": sent.message_id,
                "date": 1,
                "chat": {"id": OWNER, "type": "private", "first_name": "Somebody"},
                "text": sent.text,
            }
            (answer,) = await scene.met("/why", OWNER, reply_to_message=reply)
            assert "v0" not in answer and "/why" in answer

    asyncio.run(play())


def test_an_emoji_and_a_silence_are_forgotten_with_the_chat(tmp_path: Path) -> None:
    from bot.history import History
    from twin.store import Store

    with Store.open(tmp_path / "twin.db") as store:
        history = History(store.db)
        history.plan_act(1, FRIEND, "reaction", 0, "👍", 5)
        history.plan_act(2, FRIEND, "silence", 0)
        history.plan(3, FRIEND, ["hi"], "v1", 0)
        assert history.plan_busy(3, FRIEND, "one sec", 0, 600) and not history.plan_busy(3, FRIEND, "one sec", 0, 600)
        assert history.forget(FRIEND) == 1, "one message was said, as far as anybody saw"
        assert not list(store.db.execute("select * from bot_messages"))

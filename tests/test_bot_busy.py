"""Who waits because the machine is busy is told so in the owner's words, once, and the twin does not remember it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.busy import Load
from bot.busy_phrases import PHRASES, owners_phrase
from bot.phrases import languages
from inference.generator import ANYHOW, TwinReply, Wish
from tests.bot_api import FRIEND, Parrot, bot_api
from tests.chats import START
from tests.hand_clock import HandClock
from tests.stages import Scene, running, stage
from twin.messages import Conversation, Message
from twin.settings import Settings
from twin.store import Store

LINE = "one sec"


@dataclass
class Slow(Parrot):
    """A Parrot that answers once `free` is set."""

    free: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        made = super().reply(conversation, wish)
        self.begun.release()
        while not self.free.wait(0.01):
            if wish.is_cancelled():
                return TwinReply((), self.adapter, "cancelled")
        return made


def test_after_twenty_seconds_one_line_goes_before_the_answer_and_is_no_turn(tmp_path: Path) -> None:
    slow = Slow()

    async def play() -> None:
        async with stage(tmp_path, slow, busy_seconds=20) as scene:
            update = await scene.say("hi")
            await scene.api.until(lambda: slow.asked and scene.clock.sleepers)
            scene.clock.advance(19)
            assert scene.done() == []
            scene.clock.advance(1.1)
            await scene.api.until(lambda: scene.done() == [LINE])
            scene.clock.advance(500)
            slow.free.set()
            await scene.settled(update)
            assert scene.done() == [LINE, "you said hi"]
            await scene.met("and?")

    asyncio.run(play())
    assert slow.asked[1] == [("other", ["hi"]), ("owner", ["you said hi"]), ("other", ["and?"])]


def test_nobody_is_told_twice_in_ten_minutes_and_after_them_again(tmp_path: Path) -> None:
    slow = Slow()

    async def one(scene: Scene, text: str, lines: int, then: float) -> None:
        """A message whose answer takes half a minute, and how many lines there are before it."""
        slow.free.clear()
        update = await scene.say(text)
        await scene.api.until(lambda: slow.begun.acquire(blocking=False))
        await scene.api.until(lambda: scene.clock.sleepers or scene.done().count("hold on") == lines)
        scene.clock.advance(30)
        await scene.api.until(lambda: scene.done().count("hold on") == lines)
        slow.free.set()
        await scene.settled(update)
        scene.clock.advance(then)

    async def play() -> None:
        async with stage(tmp_path, slow, busy_seconds=20, busy_phrases=["hold on"]) as scene:
            await one(scene, "a", 1, 200)
            await one(scene, "b", 1, 400)
            await one(scene, "c", 2, 0)
            assert scene.done() == ["hold on", "you said a", "you said b", "hold on", "you said c"]

    asyncio.run(play())


def test_a_prompt_answer_and_the_setting_zero_tell_nothing(tmp_path: Path) -> None:
    slow = Slow()

    async def play() -> None:
        async with stage(tmp_path / "on", Parrot(), busy_seconds=20) as scene:
            assert await scene.met("hi") == ["you said hi"] and not scene.clock.sleepers
        async with stage(tmp_path / "off", slow) as scene:
            update = await scene.say("hi")
            await scene.api.until(lambda: slow.asked)
            scene.clock.advance(1000)
            slow.free.set()
            await scene.settled(update)
            assert scene.done() == ["you said hi"]

    asyncio.run(play())


def test_the_owners_own_pause_is_no_lateness(tmp_path: Path) -> None:
    from tests.test_bot_pauses import dataset, pace

    dataset(tmp_path, "aa", pace(4, 15))
    slow = Slow()

    async def play() -> None:
        async with stage(tmp_path, slow, busy_seconds=20, pacing="owner") as scene:
            await scene.say("hi")
            await scene.api.until(lambda: slow.asked and scene.clock.sleepers)
            assert scene.clock.asked == [pytest.approx(35, abs=0.1)]
            scene.clock.advance(30)
            slow.free.set()
            await scene.api.until(lambda: scene.done() == ["you said hi"])

    asyncio.run(play())


def test_fifty_chats_that_wait_are_told_once_each_and_answered_once_each(tmp_path: Path) -> None:
    slow = Slow()
    people = list(range(7000, 7050))

    async def play() -> None:
        async with stage(tmp_path, slow, busy_seconds=20, allowed_ids=people) as scene:
            updates = [await scene.say("hi", user) for user in people]
            await scene.taken_in(*updates)
            await scene.api.until(lambda: scene.clock.sleepers == 50)
            scene.clock.advance(20.1)
            await scene.api.until(lambda: all(scene.done(user) == [LINE] for user in people))
            slow.free.set()
            await scene.settled(*updates)
            assert all(scene.done(user) == [LINE, "you said hi"] for user in people)

    asyncio.run(play())


def test_who_can_be_seen_to_wait_that_long_is_told_at_once(tmp_path: Path) -> None:
    slow = Slow()
    people = list(range(7000, 7003))

    async def play() -> None:
        async with stage(
            tmp_path, slow, engine={"at_once": 1}, busy_seconds=20, allowed_ids=[*people, FRIEND]
        ) as scene:
            first = await scene.say("hi")
            await scene.api.until(lambda: slow.asked and scene.clock.sleepers)
            scene.clock.advance(15)
            slow.free.set()
            await scene.settled(first)
            slow.free.clear()
            updates = [await scene.say("hi", people[0])]
            await scene.api.until(lambda: len(slow.asked) == 2 and scene.clock.sleepers == 1)
            updates += [await scene.say("hi", user) for user in people[1:]]
            await scene.api.until(lambda: [scene.done(user) for user in people] == [[], [LINE], [LINE]])
            slow.free.set()
            await scene.settled(*updates)
            assert [scene.done(user)[-1] for user in people] == ["you said hi"] * 3

    asyncio.run(play())


def test_how_long_it_will_take_is_told_by_what_is_ahead_and_by_what_replies_took() -> None:
    clock = HandClock()
    load = Load(2, clock)
    assert load.expected() == 0, "nothing is known"

    def took(seconds: float) -> None:
        with load.reply(lambda _: None) as begun:
            clock.advance(100)  # waits its turn, which is not what a reply takes
            begun("en")
            clock.advance(seconds)

    took(10)
    assert load.expected() == pytest.approx(10)
    took(20)
    took(9000)
    assert load.expected() == pytest.approx(20), "one that took for ever says little of the next"
    with load.reply(len), load.reply(len):
        assert load.expected() == pytest.approx(40), "both places are taken"
        with load.reply(len), load.reply(len):
            assert load.expected() == pytest.approx(60)
    with pytest.raises(ValueError, match="broken"), load.reply(len):
        raise ValueError("broken")
    assert load.expected() == pytest.approx(20)


def test_a_bot_that_ends_between_the_line_and_the_answer_says_the_line_no_more(tmp_path: Path) -> None:
    async def play() -> None:
        async with bot_api() as api:
            scene = Scene(tmp_path, api)
            slow = Slow()
            async with running(scene, slow, busy_seconds=20):
                update = await scene.say("hi")
                await scene.api.until(lambda: slow.asked and scene.clock.sleepers)
                scene.clock.advance(21)
                await scene.api.until(lambda: scene.done() == [LINE])
            again = Slow()
            scene.clock.advance(3600)
            async with running(scene, again, busy_seconds=20):
                await scene.api.until(lambda: again.asked and scene.clock.sleepers)
                scene.clock.advance(21)
                await scene.api.until(lambda: not scene.clock.sleepers)
                again.free.set()
                await scene.settled(update)
            assert scene.done() == [LINE, "you said hi"]
            assert again.asked == [[("other", ["hi"])]]

    asyncio.run(play())


def test_a_line_that_telegram_refuses_leaves_the_answer_alone(tmp_path: Path) -> None:
    from lo_bot_api_emulator import ApiRefusal

    slow = Slow()

    async def play() -> None:
        async with stage(tmp_path, slow, busy_seconds=20) as scene:
            update = await scene.say("hi")
            await scene.api.until(lambda: slow.asked and scene.clock.sleepers)
            scene.api.refuse["sendMessage"] = [ApiRefusal("Bad Request: no", 400)]
            scene.clock.advance(21)
            await scene.api.until(lambda: not scene.api.refuse["sendMessage"])
            slow.free.set()
            await scene.settled(update)
            assert scene.done() == ["you said hi"]

    asyncio.run(play())


def owner_wrote(home: Path, texts: Sequence[str], language: str | None, **fields: object) -> str:
    settings = Settings(home=home, owner={"language": language} if language else {})
    with Store.of(settings) as store:
        store.add_dialog(7, "Somebody")
        store.write_messages(
            [Message(7, n, START, 1, True, text, **fields) for n, text in enumerate(texts, 1)]  # type: ignore[arg-type]
        )
        return owners_phrase(store.db, settings)


@pytest.mark.parametrize(
    ("language", "texts", "phrase"),
    [
        ("en", [], "one sec"),
        ("en", ["hold on", "Gimme a sec!", "Gimme a sec", "Gimme a sec", "one sec"], "Gimme a sec"),
        ("en", ["hold on a minute, what?", "wait for me there", "секунду", "секунду"], "one sec"),
        ("ru", ["сек", "Сек", "сек.", "минуту", "one sec", "one sec", "one sec", "one sec"], "Сек"),
        ("ja", ["待って", "ちょい待ち", "待って"], "待って"),
        ("xx", ["sec", "sec"], "sec"),
    ],
)
def test_the_line_is_what_the_owner_writes_most_in_their_spelling(
    tmp_path: Path, language: str, texts: list[str], phrase: str
) -> None:
    assert owner_wrote(tmp_path, texts, language) == phrase


def test_what_the_owner_did_not_write_themselves_does_not_count(tmp_path: Path) -> None:
    assert owner_wrote(tmp_path, ["hold on"] * 3, "en", forwarded_from="Somebody") == "one sec"


def test_there_are_lines_in_every_language_of_the_disclosure() -> None:
    assert set(PHRASES) == set(languages()) and len(PHRASES) == 18
    for phrases in PHRASES.values():
        assert len(phrases) >= 3 and len(set(phrases)) == len(phrases)
        assert all(phrase == phrase.strip().casefold() and len(phrase) < 20 for phrase in phrases)

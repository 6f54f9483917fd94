"""Messages that come together are answered together, as they read when the answer goes out, and at the right moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import bot.handlers
from bot.bursts import Bursts
from inference.generator import ANYHOW, TwinReply, Wish
from tests.bot_api import FAST, FRIEND, OWNER, BotApi, Parrot, bot_api, bot_settings, running_bot
from tests.hand_clock import HandClock
from tests.test_bot_pauses import dataset, pace
from twin.messages import Conversation
from twin.store import Store


@dataclass
class Thinker(Parrot):
    """A Parrot whose replies take until `free` is set, unless they are cancelled; counts those that were."""

    free: threading.Event = field(default_factory=threading.Event)
    cancelled: int = 0

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        made = super().reply(conversation, wish)
        while not self.free.wait(0.01):
            if wish.is_cancelled():
                self.cancelled += 1
                return replace(made, ended="cancelled")
        return made


@dataclass
class Scene:
    """A bot that runs on a clock that only the test moves."""

    home: Path
    api: BotApi
    clock: HandClock
    bursts: Bursts

    async def say(self, text: str, **fields: Any) -> int:
        """The friend writes, and the bot takes it in; returns the message's id."""
        update_id = await self.api.write(FRIEND, text, **fields)
        message_id = self.api.newest
        await self.api.until(lambda: self.bursts.holds(update_id))
        return message_id

    async def edit(self, message_id: int, text: str) -> None:
        """The friend edits what they wrote, and that is remembered."""
        update_id = await self.api.edit(FRIEND, message_id, text)
        await self.api.until(lambda: self.bursts.holds(update_id) or update_id not in self.open_updates())

    def open_updates(self) -> set[int]:
        """What is still to be answered, or not there yet."""
        with Store.open(self.home / "twin.db") as store:
            closed = {row[0] for row in store.db.execute("select update_id from bot_inbox where answered_at > 0")}
        return set(range(1, 1_000)) - closed

    async def pass_time(self, seconds: float) -> None:
        """Let that much time pass once somebody waits for it."""
        await self.api.until(lambda: self.clock.sleepers)
        self.clock.advance(seconds)

    async def heard(self, texts: list[str]) -> None:
        """Wait until the friend got these messages."""
        await self.api.until(lambda: self.api.texts(FRIEND) == texts)


Act = tuple[Callable[[Scene], Any], Parrot, dict[str, Any]]


@pytest.fixture
def perform_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Act]], None]:
    """Plays, each with a bot of its own, one after the other; see `perform`."""
    made: list[Bursts] = []

    class Watched(Bursts):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(bot.handlers, "Bursts", Watched)

    @asynccontextmanager
    async def scene(api: BotApi, parrot: Parrot, telegram: dict[str, Any]) -> AsyncIterator[Scene]:
        gathers = {"debounce_seconds": 3, "debounce_most_seconds": 10} | telegram
        settings = bot_settings(tmp_path, api, telegram=gathers)
        clock = HandClock()
        made.clear()
        rhythm = replace(FAST, clock=clock, grace=0.05, close=30)
        async with running_bot(api, settings, lambda: parrot, rhythm):
            await api.until(lambda: made)
            yield Scene(tmp_path, api, clock, made[0])

    async def whole(acts: Sequence[Act]) -> None:
        async with bot_api() as api:
            for play, parrot, telegram in acts:
                async with scene(api, parrot, telegram) as stage:
                    await play(stage)

    return lambda acts: asyncio.run(whole(acts))


@pytest.fixture
def perform(perform_acts: Callable[[Sequence[Act]], None]) -> Callable[..., None]:
    """`perform(play, parrot, **telegram)`: a coroutine over a Scene whose bot gathers for 3 seconds, 10 at most."""
    return lambda play, parrot, **telegram: perform_acts([(play, parrot, telegram)])


def test_what_comes_within_three_quiet_seconds_gets_one_answer(perform: Callable[..., None]) -> None:
    parrot = Parrot(lambda heard: [" + ".join(heard)])

    async def play(scene: Scene) -> None:
        for text in ("hey", "you there?"):
            await scene.say(text)
            await scene.pass_time(2)
        await scene.say("hello??")
        await scene.pass_time(2.9)
        assert scene.api.methods(FRIEND) == [], "nobody types while the other still writes"
        await scene.pass_time(0.2)
        await scene.heard(["hey + you there? + hello??"])
        await scene.api.until(lambda: scene.open_updates().isdisjoint({1, 2, 3}))

    perform(play, parrot)
    assert parrot.asked == [[("other", ["hey", "you there?", "hello??"])]]


def test_somebody_who_writes_on_and_on_is_answered_all_the_same(perform: Callable[..., None]) -> None:
    parrot = Parrot()

    async def play(scene: Scene) -> None:
        for number in range(5):
            await scene.say(str(number))
            await scene.pass_time(2)
        await scene.heard(["you said 4"])

    perform(play, parrot)
    assert parrot.asked == [[("other", ["0", "1", "2", "3", "4"])]]


def test_with_nothing_to_wait_for_every_message_is_answered_by_itself(perform: Callable[..., None]) -> None:
    parrot = Parrot()

    async def play(scene: Scene) -> None:
        for text in ("one", "two", "three"):
            await scene.api.write(FRIEND, text)
        await scene.heard(["you said one", "you said two", "you said three"])

    perform(play, parrot, debounce_seconds=0)
    assert [asked[-1] for asked in parrot.asked] == [("other", [text]) for text in ("one", "two", "three")]


def test_what_comes_while_the_twin_thinks_is_answered_with_the_rest(perform: Callable[..., None]) -> None:
    thinker = Thinker(lambda heard: [" + ".join(heard)])

    async def play(scene: Scene) -> None:
        await scene.say("hey")
        await scene.pass_time(3)
        await scene.api.until(lambda: thinker.asked)
        await scene.say("one more thing")
        await scene.api.until(lambda: thinker.cancelled)
        thinker.free.set()
        await scene.pass_time(3)
        await scene.heard(["hey + one more thing"])

    perform(play, thinker)
    assert len(thinker.asked) == 2


def test_after_the_longest_wait_an_answer_is_no_longer_dropped_for_what_comes(perform: Callable[..., None]) -> None:
    thinker = Thinker()

    async def play(scene: Scene) -> None:
        await scene.say("hey")
        await scene.pass_time(3)
        await scene.api.until(lambda: thinker.asked)
        scene.clock.advance(7)
        await scene.say("still there?")
        thinker.free.set()
        await scene.heard(["you said hey"])
        await scene.pass_time(3)
        await scene.heard(["you said hey", "you said still there?"])

    perform(play, thinker)
    assert thinker.cancelled == 0
    assert thinker.asked[1] == [("other", ["hey"]), ("owner", ["you said hey"]), ("other", ["still there?"])]


def test_what_comes_between_two_bubbles_is_answered_after_the_last(perform: Callable[..., None]) -> None:
    parrot = Parrot(lambda heard: [f"{heard[-1]}!", f"{heard[-1]}!!"])

    async def play(scene: Scene) -> None:
        await scene.say("hey")
        await scene.pass_time(3)
        await scene.heard(["hey!"])
        await scene.api.until(lambda: scene.clock.asked[-1] == 60)
        for text in ("so", "what"):
            await scene.say(text)
        await scene.pass_time(60)
        await scene.api.until(lambda: len(scene.api.texts(FRIEND)) == 3)
        await scene.pass_time(60)
        await scene.heard(["hey!", "hey!!", "what!", "what!!"])

    perform(play, parrot, bubble_pause_seconds=60)
    assert parrot.asked[1] == [("other", ["hey"]), ("owner", ["hey!", "hey!!"]), ("other", ["so", "what"])]


def test_typing_is_shown_before_the_first_bubble_and_between_bubbles(perform: Callable[..., None]) -> None:
    thinker = Thinker(lambda _: ["a", "b"])

    async def play(scene: Scene) -> None:
        await scene.say("hey")
        await scene.pass_time(3)
        await scene.api.until(lambda: scene.api.methods(FRIEND)[:2] == ["sendChatAction"] * 2)
        thinker.free.set()
        await scene.heard(["a"])
        await scene.api.until(lambda: scene.api.methods(FRIEND)[-3:] == ["sendChatAction"] * 3)
        await scene.pass_time(60)
        await scene.heard(["a", "b"])

    perform(play, thinker, bubble_pause_seconds=60)
    assert len(thinker.asked) == 1


def test_bubbles_come_when_the_owner_would_have_sent_them(tmp_path: Path, perform: Callable[..., None]) -> None:
    dataset(tmp_path, "aa", pace(4, 11))
    parrot = Parrot(lambda _: ["0123456789", "9876543210"])

    async def play(scene: Scene) -> None:
        await scene.say("hey")
        await scene.pass_time(3)
        await scene.api.until(lambda: scene.clock.asked[-1] == pytest.approx(11 - 3))
        assert scene.api.texts(FRIEND) == []
        await scene.pass_time(8.1)
        await scene.heard(["0123456789"])
        await scene.api.until(lambda: scene.clock.asked[-1] == pytest.approx(4))
        await scene.pass_time(4.1)
        await scene.heard(["0123456789", "9876543210"])

    perform(play, parrot)
    assert len(parrot.asked) == 1


def test_a_message_edited_before_it_is_answered_is_answered_as_it_reads_then(perform: Callable[..., None]) -> None:
    thinker = Thinker()

    async def play(scene: Scene) -> None:
        first = await scene.say("helo")
        await scene.edit(first, "hello")
        await scene.pass_time(3)
        await scene.api.until(lambda: len(thinker.asked) == 1)
        await scene.edit(first, "hello!")
        await scene.api.until(lambda: thinker.cancelled == 1)
        thinker.free.set()
        await scene.pass_time(3)
        await scene.heard(["you said hello!"])
        await scene.api.until(lambda: scene.open_updates().isdisjoint({1, 2, 3}))

    perform(play, thinker)
    assert thinker.asked == [[("other", ["hello"])], [("other", ["hello!"])]]


def test_an_edit_that_changes_no_word_drops_nothing(perform: Callable[..., None]) -> None:
    thinker = Thinker()

    async def play(scene: Scene) -> None:
        first = await scene.say("hello")
        await scene.pass_time(3)
        await scene.api.until(lambda: thinker.asked)
        await scene.edit(first, "hello")
        thinker.free.set()
        await scene.heard(["you said hello"])

    perform(play, thinker)
    assert thinker.cancelled == 0 and len(thinker.asked) == 1


def test_an_edit_after_the_answer_only_changes_what_is_remembered(perform: Callable[..., None]) -> None:
    parrot = Parrot(lambda heard: ["ok"])

    async def play(scene: Scene) -> None:
        first = await scene.say("see you at 8")
        await scene.pass_time(3)
        await scene.heard(["ok"])
        await scene.edit(first, "see you at 9")
        await scene.say("bye")
        await scene.pass_time(3)
        await scene.heard(["ok", "ok"])

    perform(play, parrot)
    assert parrot.asked[1:] == [[("other", ["see you at 9"]), ("owner", ["ok"]), ("other", ["bye"])]]


def test_a_reset_waits_for_the_answer_to_what_came_before_it_and_that_for_nothing(perform: Callable[..., None]) -> None:
    parrot = Parrot(lambda heard: [heard[-1], f"{heard[-1]}!"])

    async def play(scene: Scene) -> None:
        await scene.say("hey")
        await scene.api.write(FRIEND, "/reset")
        await scene.api.until(lambda: len(scene.api.texts(FRIEND)) == 3)
        assert scene.api.texts(FRIEND)[:2] == ["hey", "hey!"]
        await scene.say("anew")
        await scene.pass_time(3)
        await scene.api.until(lambda: len(scene.api.texts(FRIEND)) == 4)

    perform(play, parrot, bubble_pause_seconds=60)
    assert parrot.asked == [[("other", ["hey"])], [("other", ["anew"])]]


def test_other_commands_are_answered_while_messages_are_gathered(perform: Callable[..., None]) -> None:
    async def play(scene: Scene) -> None:
        await scene.say("hey")
        await scene.api.write(FRIEND, "/status")
        await scene.api.until(lambda: len(scene.api.texts(FRIEND)) == 1)
        assert "Version v0 answers" in scene.api.texts(FRIEND)[0]

    perform(play, Parrot())


def test_chats_gather_each_for_itself(perform: Callable[..., None]) -> None:
    async def play(scene: Scene) -> None:
        await scene.say("hey")
        scene.clock.advance(2)
        update_id = await scene.api.write(OWNER, "hi")
        await scene.api.until(lambda: scene.bursts.holds(update_id))
        await scene.pass_time(1)
        await scene.heard(["you said hey"])
        assert scene.api.texts(OWNER) == []
        await scene.pass_time(2)
        await scene.api.until(lambda: scene.api.texts(OWNER) == ["you said hi"])

    perform(play, Parrot())


def test_a_burst_that_a_stopped_bot_left_at_any_point_is_answered_once(
    perform_acts: Callable[[Sequence[Act]], None],
) -> None:
    thinker = Thinker()

    def doubled(heard: Sequence[str]) -> list[str]:
        return [" + ".join(heard), "and more"]

    async def gathering(scene: Scene) -> None:
        await scene.edit(await scene.say("on"), "one")
        await scene.say("two")

    async def thinking(scene: Scene) -> None:
        await scene.api.until(lambda: scene.bursts.holds(1) and scene.bursts.holds(3))
        await scene.pass_time(3)
        await scene.api.until(lambda: thinker.asked)

    async def sending(scene: Scene) -> None:
        await scene.api.until(lambda: scene.bursts.holds(1) and scene.bursts.holds(3))
        await scene.pass_time(3)
        await scene.heard(["one + two"])
        await scene.say("three")

    async def the_rest(scene: Scene) -> None:
        await scene.api.until(lambda: scene.bursts.holds(1) and scene.bursts.holds(4))
        await scene.pass_time(60)  # which is also more than the quiet that "three" waits for
        await scene.heard(["one + two", "and more", "three"])
        await scene.pass_time(60)
        await scene.heard(["one + two", "and more", "three", "and more"])
        await scene.api.until(lambda: scene.open_updates().isdisjoint({1, 2, 3, 4}))

    last = Parrot(doubled)
    slow = {"bubble_pause_seconds": 60}
    perform_acts(
        [
            (gathering, Parrot(), {}),
            (thinking, thinker, {}),
            (sending, Parrot(doubled), slow),
            (the_rest, last, slow),
        ]
    )
    assert last.asked == [[("other", ["one", "two"]), ("owner", ["one + two", "and more"]), ("other", ["three"])]]

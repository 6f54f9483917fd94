""" "The owner or the twin?": who is asked what, what buttons do, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.pacing import Rhythm
from bot.phrases import phrase
from inference.generator import ANYHOW, TwinReply, Wish
from tests.bot_api import FRIEND, OWNER, STRANGER, Parrot, bot_api, bot_settings, running_bot
from tests.quizzing import SNAPSHOT, VERSION, Answering, answers_in, chosen, hold_out, moment, said_to, serve
from twin.forgotten import Forgettings
from twin.messages import Bubble, Conversation, Session, Turn
from twin.quizzes import Quizzes
from twin.store import Store

TWINS = ("the twin says so",)
OTHER = 4004


def _score(home: Path, version: str = VERSION) -> tuple[int, int]:
    with Store.open(home / "twin.db") as store:
        score = Quizzes(store.db).score(version)
        return score.right, score.count


@pytest.fixture
def home(tmp_path: Path) -> Path:
    hold_out(tmp_path, [moment(FRIEND, "are you coming?", "sure", "at eight"), moment(OTHER, "hungry?", "always am")])
    serve(tmp_path)
    return tmp_path


def _real(question: str) -> str:
    """The letter of the answer that the twin did not write."""
    (side,) = [letter for letter, answer in answers_in(question).items() if answer != TWINS]
    return side


def test_the_owner_is_asked_and_told_whether_that_was_right_and_the_score_grows(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(home, api, owner={"name": "Ada", "language": "en"})
            async with running_bot(api, settings, Answering):
                first = await said_to(api, OWNER, "/quiz")
                assert "Which one is really from Ada?" in first and set(api.buttons(OWNER)) == {"A", "B"}
                assert {*answers_in(first).values()} in ({TWINS, ("sure", "at eight")}, {TWINS, ("always am",)})
                right = await chosen(api, OWNER, _real(first))
                assert right.startswith(first) and f"Right: {_real(first)} is the real answer." in right
                assert "by you: 1 of 1" in right and "By everybody: 1 of 1" in right
                before = len(api.texts(OWNER))
                await api.press(OWNER, api.buttons(OWNER)["Another one"])
                await api.until(lambda: len(api.texts(OWNER)) > before)
                second = api.texts(OWNER)[before]
                assert answers_in(second)[_real(second)] != answers_in(first)[_real(first)]
                wrong = await chosen(api, OWNER, "AB".replace(_real(second), ""))
                assert f"Wrong: {_real(second)} is the real answer." in wrong and "by you: 1 of 2" in wrong
                listed = await said_to(api, OWNER, "/versions")
                assert f"{VERSION} (serves): told from you in 1 of 2 quizzes (50 %; 95 %: 9-91)" in listed
                before = len(api.edits(OWNER))
                await api.press(OWNER, api.buttons(OWNER)[f"★ {VERSION}"])
                await api.until(lambda: len(api.edits(OWNER)) > before)
                assert "Told from you in 1 of 2 quizzes" in api.edits(OWNER)[before]

    asyncio.run(scene())
    with Store.open(home / "twin.db") as store:
        rows = list(store.db.query("select * from quizzes"))
    assert {(row["version"], row["user_id"]) for row in rows} == {(VERSION, OWNER)}
    assert len({row["moment"] for row in rows}) == 2
    assert not any(word in str(rows) for word in ("sure", "eight", "always", "twin", "coming", "hungry"))


def test_a_guest_is_asked_about_their_own_dialog_only_and_told_nothing_of_others(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(home, api, telegram={"allowed_ids": [FRIEND, STRANGER]}, owner={"language": "en"})
            async with running_bot(api, settings, Answering):
                for _ in range(5):
                    question = await said_to(api, FRIEND, "/quiz")
                    assert (
                        question.startswith("You: are you coming?")
                        and ("sure", "at eight") in answers_in(question).values()
                    )
                told = await chosen(api, FRIEND, _real(question))
                assert "by you: 1 of 1" in told and "everybody" not in told
                assert await said_to(api, STRANGER, "/quiz") == phrase("en", "quiz_none")
            assert "always am" not in str(api.calls)

    asyncio.run(scene())


@pytest.mark.parametrize("data", ["quiz:1:c", "quiz:99:a", "quiz::a", "quiz:1", "quiz:" + "9" * 40 + ":a", "quiz:x:a"])
def test_a_button_of_no_question_leads_nowhere_and_says_so(home: Path, data: str) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api, owner={"language": "en"}), Answering):
            await said_to(api, OWNER, "/quiz")
            await api.press(OWNER, data)
            await api.until(lambda: any(call.text == phrase("en", "quiz_old") for call in api.calls))
            assert api.edits(OWNER) == []

    asyncio.run(scene())
    assert _score(home) == (0, 0)


def test_somebody_elses_press_and_a_second_press_count_for_nothing(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api, owner={"language": "en"}), Answering):
            question = await said_to(api, OWNER, "/quiz")
            buttons = api.buttons(OWNER)
            await api.press(FRIEND, buttons["A"])
            await api.until(lambda: any(call.text == phrase("en", "quiz_not_yours") for call in api.calls))
            assert _score(home) == (0, 0)
            told = await chosen(api, OWNER, _real(question))
            for side in ("A", "B"):
                await api.press(OWNER, buttons[side], text=told)
            answered = phrase("en", "quiz_answered")
            await api.until(lambda: [call.text for call in api.calls].count(answered) == 2)
            assert len(api.edits(OWNER)) == 1 and api.edits(FRIEND) == []

    asyncio.run(scene())
    assert _score(home) == (1, 1)


def test_a_question_is_answered_after_a_restart_as_before_it(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(home, api, owner={"language": "en"})
            async with running_bot(api, settings, Answering):
                question = await said_to(api, FRIEND, "/quiz")
            async with running_bot(api, settings, Answering):
                assert "Right" in await chosen(api, FRIEND, _real(question))

    asyncio.run(scene())
    assert _score(home) == (1, 1)


def _no_dataset(home: Path) -> None:
    shutil.rmtree(home / "datasets")


def _damaged(home: Path) -> None:
    (home / "datasets" / SNAPSHOT / "test.jsonl").write_text("{")


def _stale(home: Path) -> None:
    with Store.open(home / "twin.db") as store, store.atomic():
        Forgettings(store.db).add(OTHER, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def _excluded(home: Path) -> None:
    with Store.open(home / "twin.db") as store:
        for chat in (FRIEND, OTHER):
            store.dialog_table.add(chat, "Somebody")
            store.dialog_table.include(chat, False)


def _version_gone(home: Path) -> None:
    shutil.rmtree(home / "adapters" / VERSION)


@pytest.mark.parametrize(
    ("happens", "key"),
    [
        (_no_dataset, "quiz_no_dataset"),
        (_damaged, "quiz_no_dataset"),
        (_version_gone, "quiz_no_dataset"),
        (_stale, "quiz_stale"),
        (_excluded, "quiz_none_owner"),
    ],
)
def test_what_hinders_a_quiz_is_said_in_one_sentence(home: Path, happens: Any, key: str) -> None:
    happens(home)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api, owner={"language": "en"}), Answering):
            assert await said_to(api, OWNER, "/quiz") == phrase("en", key)
            assert api.buttons(OWNER) == {}

    asyncio.run(scene())


def test_without_a_version_that_serves_there_is_no_quiz(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), lambda: Answering(adapter=None)):
            assert await said_to(api, FRIEND, "/quiz") == phrase("en", "untrained")

    asyncio.run(scene())


def test_a_version_that_cannot_answer_apologises_and_asks_nothing(home: Path) -> None:
    async def scene() -> None:
        async with (
            bot_api() as api,
            running_bot(api, bot_settings(home, api), lambda: Answering(broken=frozenset({VERSION}))),
        ):
            assert await said_to(api, FRIEND, "/quiz") == phrase("en", "apology")

    asyncio.run(scene())
    assert _score(home) == (0, 0)


def test_the_owner_is_asked_about_the_version_that_they_try_and_guests_about_the_one_that_serves(home: Path) -> None:
    other = "20261108-040000-bbbb"
    hold_out(home, [moment(FRIEND, "late?", "very late")], "0ther")
    serve(home, other, is_promoted=False, snapshot="0ther")
    twin = Answering()

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), lambda: twin):
            before = len(api.edits(OWNER))
            await api.press(OWNER, f"version:try:{other}")
            await api.until(lambda: len(api.edits(OWNER)) > before)
            assert "very late" in await said_to(api, OWNER, "/quiz")
            assert "at eight" in await said_to(api, FRIEND, "/quiz")

    asyncio.run(scene())
    assert twin.by == [other, VERSION]


def test_typing_is_shown_while_an_answer_is_written_and_other_chats_are_not_kept_waiting(home: Path) -> None:
    go_on = threading.Event()

    class Slow(Answering):
        def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
            if len(conversation.turns) == 1 and conversation.turns[0].bubbles[0].text == "are you coming?":
                assert go_on.wait(60)
            return super().reply(conversation, wish)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), Slow):
            await api.write(FRIEND, "/quiz")
            await api.until(lambda: "sendChatAction" in api.methods(FRIEND))
            assert await said_to(api, OWNER, "hi") == TWINS[0]
            go_on.set()
            await api.until(lambda: api.texts(FRIEND))

    asyncio.run(scene())


def test_a_quiz_that_a_restart_broke_off_is_put_afterwards_once(home: Path) -> None:
    class Endless(Answering):
        def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
            self.by.append(wish.version)
            while not wish.is_cancelled():
                time.sleep(0.01)
            return TwinReply((), wish.version, "cancelled")

    twin = Endless()

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(home, api)
            hasty = Rhythm(typing=0.05, watch=0.02, retry=0.02, grace=0.05, close=30)
            async with running_bot(api, settings, lambda: twin, hasty):
                await api.write(FRIEND, "/quiz")
                await api.until(lambda: twin.by)
            assert api.texts(FRIEND) == []
            async with running_bot(api, settings, Answering):
                await api.until(lambda: api.texts(FRIEND))
                await said_to(api, FRIEND, "hello")
            assert len(api.texts(FRIEND)) == 2 and "at eight" in api.texts(FRIEND)[0]

    asyncio.run(scene())
    assert _score(home) == (0, 0)


def test_a_moment_is_asked_about_once_while_there_are_fresh_ones_and_then_the_oldest_again(tmp_path: Path) -> None:
    said = [f"answer {number}" for number in range(4)]
    hold_out(tmp_path, [moment(OTHER, f"question {n}?", answer) for n, answer in enumerate(said)])
    serve(tmp_path)
    asked: list[str] = []

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Answering):
            for _ in range(9):
                question = await said_to(api, OWNER, "/quiz")
                asked.append(answers_in(question)[_real(question)][0])

    asyncio.run(scene())
    assert sorted(asked[:4]) == said and asked[:4] == asked[4:8] and asked[8] == asked[0]


def test_answers_that_nobody_could_tell_apart_or_that_would_tell_themselves_are_not_shown(tmp_path: Path) -> None:
    photo = Turn("owner", (Bubble("look"), Bubble("[photo]", authored=False)))
    silent = Session(OTHER, (Turn.of("other", ["x?"]), Turn("owner", (Bubble("[sticker 😂]", authored=False),))))
    hold_out(
        tmp_path,
        [
            moment(OTHER, "ok?", "Yes!"),
            moment(OTHER, "long?", "x" * 501),
            Session(OTHER, (Turn.of("other", ["what?"]), photo)),
            silent,
            moment(OTHER, "placeholder?", "see [photo]"),
        ],
    )
    serve(tmp_path)
    twin = Answering(answers=[("yes",), ("  YES 🙂 ",), (), ("y" * 600,), ("[photo]",), ("no way",)])

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: twin):
            for _ in range(5):
                assert await said_to(api, OWNER, "/quiz") == phrase("en", "quiz_same")
            assert {*answers_in(await said_to(api, OWNER, "/quiz")).values()} == {("Yes!",), ("no way",)}

    asyncio.run(scene())
    assert {turn.bubbles[0].text for asked in twin.conversations for turn in asked.turns} == {"ok?"}


def test_quizzes_count_against_the_limits_as_messages_do(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(home, api, telegram={"messages_per_day": 2})
            async with running_bot(api, settings, Answering):
                await said_to(api, FRIEND, "/quiz")
                await said_to(api, FRIEND, "/quiz")
                assert await said_to(api, FRIEND, "/quiz") == phrase("en", "over_day", most=2)

    asyncio.run(scene())


def test_who_wants_to_be_forgotten_leaves_only_numbers_behind(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), Answering):
            question = await said_to(api, FRIEND, "/quiz")
            await chosen(api, FRIEND, _real(question))
            await said_to(api, FRIEND, "/quiz")
            left = api.buttons(FRIEND)["A"]
            await said_to(api, FRIEND, "/forget")
            await api.press(FRIEND, "forget:yes")
            await api.press(FRIEND, left)
            await api.until(lambda: any(call.text == phrase("en", "quiz_old") for call in api.calls))

    asyncio.run(scene())
    with Store.open(home / "twin.db") as store:
        assert [row[0] for row in store.db.execute("select user_id from quizzes")] == [0]
    assert _score(home) == (1, 1)


def test_a_quiz_is_no_part_of_the_conversation_that_the_twin_reads(home: Path) -> None:
    twin = Parrot(adapter=VERSION)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), lambda: twin):
            await said_to(api, FRIEND, "/quiz")
            await said_to(api, FRIEND, "hello")

    asyncio.run(scene())
    assert twin.asked[-1] == [("other", ["hello"])]


def test_which_answer_stands_first_follows_chance_alone(tmp_path: Path) -> None:
    hold_out(tmp_path, [moment(OTHER, f"question {n}?", "the real one") for n in range(40)])
    serve(tmp_path)
    sides: list[str] = []

    async def scene() -> None:
        rhythm = Rhythm(typing=0.05, watch=0.02, retry=0.02, retry_most=0.1, random=Random(5))
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Answering, rhythm):
            for _ in range(40):
                sides.append(_real(await said_to(api, OWNER, "/quiz")))

    asyncio.run(scene())
    assert 10 <= sides.count("A") <= 30

"""How much is answered: limits a minute and a day that survive restarts, and the line that a program answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.limits import DAY, MINUTE, Limits
from bot.phrases import phrase
from tests.bot_api import FRIEND, OWNER, STRANGER, Parrot, bot_api, bot_settings, running_bot
from twin.sections import UNNAMED, Telegram
from twin.store import Store

SMALL = Telegram(messages_per_minute=2, messages_per_day=5, messages_per_day_in_all=8)


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from([0.0, 1.0, 29.0, 31.0, 600.0, DAY / 3]), st.booleans()),
        max_size=40,
    )
)
def test_no_window_ever_holds_more_than_its_limit_and_nothing_below_it_is_refused(
    arrivals: list[tuple[int, float, bool]],
) -> None:
    clock, admitted = _Clock(), list[tuple[int, float]]()
    with Store.scratch() as store:
        limits = Limits(store.db, SMALL, clock)
        for update_id, (user, later, restarts) in enumerate(arrivals):
            clock.now += later
            if restarts:
                limits = Limits(store.db, SMALL, clock)
            recent = [(who, at) for who, at in admitted if at > clock.now - DAY]
            reached = {
                "minute": sum(who == user and at > clock.now - MINUTE for who, at in recent) >= 2,
                "day": sum(who == user for who, _ in recent) >= 5,
                "all": len(recent) >= 8,
            }
            refused = limits.admit(update_id, user)
            assert (refused is not None) == any(reached.values())
            if refused is None:
                admitted.append((user, clock.now))
            else:
                assert reached[refused.name]
            assert limits.admit(update_id, user) is None or refused is not None


def test_an_update_that_is_handled_again_after_a_crash_counts_once() -> None:
    with Store.scratch() as store:
        limits = Limits(store.db, SMALL, _Clock())
        assert [limits.admit(7, 1) for _ in range(9)] == [None] * 9
        assert limits.admit(8, 1) is None and limits.admit(9, 1) is not None


def test_a_limit_is_news_once_in_its_period_and_again_in_the_next() -> None:
    clock = _Clock()
    with Store.scratch() as store:
        limits = Limits(store.db, SMALL, clock)
        assert [limits.admit(number, 1) for number in (1, 2)] == [None, None]
        limit = limits.admit(3, 1)
        assert limit is not None and limit.name == "minute"
        assert [limits.is_news(limit, 1), limits.is_news(limit, 1), limits.is_news(limit, 2)] == [True, False, True]
        clock.now += MINUTE
        assert Limits(store.db, SMALL, clock).is_news(limit, 1)


def test_over_the_limit_one_is_told_so_once_and_the_owner_has_none(tmp_path: Path) -> None:
    parrot = Parrot()
    told = phrase("en", "over_day", most=2)

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"messages_per_day": 2, "allowed_ids": [FRIEND, STRANGER]})
            async with running_bot(api, settings, lambda: parrot):
                assert await api.told(FRIEND, "one") == "you said one"
                assert await api.told(FRIEND, "two") == "you said two"
                assert await api.told(FRIEND, "three") == told and "program" in told
            async with running_bot(api, settings, lambda: parrot):
                for text in ("four", "/status", "/start"):
                    await api.write(FRIEND, text)
                for text in ("1", "2", "3", "4"):
                    assert await api.told(OWNER, text) == f"you said {text}"
                assert await api.told(STRANGER, "hi") == "you said hi"
            assert api.texts(FRIEND) == ["you said one", "you said two", told]

    asyncio.run(scene())
    with Store.open(tmp_path / "twin.db") as store:
        heard = "select text from bot_messages where chat_id = ? and speaker = 'other' order by id"
        taken_in = [text for (text,) in store.db.execute(heard, [FRIEND])]
        assert taken_in[:3] == ["one", "two", "three"]
        assert list(store.db.execute("select 1 from bot_inbox where answered_at is null")) == []


def test_everybody_together_is_limited_too(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            limits = {"messages_per_day_in_all": 1, "allowed_ids": [FRIEND, STRANGER]}
            async with running_bot(api, bot_settings(tmp_path, api, telegram=limits), Parrot):
                assert await api.told(FRIEND, "hi") == "you said hi"
                assert await api.told(STRANGER, "hi") == phrase("en", "over_all", most=1)

    asyncio.run(scene())


def test_the_first_thing_a_guest_reads_is_that_a_program_answers_and_they_read_it_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(
                tmp_path, api, telegram={"disclosure": True}, owner={"name": "Ada", "language": "de"}
            )
            async with running_bot(api, settings, Parrot):
                await api.write(FRIEND, "hi")
                await api.until(lambda: len(api.texts(FRIEND)) == 2)
                await api.told(OWNER, "hi")
            async with running_bot(api, settings, Parrot):
                await api.told(FRIEND, "again")
            german = "Das ist ein digitaler Zwilling von Ada: ein Programm, das so schreibt wie Ada."
            assert api.texts(FRIEND) == [german, "you said hi", "you said again"]
            assert api.texts(OWNER) == ["you said hi"]

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("language", "name", "told"),
    [
        ("en", "Ada", "This is a digital twin of Ada: a program that writes as they do."),
        ("cy", "Ada", "This is a digital twin of Ada: a program that writes as they do."),
        ("en", UNNAMED, "This is a digital twin: a program that writes as its owner does."),
        ("ru", "Ада {name}", "Здесь отвечает программа, цифровой двойник. Она пишет так же, как Ада {name}."),
    ],
)
def test_the_line_is_in_the_owners_language_if_it_has_words(language: str, name: str, told: str) -> None:
    assert phrase(language, "disclosure", name) == told

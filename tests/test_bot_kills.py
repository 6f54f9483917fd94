"""A bot that is killed at any point of a burst loses no message, and says nothing twice that Telegram let it mark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bot_api import OWNER, BotApi, Parrot, bot_api, bot_settings, running_bot
from tests.killed_bot import lives_until
from twin.store import Store


async def _one_life(home: Path, api: BotApi, point: int, texts: list[str]) -> bool:
    """Two messages to a bot that is killed at its point-th write; False if it lived to answer them."""

    async def play(is_dead: Callable[[], bool]) -> None:
        for text in texts:
            await api.write(OWNER, text)
        await api.until(lambda: is_dead() or _is_quiet(home, len(texts)), 120)

    return await lives_until(home, api, point, play, DEBOUNCE_SECONDS="1", BUBBLE_PAUSE_SECONDS="0.1")


def _is_quiet(home: Path, messages: int) -> bool:
    """Whether so many updates came and all were answered."""
    if not (home / "twin.db").exists():
        return False
    with Store.open(home / "twin.db") as store:
        answered = store.db.execute("select count(answered_at), count(*) from bot_inbox").fetchone()
    return bool(answered == (messages, messages))


def _unsent(home: Path) -> list[str]:
    """The bubbles that a dead bot had planned, and not noted as sent."""
    if not (home / "twin.db").exists():
        return []
    with Store.open(home / "twin.db") as store:
        rows = store.db.execute("select text from bot_messages where speaker = 'owner' and message_id is null")
        return [text for (text,) in rows]


@pytest.mark.slow
def test_a_bot_killed_at_any_write_of_a_burst_answers_every_message_once(tmp_path: Path) -> None:
    in_doubt: list[int] = []

    async def scene(home: Path, point: int) -> bool:
        async with bot_api() as api:
            is_killed = await _one_life(home, api, point, ["one", "two"])
            before, planned = api.texts(OWNER), _unsent(home)
            settings = bot_settings(home, api, telegram={"debounce_seconds": 0.2})
            async with running_bot(api, settings, lambda: Parrot(lambda heard: [" + ".join(heard), "and more"])):
                await api.until(lambda: _is_quiet(home, 2))
            said = api.texts(OWNER)
        if before or planned:
            assert said == before + planned, "what was planned is said to its end, and nothing else"
            in_doubt.extend([point] * len(set(before) & set(planned)))
        else:
            assert said in (["one + two", "and more"], ["one", "and more", "two", "and more"])
        assert set(said) >= {"one + two", "and more"} or len(said) == 4
        assert len(said) - len(set(before) & set(planned)) in (2, 4)
        return is_killed

    point = 0
    is_killed = True
    while is_killed:
        point += 1
        home = tmp_path / str(point)
        home.mkdir()
        is_killed = asyncio.run(scene(home, point))
    assert point > 15, "there are that many writes in a burst of two messages"
    assert len(in_doubt) == len(set(in_doubt)) <= 6, (
        "a bubble goes out again only if Telegram took it and no note was made"
    )

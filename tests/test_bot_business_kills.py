"""A bot that is killed at any write loses nothing in the owner's chats, and says nothing twice that it could mark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bot_api import OWNER, Parrot, running_bot
from tests.business import BusinessApi, business_api, business_settings, words
from tests.killed_bot import lives_until
from twin.store import Store


def _is_over(home: Path, api: BusinessApi) -> bool:
    """Whether every update is closed, every suggestion decided and shown, and something was said."""
    if not (home / "twin.db").exists() or not api.own:
        return False
    with Store.open(home / "twin.db") as store:
        waits = "select 1 from business_drafts where outcome = 'open' or shown < version"
        closed = store.db.execute("select count(*) from bot_inbox where answered_at > 0").fetchone()[0]
        return closed == len(api.sent_updates) and store.db.execute(waits).fetchone() is None


async def _press_until(api: BusinessApi, is_over: Callable[[], bool]) -> None:
    """The owner presses Send under every card, as soon as it is there."""
    pressed: set[int] = set()

    def waiting() -> list[int]:
        newest = {call.message_id: call for call in api.calls if call.chat_id == OWNER and call.text}
        return [number for number, call in newest.items() if number is not None and call.markup]

    while True:
        await api.until(lambda: is_over() or set(waiting()) - pressed, 120)
        if is_over():
            return
        for card in set(waiting()) - pressed:
            pressed.add(card)
            await api.push(card, "Send")


async def _one_life(home: Path, api: BusinessApi, point: int, mode: str) -> bool:
    """Two messages to a bot that is killed at its point-th write; False if it lived to see them answered."""

    async def play(is_dead: Callable[[], bool]) -> None:
        for text in ("one", "two"):
            await api.friend(text)
        await _press_until(api, lambda: is_dead() or _is_over(home, api))

    quick = {"DISCLOSURE": "false", "DEBOUNCE_SECONDS": "0.5", "BUBBLE_PAUSE_SECONDS": "0.05"}
    return await lives_until(home, api, point, play, BUSINESS=mode, **quick)


def _once(said: list[str], noted: list[str]) -> int:
    """How many bubbles stand twice, next to each other, in what was said; all else is as it was noted."""
    twice, rest = 0, list(said)
    for text in noted:
        assert rest and rest.pop(0) == text, f"{said} was said, {noted} noted"
        if rest[:1] == [text] and len(rest) > len(noted) - noted.index(text) - 1:
            rest.pop(0)
            twice += 1
    assert rest == [], f"{said} was said, {noted} noted"
    return twice


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "draft"])
def test_a_bot_killed_at_any_write_answers_in_the_owners_chats_once(tmp_path: Path, mode: str) -> None:
    in_doubt: list[int] = []

    async def scene(home: Path, point: int) -> bool:
        async with business_api() as api:
            is_killed = await _one_life(home, api, point, mode)
            settings = business_settings(home, api, mode, debounce_seconds=0.2)
            async with running_bot(api, settings, lambda: Parrot(lambda heard: [" + ".join(heard), "and more"])):
                await _press_until(api, lambda: _is_over(home, api))
            remembered = words(home)
            assert [text for speaker, text in remembered if speaker == "other"] == ["one", "two"]
            noted = [text for speaker, text in remembered if speaker == "owner"]
            assert noted in (["one + two", "and more"], ["one", "and more", "two", "and more"])
            in_doubt.extend([point] * _once(api.said(), noted))
        return is_killed

    point, is_killed = 0, True
    while is_killed:
        point += 1
        home = tmp_path / str(point)
        home.mkdir()
        is_killed = asyncio.run(scene(home, point))
    assert point > 15, "there are that many writes"
    assert len(in_doubt) == len(set(in_doubt)) <= 6, (
        "a bubble goes out again only if Telegram took it and no note was made"
    )

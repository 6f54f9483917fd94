"""The owner's own chats: what is suggested, sent, told and kept there, against a server that nobody here wrote."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bot_api import FRIEND, OWNER, Parrot, running_bot
from tests.business import business_api, business_settings, inbox_words, is_quiet, outcomes, words


def test_a_suggestion_is_sent_when_the_owner_presses_send(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), lambda: parrot):
            await api.connect()
            await api.until(lambda: "may reply" in "".join(api.cards()))
            await api.friend("are you there")
            card = await api.open_card("Anna wrote:\nare you there")
            assert "I would say:\nyes?\nalways" in api.cards()[-1]
            assert api.own == [] and api.typed == set() and api.texts(FRIEND) == []
            await api.push(card, "Send")
            await api.until(lambda: api.said() == ["yes?", "always"] and "Sent." in api.cards()[-1])
            assert api.keys(card) == {}
            await api.until(lambda: is_quiet(tmp_path, 3))

    parrot = Parrot(lambda heard: ["yes?", "always"])
    asyncio.run(scene())
    assert outcomes(tmp_path) == ["sent"]
    assert words(tmp_path) == [("other", "are you there"), ("owner", "yes?"), ("owner", "always")]


@dataclass
class Held:
    """Says nothing until it may."""

    may: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def __call__(self, heard: Sequence[str]) -> Sequence[str]:
        self.begun.set()
        assert self.may.wait(60)
        return [f"you said {heard[-1]}"]


def test_an_answer_goes_out_by_itself_in_auto(tmp_path: Path) -> None:
    held = Held()
    parrot = Parrot(held)

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), lambda: parrot):
            await api.connect()
            await api.friend("hello")
            await api.until(lambda: FRIEND in api.typed)
            held.may.set()
            await api.until(lambda: api.said() == ["you said hello"])
            assert api.own[0][2] == "owners-connection"
            await api.until(lambda: is_quiet(tmp_path, 2))
            assert api.texts(FRIEND) == [], "nothing goes into the bot's own chat with them"

    asyncio.run(scene())
    assert outcomes(tmp_path) == []


def test_nothing_is_done_or_kept_while_it_is_off(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "off"), lambda: parrot):
            await api.connect()
            await api.friend("a secret of mine")
            await api.owner("and one of mine")
            await api.until(lambda: is_quiet(tmp_path, 3))
            await api.until(lambda: api.texts(OWNER))
            assert api.own == [] and len(api.texts(OWNER)) == 1

    asyncio.run(scene())
    assert parrot.asked == [] and words(tmp_path) == []
    assert "secret" not in inbox_words(tmp_path)

"""Pictures, voices and stickers reach the generator as training shows them, in its language, and as they read last."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.bot_api import FRIEND, Parrot
from tests.stages import stage
from tests.test_bot_incoming import FILE, SIZED, STICKER
from tests.test_bot_pauses import dataset, pace
from twin.placeholders import placeholder
from twin.prompt import PromptSpec

SHOWN: dict[str, tuple[dict[str, Any], str, str | None, str]] = {
    "a voice message": ({"voice": FILE | {"duration": 5}}, "voice_message", "5 s", ""),
    "a picture": ({"photo": [SIZED]}, "photo", None, ""),
    "a picture with words": ({"photo": [SIZED], "caption": "look"}, "photo", None, " look"),
    "a sticker": ({"sticker": STICKER | {"emoji": "🍋"}}, "sticker", "🍋", ""),
}


@pytest.mark.parametrize("language", ["en", "ru", "ja"])
def test_media_stand_as_placeholders_in_the_language_of_what_answers(tmp_path: Path, language: str) -> None:
    parrot = Parrot(lambda heard: ["ok"], prompt=PromptSpec(language=language))

    async def play() -> None:
        async with stage(tmp_path, parrot) as scene:
            for fields, _, _, _ in SHOWN.values():
                assert await scene.met("", **fields) == ["ok"]

    asyncio.run(play())
    heard = [asked[-1][1] for asked in parrot.asked]
    assert heard == [[placeholder(media, note, language) + words] for _, media, note, words in SHOWN.values()]


def test_a_caption_edited_while_the_owner_would_take_their_time_is_answered_as_it_reads_then(tmp_path: Path) -> None:
    dataset(tmp_path, "aa", pace(0, 11))
    parrot = Parrot(lambda heard: [heard[-1]])

    async def play() -> None:
        async with stage(tmp_path, parrot, pacing="owner", debounce_seconds=3) as scene:
            update = await scene.say("", photo=[SIZED], caption="look, my dgo")
            await scene.taken_in(update)
            await scene.pass_time(3)
            await scene.api.until(lambda: scene.clock.asked[-1] == pytest.approx(8))
            photo = {"photo": [SIZED], "caption": "look, my dog"}
            edit = await scene.api.edit(FRIEND, scene.api.newest, "", **photo)
            await scene.taken_in(edit)
            await scene.api.until(lambda: scene.clock.asked[-1] == pytest.approx(3))
            await scene.pass_time(3)
            await scene.pass_time(8.1)
            await scene.settled(update, edit)
            assert scene.done() == ["[photo] look, my dog"]

    asyncio.run(play())
    assert [asked[-1][1] for asked in parrot.asked] == [["[photo] look, my dgo"], ["[photo] look, my dog"]]

"""In a group the twin answers those who call it or reply to it, if the owner allowed that group, and nobody else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.bot_api import FRIEND, OWNER, STRANGER, BotApi, Parrot, bot_api, bot_settings, running_bot

GROUP = -1001234567890
CHAT = {"id": GROUP, "type": "supergroup", "title": "us"}
NAME = "@emulated_twin_bot"
EMULATED = 7  # the id that the emulator gives every bot


async def _say(api: BotApi, user: int, text: str, **fields: Any) -> None:
    places = [{"type": "mention", "offset": text.index("@"), "length": len(NAME)}] if "@" in text else []
    await api.write(user, text, chat=CHAT, **({"entities": places} if places else {}), **fields)


def _play(tmp_path: Path, parrot: Parrot, *allowed: int) -> list[str]:
    """What the group hears after some talk in it, and after the friend was answered in private."""

    async def scene() -> list[str]:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"allowed_ids": [FRIEND, *allowed], "disclosure": False})
            async with running_bot(api, settings, lambda: parrot):
                me = {"id": EMULATED, "is_bot": True, "first_name": "twin"}
                said = {"message_id": 5, "date": 1, "chat": CHAT, "from": me, "text": "hm"}
                await _say(api, OWNER, "who is coming?")
                await _say(api, STRANGER, f"{NAME} are you?")
                await _say(api, STRANGER, f"hey {NAME.upper()}, really?")
                await _say(api, FRIEND, "/reset")
                await _say(api, FRIEND, "@somebody_else_bot_x and you?")
                await _say(api, FRIEND, "sure?", reply_to_message=said)
                await api.write(STRANGER, f"{NAME} in private")
                await api.write(FRIEND, "hi")
                await api.until(lambda: api.texts(FRIEND) == ["you said hi"])
                await api.until(lambda: not allowed or len(api.texts(GROUP)) == 3)
                assert api.texts(STRANGER) == []
                return api.texts(GROUP)

    return asyncio.run(scene())


def test_whoever_calls_the_twin_or_replies_to_it_is_answered_in_an_allowed_group(tmp_path: Path) -> None:
    parrot = Parrot()
    assert _play(tmp_path, parrot, GROUP) == ["you said are you?", "you said hey , really?", "you said sure?"]
    heard = [turn for asked in parrot.asked for turn in asked]
    assert not any("who is coming?" in texts or "and you?" in texts for _, texts in heard)


def test_a_group_that_is_not_allowed_hears_nothing_whoever_calls(tmp_path: Path) -> None:
    assert _play(tmp_path, Parrot()) == []

"""The menus that Telegram shows: strangers see one command, guests theirs, in their language; each is set once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from lo_bot_api_emulator import ApiRefusal

from bot import wording
from bot.phrases import commands, languages, phrase
from tests.bot_api import FRIEND, OWNER, STRANGER, BotApi, Parrot, bot_api, bot_settings, running_bot


async def _ask(api: BotApi, user: int, text: str, code: str | None = None) -> str:
    before = len(api.texts(user))
    sender: dict[str, Any] = {"id": user, "is_bot": False, "first_name": "Somebody"}
    await api.write(user, text, **({"from": sender | {"language_code": code}} if code else {}))
    await api.until(lambda: len(api.texts(user)) > before)
    return api.texts(user)[before]


def _requests(api: BotApi) -> int:
    return [call.method for call in api.calls].count("setMyCommands")


def test_strangers_see_start_alone_in_every_language_and_the_owner_sees_everything(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await api.until(lambda: (OWNER, None) in api.menus)
            assert api.menus[None, None] == {"start": phrase("en", "command_start")}
            for code in languages():
                assert api.menus[None, code] == {"start": phrase(code, "command_start")}
            assert api.menus[OWNER, None] == wording.OWNER_COMMANDS
            assert not any(chat == FRIEND for chat, _ in api.menus)

    asyncio.run(scene())


def test_a_guest_sees_their_commands_in_their_language_from_their_first_message_on(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await _ask(api, FRIEND, "salut", "fr")
            await api.until(lambda: (FRIEND, None) in api.menus)
            assert api.menus[FRIEND, None] == commands("fr")
            await _ask(api, OWNER, "/settings language pl")
            await _ask(api, FRIEND, "salut", "fr")
            await api.until(lambda: api.menus[FRIEND, None] == commands("pl"))
            await api.write(STRANGER, "hi")
            await _ask(api, OWNER, "hi")
            assert (STRANGER, None) not in api.menus

    asyncio.run(scene())


def test_who_is_let_in_gets_a_menu_at_once_and_who_is_kept_out_loses_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await _ask(api, OWNER, f"/allow {STRANGER}")
            await api.until(lambda: api.menus.get((STRANGER, None)) == commands("en"))
            await _ask(api, OWNER, f"/deny {STRANGER}")
            await api.until(lambda: api.menus[STRANGER, None] == {})

    asyncio.run(scene())


def test_a_menu_is_set_once_and_again_only_when_it_reads_otherwise(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, Parrot):
                await _ask(api, FRIEND, "one")
                await api.until(lambda: (FRIEND, None) in api.menus and (OWNER, None) in api.menus)
            before = _requests(api)
            assert before == len(languages()) + 3
            async with running_bot(api, settings, Parrot):
                for text in ("two", "three"):
                    await _ask(api, FRIEND, text)
                await _ask(api, OWNER, "four")
                await _ask(api, FRIEND, "five", "de")
                await api.until(lambda: api.menus[FRIEND, None] == commands("de"))
            assert _requests(api) == before + 1

    asyncio.run(scene())


def test_refused_menus_do_no_harm_and_are_not_asked_for_again_and_again(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            api.refuse["setMyCommands"] = [ApiRefusal("Bad Request: chat not found") for _ in range(3)]
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, Parrot):
                await api.until(lambda: len(api.refuse["setMyCommands"]) == 1)  # everybody's, and the owner's
                for number in range(3):
                    assert await _ask(api, FRIEND, f"hi {number}") == f"you said hi {number}"
                await api.until(lambda: not api.refuse["setMyCommands"])
                assert await _ask(api, FRIEND, "again") == "you said again"
                await _ask(api, OWNER, "hi")
                await api.until(lambda: (OWNER, None) in api.menus)
                assert (FRIEND, None) not in api.menus
            async with running_bot(api, settings, Parrot):
                await _ask(api, FRIEND, "once more")
                await api.until(lambda: (FRIEND, None) in api.menus and (None, "de") in api.menus)

    asyncio.run(scene())

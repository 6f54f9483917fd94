"""What the bot says to guests: whole in every language, and in the one that the guest, or the owner, chose."""

from __future__ import annotations

import asyncio
import string
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from bot.phrases import GUESTS_COMMANDS, commands, languages, phrase
from tests.bot_api import FRIEND, OWNER, BotApi, Parrot, bot_api, bot_settings, running_bot
from twin.errors import SettingsError
from twin.sections import UNNAMED, Language
from twin.settings import load_settings
from twin.store import Store

CATALOGUE: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parent.parent / "bot" / "phrases.toml").read_text(encoding="utf-8")
)
SCRIPTS = {"ru": "а", "uk": "і", "zh": "的", "ja": "の", "ko": "다", "ar": "ا", "fa": "ا", "he": "א", "hi": "ा"}
_CALLBACK_TEXT = 200  # characters that Telegram shows when a button was pressed


def _facts(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_catalogue_speaks_what_the_setting_offers_and_no_less_than_eighteen_languages() -> None:
    assert languages() == set(get_args(Language)) - {"auto"} and len(languages()) == 18


@pytest.mark.parametrize("language", sorted(CATALOGUE))
def test_every_language_has_every_phrase_with_the_same_facts_and_none_left_in_english(language: str) -> None:
    english, theirs = CATALOGUE["en"], CATALOGUE[language]
    assert theirs.keys() == english.keys()
    assert {key: _facts(text) for key, text in theirs.items()} == {key: _facts(text) for key, text in english.items()}
    assert all(text == text.strip() and text for text in theirs.values())
    if language != "en":
        assert [key for key, text in theirs.items() if text == english[key]] == []
        assert SCRIPTS.get(language, "") in "".join(theirs.values())


@pytest.mark.parametrize("language", sorted(CATALOGUE))
def test_what_a_press_is_answered_with_and_what_a_menu_shows_is_as_short_as_telegram_wants(language: str) -> None:
    for key in ("quiz_old", "quiz_not_yours", "quiz_answered", "over_minute", "over_day", "over_all", "owners_only"):
        assert len(phrase(language, key, "A" * 64, **dict.fromkeys(_facts(CATALOGUE["en"][key]) - {"name"}, 1))) <= (
            _CALLBACK_TEXT
        )
    assert [*commands(language)] == [*GUESTS_COMMANDS]
    assert all(3 <= len(what) <= 256 for what in commands(language).values())


def test_every_phrase_of_the_catalogue_is_said_somewhere() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parent.parent / "bot").glob("*.py"))
    built = {f"over_{name}" for name in ("minute", "day", "all")} | {f"command_{name}" for name in GUESTS_COMMANDS}
    unsaid = [key for key in CATALOGUE["en"] if f'"{key.removesuffix("_nameless")}"' not in code and key not in built]
    assert unsaid == []


def test_an_owner_without_a_name_is_spoken_of_all_the_same() -> None:
    for language in languages():
        assert UNNAMED not in phrase(language, "greeting") or language == "en"
        assert "{" not in phrase(language, "quiz_question") + phrase(language, "disclosure")


async def _ask(api: BotApi, user: int, text: str, code: str | None = None) -> str:
    """Write as somebody whose app speaks a language."""
    before = len(api.texts(user))
    sender: dict[str, Any] = {"id": user, "is_bot": False, "first_name": "Somebody"}
    await api.write(user, text, **({"from": sender | {"language_code": code}} if code else {}))
    await api.until(lambda: len(api.texts(user)) > before)
    return api.texts(user)[before]


@pytest.mark.parametrize(
    ("code", "spoken"),
    [("fr", "fr"), ("pt-br", "pt"), ("zh-hans", "zh"), ("iw", "he"), ("cy", "de"), (None, "de"), ("EN_us", "en")],
)
def test_a_guest_is_spoken_to_in_their_own_language_else_in_the_owners(
    tmp_path: Path, code: str | None, spoken: str
) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, owner={"name": "Ada", "language": "de"})
            async with running_bot(api, settings, lambda: Parrot(adapter=None)):
                assert await _ask(api, FRIEND, "/start", code) == phrase(spoken, "greeting", "Ada")
                assert await _ask(api, FRIEND, "/reset", code) == phrase(spoken, "reset")
                assert await _ask(api, FRIEND, "/retrain", code) == phrase(spoken, "owners_only", "Ada")
                assert await _ask(api, FRIEND, "hi", code) == phrase(spoken, "untrained")
                shown = await _ask(api, FRIEND, "/help", code)
                assert shown == "\n".join(f"/{name} - {what}" for name, what in commands(spoken).items())
                await _ask(api, FRIEND, "/forget", code)
                assert set(api.buttons(FRIEND)) == {phrase(spoken, "delete"), phrase(spoken, "keep")}

    asyncio.run(scene())


def test_the_owners_language_is_found_in_their_messages_when_nothing_else_tells(tmp_path: Path) -> None:
    from tests.chats import START
    from twin.messages import Message

    with Store.open(tmp_path / "twin.db") as store:
        store.add_dialog(7, "Somebody")
        words = ["ich weiß es noch nicht genau", "morgen habe ich leider keine Zeit", "das klingt doch sehr gut"]
        store.write_messages([Message(7, n, START, 1, True, words[n % 3]) for n in range(1, 30)])

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert await _ask(api, FRIEND, "/reset") == phrase("de", "reset")

    asyncio.run(scene())


def test_the_owner_chooses_one_language_for_everybody_and_takes_it_back(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"language": "it"})
            async with running_bot(api, settings, Parrot):
                assert await _ask(api, FRIEND, "/reset", "fr") == phrase("it", "reset")
                assert "language: ja (set here)" in await _ask(api, OWNER, "/settings language JA")
                assert await _ask(api, FRIEND, "/reset", "fr") == phrase("ja", "reset")
            async with running_bot(api, settings, Parrot):
                assert await _ask(api, FRIEND, "/reset", "fr") == phrase("ja", "reset")
                assert "language: auto (set here)" in await _ask(api, OWNER, "/settings language auto")
                assert await _ask(api, FRIEND, "/reset", "fr") == phrase("fr", "reset")
                assert "language: it\n" in await _ask(api, OWNER, "/settings language default")
                assert await _ask(api, FRIEND, "/reset", "fr") == phrase("it", "reset")
                assert "language auto or ar, de" in await _ask(api, OWNER, "/settings language tlh")
                assert (await _ask(api, OWNER, "/versions", "de")).startswith("There is no version yet")

    asyncio.run(scene())


def test_a_language_that_the_bot_does_not_speak_is_refused_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_HOME", str(tmp_path))
    monkeypatch.setenv("TWIN_TELEGRAM__LANGUAGE", "tlh")
    with pytest.raises(SettingsError, match="language"):
        load_settings()

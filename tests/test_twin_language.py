"""Languages of chat messages: named from few careless lines, left open where nothing is said."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chats import START
from tests.chatter import LINES, TRANSLITERATED
from twin.language import UNKNOWN, guess, of_owner, shares
from twin.messages import Message
from twin.settings import Settings
from twin.store import Store


@pytest.mark.parametrize("language", LINES)
def test_twenty_chat_lines_name_their_language(language: str) -> None:
    assert guess(LINES[language]) == language


@pytest.mark.parametrize("language", LINES)
def test_five_chat_lines_are_nearly_always_enough(language: str) -> None:
    rng = random.Random(language)
    found = [guess(rng.sample(LINES[language], 5)) for _ in range(20)]
    assert sum(name == language for name in found) >= 19


def test_single_lines_are_hardly_ever_given_a_wrong_language() -> None:
    found = [(language, guess([line])) for language, lines in LINES.items() for line in lines]
    assert sum(name is not None for _, name in found) >= 0.6 * len(found)
    assert sum(name not in (None, language) for language, name in found) <= 0.02 * len(found)


@pytest.mark.parametrize("language", TRANSLITERATED)
def test_languages_typed_in_latin_letters_are_known(language: str) -> None:
    assert guess(TRANSLITERATED[language]) == language


def test_no_language_is_taken_for_a_transliterated_one() -> None:
    latin = [lines for language, lines in LINES.items() if language not in TRANSLITERATED]
    assert not {guess([line]) for lines in latin for line in lines} & set(TRANSLITERATED)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["👍", "😂😂😂"],
        ["ok"],
        ["https://example.org/privet/kak/dela/segodnya"],
        ["12:30", "+79990000000"],
        ["```\nfor line in open(name): print(line)\n```"],
        ["[photo]", "[voice message 12 s]"],
        ["@some_username #sometag"],
        ["ᚠᚢᚦᚨᚱᚲ ᚠᚢᚦᚨᚱᚲ"],
    ],
)
def test_too_little_to_tell_is_no_language(texts: list[str]) -> None:
    assert guess(texts) is None
    assert set(shares(texts)) <= {UNKNOWN}


def test_what_is_not_words_does_not_change_the_guess() -> None:
    noise = ["https://example.org/cats-and-dogs-are-running-everywhere", "`print('hello my dear world')`", "[photo] 👍"]
    assert guess([*LINES["ru"], *noise * 10]) == "ru"


def test_a_pasted_article_does_not_outvote_a_person() -> None:
    assert guess([*LINES["uk"], "this is a long text about nothing in particular. " * 400]) == "uk"


def test_the_language_that_most_is_said_in_wins() -> None:
    assert guess([*LINES["ru"], *LINES["en"][:6]]) == "ru"
    assert guess([*LINES["ru"][:6], *LINES["en"]]) == "en"


def test_shares_follow_a_mix_of_scripts_exactly() -> None:
    assert shares([*LINES["ru"], *LINES["en"]]) == {"en": 0.5, "ru": 0.5}


@pytest.mark.parametrize(("major", "minor"), [("en", "de"), ("ru", "uk"), ("ar", "fa"), ("es", "pt")])
def test_shares_follow_a_mix_within_one_script(major: str, minor: str) -> None:
    found = shares([*LINES[major] * 3, *LINES[minor]])
    assert found[major] == pytest.approx(0.75, abs=0.1)
    assert found[minor] == pytest.approx(0.25, abs=0.1)


def test_one_language_alone_leaves_no_stray_others() -> None:
    assert {language: shares(lines) for language, lines in LINES.items()} == {
        language: {language: 1.0} for language in LINES
    }


def test_japanese_without_kana_among_japanese_is_not_chinese() -> None:
    assert shares(["了解", "ありがとう、またあとで", "今日は無理かも", "大丈夫"]) == {"ja": 1.0}


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=12))
def test_any_text_is_read_the_same_way_twice(texts: list[str]) -> None:
    assert guess(texts) == guess(list(texts))
    found = shares(texts)
    assert found == shares(list(texts))
    assert not texts or sum(found.values()) == pytest.approx(1)


def _write(store: Store, texts: tuple[str, ...], chat: int = 7, **changes: Any) -> None:
    store.add_dialog(chat, "Somebody")
    plain = Message(chat, 0, START, 1, True, "")
    store.write_messages(
        [
            replace(plain, message_id=n, sent_at=START + timedelta(days=chat, minutes=n), text=text, **changes)
            for n, text in enumerate(texts, 1)
        ]
    )


def test_the_owners_language_is_that_of_their_own_newest_words(home: Settings, store: Store) -> None:
    assert of_owner(store.db, home) == "en", "nothing is known yet"
    _write(store, LINES["pl"] * 26, chat=1)
    assert of_owner(store.db, home) == "pl"
    _write(store, LINES["fr"] * 26, chat=2)
    assert of_owner(store.db, home) == "fr", "they moved"
    _write(store, LINES["ja"] * 26, chat=3, is_owner=False)
    _write(store, LINES["ko"] * 26, chat=4, forwarded_from="Somebody else")
    assert of_owner(store.db, home) == "fr", "others' words are not the owner's"


def test_a_language_in_the_settings_beats_the_guess(home: Settings, store: Store) -> None:
    _write(store, LINES["pl"])
    told = SimpleNamespace(owner=SimpleNamespace(language="de"))
    assert of_owner(store.db, cast(Settings, told)) == "de"


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, twin.language as l; l.guess(['你好吗']); assert not {'numpy', 'py3langid'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0

"""Placeholders: every kind of media has words in every language, and English ones stay what adapters were taught."""

from __future__ import annotations

from itertools import product

import pytest

from bot.incoming import _MEDIA as BOT_MEDIA
from ingest.desktop_message import _KINDS as EXPORT_MEDIA
from ingest.telegram_message import _MEDIA as ACCOUNT_MEDIA
from twin.placeholders import LANGUAGES, forwarded, placeholder, quoted

EXPORT_TYPES = {"sticker", "video_message", "voice_message", "animation", "video_file", "audio_file"}
KINDS = sorted({*BOT_MEDIA.values(), *EXPORT_MEDIA.values(), *filter(None, ACCOUNT_MEDIA.values()), *EXPORT_TYPES})


@pytest.mark.parametrize(
    ("media", "note", "text"),
    [
        ("photo", None, "[photo]"),
        ("sticker", "😂", "[sticker 😂]"),
        ("voice_message", "5 s", "[voice message 5 s]"),
        ("todo_list", None, "[todo list]"),
        ("hologram_call", "5 s", "[hologram call 5 s]"),
        ("seconds", None, "[seconds]"),
    ],
)
def test_in_english_a_kind_stands_under_its_own_name(media: str, note: str | None, text: str) -> None:
    assert placeholder(media, note) == placeholder(media, note, "xx") == text


@pytest.mark.parametrize(
    ("language", "voice", "sticker", "forward", "quote"),
    [
        ("ru", "[голосовое 5 с]", "[стикер 😂]", "[переслано] x", "[в ответ на] x"),
        ("zh", "[语音 5 秒]", "[贴纸 😂]", "[转发] x", "[回复] x"),
        ("he", "[הודעה קולית 5 שנ׳]", "[מדבקה 😂]", "[הועבר] x", "[בתגובה ל] x"),
        ("ar", "[رسالة صوتية 5 ث]", "[ملصق 😂]", "[معاد توجيهه] x", "[ردًا على] x"),
        ("ja", "[ボイスメッセージ 5 秒]", "[スタンプ 😂]", "[転送] x", "[返信先] x"),
        ("xx", "[voice message 5 s]", "[sticker 😂]", "[forwarded] x", "[in reply to] x"),
    ],
)
def test_other_languages_have_words_of_their_own(
    language: str, voice: str, sticker: str, forward: str, quote: str
) -> None:
    assert placeholder("voice_message", "5 s", language) == voice
    assert placeholder("sticker", "😂", language) == sticker
    assert (forwarded("x", language), quoted("x", language)) == (forward, quote)


@pytest.mark.parametrize("language", sorted(LANGUAGES - {"en"}))
def test_every_kind_that_comes_in_has_a_word_and_no_two_the_same(language: str) -> None:
    words = [placeholder(kind, None, language) for kind in KINDS]
    words += [forwarded("", language).strip(), quoted("", language).strip()]
    assert len(set(words)) == len(words) == len(KINDS) + 2
    assert all(word[0] == "[" and word[-1] == "]" and word == word.strip() and "  " not in word for word in words)


def test_a_kind_without_words_keeps_its_own_name_in_every_language() -> None:
    assert {placeholder("hologram_call", None, language) for language in LANGUAGES} == {"[hologram call]"}
    assert all(placeholder(kind, "😂", language)[1:-1] for kind, language in product(KINDS, LANGUAGES))
    assert len(LANGUAGES) >= 18


def test_a_note_of_words_is_no_emoji_and_is_not_shown() -> None:
    assert placeholder("sticker", "password: hunter22") == "[sticker]"
    assert placeholder("sticker", "👍🏽") == "[sticker 👍🏽]"
    assert placeholder("sticker", "5️⃣") == "[sticker 5️⃣]"

"""Backstage: marks and placeholders that only a model is to see are told from what people write."""

from __future__ import annotations

import pytest

from tests.chatter import LINES
from twin.backstage import shows_backstage
from twin.placeholders import _MEDIA, LANGUAGES, forwarded, placeholder, quoted
from twin.privacy.spans import PLACEHOLDERS
from twin.templates import CHATML_MARKS, TEMPLATES


@pytest.mark.parametrize(
    "text",
    [
        "Me:",
        "Them:",
        "Me: yeah",
        "Them: what",
        "Me (21h): yeah",
        "Them (21h, after hours):",
        "ok\nMe:",
        "ok\nThem: and you?",
        "me:",
        "Assistant: sure",
        "user: hey",
        "Human: hey",
        "System:",
        "### Instruction:",
        "ok <|im_end|>",
        "<|im_start|>assistant",
        "< |im_start|>assistant",
        "<|im_",
        "<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>",
        "<start_of_turn>model",
        "sure<end_of_turn>",
        "[INST] hey [/INST]",
        "<<SYS>>",
        "</s>",
        "<s> hey",
        "<bos>",
        "<think> what do they want",
        "</think>",
        "<unused42>",
        "<｜end▁of▁sentence｜>",
        "<0x0A>",
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>",
    ],
)
def test_what_belongs_to_the_frame_is_seen(text):
    assert shows_backstage(text)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_opening_and_mark_of_our_own_templates_is_seen(name):
    frame = TEMPLATES[name]
    for told in ("", "21h", "21h, after hours", "after 5 min"):
        assert shows_backstage(frame.opening("owner", told)) and shows_backstage(frame.opening("other", told))
    assert all(map(shows_backstage, CHATML_MARKS))


def test_every_special_token_of_the_families_is_seen():
    from tests.chat_templates import CHATS

    tokens = {token for chat in CHATS.values() for token in (*chat.special, *chat.plain)}
    assert len(tokens) > 20
    assert sorted(token for token in tokens if not shows_backstage(f"ok {token}")) == []


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_placeholders_of_media_are_seen_in_every_language(language):
    for media in _MEDIA:
        for note in (None, "😂", "5 s", "👨‍👩‍👧"):
            assert shows_backstage(f"look {placeholder(media, note, language)}"), media
    assert shows_backstage(forwarded("hey", language)) and shows_backstage(quoted("hey", language))


def test_placeholders_of_secrets_are_seen_wherever_they_stand():
    assert all(shows_backstage(f"call me, {mark} ok?") for mark in PLACEHOLDERS.values())
    assert shows_backstage("[Phone]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "note to me: buy milk",
        "tell them: no way",
        "for me: nothing",
        "to them it's fine",
        "me too",
        "Mem: 16 GB",
        "model: the small one",
        "system: linux, if you ask",
        "<3",
        ">:(",
        "a <b> c",
        "if a < b | c > d",
        "x <- 3",
        "[game over]",
        "[story time] so there I was",
        "[sic]",
        "[1] see below",
        "see [here](https://example.org)",
        "#winning",
        "## not really",
        "I think: no",
        "9:30 works",
        ":)",
    ],
)
def test_what_people_write_is_let_be(text):
    assert not shows_backstage(text)


@pytest.mark.parametrize("language", sorted(LINES))
def test_ordinary_lines_of_every_language_are_let_be(language):
    assert [line for line in LINES[language] if shows_backstage(line)] == []

"""What is secret in a chat, and what only looks like it: measured on invented lines in three languages.

`privacy_sheet.jsonl` holds lines {"text", "lang", "spans"}; every value in it is made up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Ran
from twin.privacy import find, find_window, is_only_secret, is_service_text, masked, replace

SHEET = [json.loads(line) for line in (Path(__file__).parent / "privacy_sheet.jsonl").read_text("utf-8").splitlines()]
SECRET = [line for line in SHEET if line["spans"]]
CLEAN = [line["text"] for line in SHEET if not line["spans"]]
NASTY = st.text(
    st.sampled_from("aпа密0٣１ .,:;-_/@+()[]{}#=!?\n\t\u200b\u200f\u202e\ufe0f\u0301😀") | st.characters(codec="utf-8"),
    max_size=200,
)


def is_found(text: str, span: dict[str, Any]) -> bool:
    """Nine tenths of its characters are covered (of an address, which has no sharp ends, eight) under its label."""
    found = [part for part in find(text) if part.label == span["label"]]
    covered = {place for part in found for place in range(part.start, part.end)}
    share = sum(place in covered for place in range(span["start"], span["end"])) / (span["end"] - span["start"])
    return share >= (0.8 if span["label"] == "ADDRESS" else 0.9)


def test_nearly_every_secret_of_the_sheet_is_found_under_its_label() -> None:
    there = Counter(span["label"] for line in SECRET for span in line["spans"])
    found = Counter(span["label"] for line in SECRET for span in line["spans"] if is_found(line["text"], span))
    assert len(there) == 14
    assert found.total() >= 0.98 * there.total()
    assert {label: count for label, count in there.items() if found[label] < 0.85 * count} == {}


def test_hardly_any_ordinary_line_is_hit() -> None:
    assert len(CLEAN) > 400
    assert sum(bool(find(text)) for text in CLEAN) <= 2


@pytest.mark.parametrize("language", ["en", "ru", "zh", "mix"])
def test_each_language_is_served_alike(language: str) -> None:
    spans = [(line["text"], span) for line in SECRET if line["lang"] == language for span in line["spans"]]
    assert len(spans) > 10
    assert sum(is_found(*pair) for pair in spans) >= 0.93 * len(spans)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (["what's the wifi password?", "hang on", "sunflower88"], "[password]"),
        (["какой пароль от вайфая?", "kotik1987"], "[password]"),
        (["wifi密码多少", "lucky8888"], "[password]"),
        (["my password is", "hunter2"], "[password]"),
        (["can you send the pin", "yes", "7731"], "[password]"),
        (["what's your number?", "4155550142"], "[phone]"),
        (["what's your address", "742 Evergreen Terrace"], "[address]"),
        (["код?", "739104"], "[code]"),
        (["did you get the password?", "yes", "ok cool"], "ok cool"),
        (["password?", "idk lol"], "idk lol"),
        (["пароль скинь", "щас", "дома скину"], "дома скину"),
        (["how old are you", "27"], "27"),
        (["what time", "1830"], "1830"),
    ],
)
def test_a_secret_that_stands_alone_is_known_by_what_was_asked_before(said: list[str], shown: str) -> None:
    assert replace(said[-1], find_window(said)[-1]) == shown
    assert find(said[-1]) == [] or shown == "[address]"


def test_two_halves_of_a_card_number_are_both_replaced() -> None:
    said = ["send me your card number", "4111 1111", "1111 1111"]
    assert [replace(text, spans) for text, spans in zip(said, find_window(said), strict=True)][1:] == ["[card]"] * 2


@given(NASTY)
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_spans_lie_within_it_in_order_and_apart(text: str) -> None:
    spans = find(text)
    assert spans == find(text)
    ends = [0, *(place for span in spans for place in (span.start, span.end)), len(text)]
    assert ends == sorted(ends)
    assert all(span.start < span.end for span in spans)


@given(st.sampled_from(SECRET), NASTY)
@settings(max_examples=100, deadline=None)
def test_what_was_found_is_not_in_what_is_left(line: dict[str, Any], around: str) -> None:
    text = line["text"] + "\n" + around
    spans = find(text)
    left = replace(text, spans)
    for span in spans:
        value = text[span.start : span.end]
        if len(value) > 7 and text.count(value) == 1:
            assert value not in left


@given(st.lists(NASTY, max_size=12))
@settings(max_examples=100, deadline=None)
def test_a_window_has_an_answer_for_every_message(texts: list[str]) -> None:
    found = find_window(texts)
    assert len(found) == len(texts)
    for text, spans in zip(texts, found, strict=True):
        assert all(0 <= span.start < span.end <= len(text) for span in spans)


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "a@", "пароль ", "密码", "0x", "abandon ", "http://a:", "ул. ", "-----BEGIN ", "+7 (9", "A1-"]
)
def test_a_message_of_a_hundred_thousand_characters_is_read_to_its_end(piece: str) -> None:
    assert isinstance(find(piece * (100_000 // len(piece))), list)


def test_messages_that_are_nothing_but_a_secret_and_those_of_services_are_known() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabcdef0123456789\n-----END OPENSSH PRIVATE KEY-----"
    assert is_only_secret(key, find(key))
    assert not is_only_secret("wifi pw is sunflower88 btw, see you at eight", find("wifi pw is sunflower88 btw"))
    assert is_service_text("Your verification code is 482913. Do not share it with anyone.")
    assert not is_service_text("are you coming tonight?")
    assert "sunflower88" not in masked("sunflower88")


def test_scrub_answers_each_line_in_its_order_and_stops_at_a_bad_one(
    run_twin: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    lines = ['{"text": "wifi pw is sunflower88 btw"}', '{"messages": ["password?", "hunter2"]}', '{"text": 5}']
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()), "utf-8"))
    ran = run_twin("scrub")
    single, window = (json.loads(line) for line in ran.out.splitlines())
    assert single["spans"] == [{"start": 11, "end": 22, "label": "PASSWORD"}]
    assert single["scrubbed"] == "wifi pw is [password] btw"
    assert "hunter2" not in json.dumps(window["scrubbed"])
    assert ran.code == 2
    assert "3" in ran.err

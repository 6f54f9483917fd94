"""Secrets that no message shows alone: answers, values named afterwards, values in pieces; «» stand around each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.marked import unmark
from tests.test_twin_privacy_detect import MESSAGES
from twin.privacy import find, find_window

KEY = [
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7invented",
    "bWFzZGZhc2RmYXNkZmFzZGY=\nYXNkZmFzZGZhc2Rm",
    "-----END RSA PRIVATE KEY-----",
]

CONVERSATIONS = [
    # an answer to a question
    ["whats the wifi password?", "«sunflower»"],
    ["whats the wifi password?", "hang on", "«sunflower88»"],
    ["what's the password?", "dunno"],
    ["what's the password?", "ask dad"],
    ["do you remember the password", "no sorry lol"],
    ["door code?", "«4471»"],
    ["code?", "«8841»"],
    ["cvv?", "«123»"],
    ["passport number?", "«533017264»"],
    ["your email?", "«john.doe at gmail dot com»"],
    ["what's ur address?", "«12 oak lane»", "«apt 4»"],
    ["how old is he?", "42"],
    ["who won?", "4:2"],
    ["скинь пароль", "щас", "«Zaq12wsx»"],
    ["пароль от вайфая?", "«ромашка»"],
    ["скинь код из смс", "«4821»"],
    ["твой адрес?", "«ленина 5»", "«кв 12»"],
    ["логин?", "vasya", "пароль?", "«Bublik99»"],
    ["密码多少", "«abc12345»"],
    ["地址发我", "«阳光小区6栋301»"],
    ["скинь wifi password плиз", "ok", "«guest4521»"],
    # a value that the next message names
    ["«hunter2x»", "that's the wifi password"],
    ["«Zaq12wsx»", "это пароль от вайфая"],
    ["«Tiger2022»", "这是密码"],
    # a value in pieces
    ["card number?", "«4111 1111»", "«1111 1111»"],
    ["«4111»", "«1111»", "«1111»", "«1111»"],
    ["мой номер", "«+7 999»", "«000 12 34»"],
    ["«jane.doe»", "«@gmail.com»"],
    ["«legal winner thank»", "«year wave sausage»", "«worth useful legal»", "«winner thank yellow»"],
    [*(f"«{part}»" for part in KEY), "done"],
    # too far away, or something else
    ["what's the password?", "a", "b", "c", "d", "sunflower"],
    ["5", "7", "10", "12"],
    ["i'll pass that on", "Goodbye"],
]


@pytest.mark.parametrize("marked", CONVERSATIONS, ids=lambda marked: " / ".join(marked)[:60])
def test_a_conversation_shows_what_its_messages_hide(marked: list[str]) -> None:
    texts, secrets = zip(*map(unmark, marked), strict=True)
    found = find_window(texts)
    assert [[text[s.start : s.end] for s in spans] for text, spans in zip(texts, found, strict=True)] == list(secrets)


def test_labels_follow_from_the_question() -> None:
    asked = {"code?": "OTP", "door code?": "PASSWORD", "пин?": "PASSWORD", "скинь код из смс": "OTP"}
    assert {question: find_window([question, "8841"])[1][0].label for question in asked} == asked


def test_no_conversation_holds_nothing() -> None:
    assert find_window([]) == []
    assert find_window(["", "", ""]) == [[], [], []]


@given(MESSAGES)
@settings(max_examples=100, deadline=None)
def test_a_message_by_itself_is_read_as_alone(text: str) -> None:
    assert find_window([text]) == [find(text)]


@given(st.lists(MESSAGES, max_size=5))
@settings(max_examples=150, deadline=None)
def test_a_conversation_covers_what_its_messages_show_alone(texts: list[str]) -> None:
    window = find_window(texts)
    assert len(window) == len(texts)
    for text, spans in zip(texts, window, strict=True):
        edges = [edge for span in spans for edge in (span.start, span.end)]
        assert edges == sorted(edges)
        assert all(span.start < span.end <= len(text) for span in spans)
        covered = {place for span in spans for place in range(span.start, span.end)}
        assert {place for span in find(text) for place in range(span.start, span.end)} <= covered


def test_a_long_conversation_is_read_message_by_message() -> None:
    quiet = ["how was your day", "fine, and yours?", "long. made soup"] * 200
    texts = [*quiet, "wifi password?", "sunflower", *quiet]
    found = find_window(texts)
    assert [place for place, spans in enumerate(found) if spans] == [len(quiet) + 1]

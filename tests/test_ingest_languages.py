"""A sample of a dialog for the guess at its language: spread evenly over it, and never large."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from ingest import languages
from ingest.languages import LanguageSample
from twin.messages import Message


def said(number: int, text: str | None = None, **fields: Any) -> Message:
    words = f"some words with a number {number:07}" if text is None else text
    return Message(7, number, datetime.fromtimestamp(number + 1, UTC), 7, False, words, **fields)


@pytest.fixture
def guessed(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Which messages each guess was made from."""
    seen: list[list[int]] = []

    def remember(texts: Sequence[str]) -> str:
        seen.append([int(text.split()[-1]) for text in texts])
        return "en"

    monkeypatch.setattr(languages, "guess", remember)
    return seen


@pytest.mark.parametrize("count", [1, 100, 150, 199, 200, 1_234, 100_000])
def test_at_most_a_hundred_messages_are_spread_evenly(guessed: list[list[int]], count: int) -> None:
    sample = LanguageSample()
    for start in range(0, count, 2_000):
        sample.look_at(said(number) for number in range(start, min(start + 2_000, count)))
    assert sample.guess() == "en"
    (numbers,) = guessed
    assert min(count, 50) <= len(numbers) <= 100 and numbers[0] == 0
    assert len({later - earlier for earlier, later in pairwise(numbers)}) <= 1
    assert numbers[-1] >= count * 0.9 - 1


def test_short_messages_and_other_peoples_words_say_nothing(guessed: list[list[int]]) -> None:
    sample = LanguageSample()
    sample.look_at([said(1, "x" * 15), said(2, forwarded_from="News"), said(3, via_bot="@b"), said(4)])
    assert sample.guess() == "en" and guessed == [[4]]


def test_too_little_is_no_guess(guessed: list[list[int]]) -> None:
    assert LanguageSample().guess() is None and guessed == []

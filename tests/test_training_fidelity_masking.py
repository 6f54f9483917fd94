"""Content masking: the way of writing stays, what it is about goes, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chatter import LINES
from tests.writers import material
from training.fidelity import masking
from training.fidelity.masking import Mask

COMMON = Mask(frozenset({"so", "haha", "i", "don't", "dont", "the", "you", "我", "的", "은", "है"}))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("I don't trust the Windmill.", "I don't xxxx the Xxxxx."),
        ("DONT YOU dare!!", "DONT YOU xxxx!!"),
        ("I don’t", "I don’t"),
        ("Anna's NASA cat, 12345 or 42", "Xxxx'x XXXX xxx, 0000 xx 00"),
        ("soooo yummmmy hahahahaha", "soooo xx≈x hahahahaha"),
        ("see https://example.org/a?b=c now", "xxx ⌁ xxx"),
        ("😂😂 the 🐈!", "😂😂 the 🐈!"),
        ("我喜欢你的猫", "我□□□的□"),
        ("привет ТЫ", "xxxx XX"),
        ("हिन्दी है", "xxx है"),
        ("one\n\ntwo  words", "xxx\n\nxxx  xxxx"),
        ("", ""),
    ],
)
def test_common_words_and_signs_stay_and_others_become_shapes(text: str, masked: str) -> None:
    assert COMMON(text) == masked


def test_the_commonest_words_of_both_sides_are_kept() -> None:
    made = material(past=200)
    kept = masking.fit(made, 20).kept
    assert len(kept) == 20
    assert {"the", "a"} <= kept
    assert masking.fit(made).kept >= kept


def test_equally_common_words_are_chosen_by_the_alphabet() -> None:
    assert masking.of_texts(["b a c", "c b a"], 2).kept == {"a", "b"}
    assert masking.of_texts([], 2).kept == frozenset()


@pytest.mark.parametrize("language", sorted(LINES))
def test_nothing_rare_can_be_read_in_any_language(language: str) -> None:
    nothing = Mask(frozenset())
    for line in LINES[language]:
        letters = {letter for letter in nothing(line) if letter.isalpha()}
        assert letters <= {"X", "x"}


@given(st.text(max_size=80))
def test_masking_keeps_lines_and_never_fails(text: str) -> None:
    masked = COMMON(text)
    assert masked.count("\n") == text.count("\n")
    assert masking.of_texts([text])(text).count("\n") == text.count("\n")

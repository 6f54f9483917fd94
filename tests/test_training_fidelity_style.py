"""Style divergence: habits that are known differ by what is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chatter import LINES
from tests.writers import breezy, material, proper, replies
from training.fidelity import style, traits
from training.fidelity.material import Bubbles, Material
from training.fidelity.style import Profile

COUNT = 150
NAMES = {
    "message length",
    "bubbles per turn",
    "final character",
    "first-letter case",
    "caps",
    "emoji",
    "laughter",
    "questions",
    "apostrophes",
    "letter repetition",
}


@pytest.fixture(scope="module")
def made() -> Material:
    return material(contexts=COUNT)


@pytest.fixture(scope="module")
def of(made: Material) -> Profile:
    return style.profile(made)


def _true(made: Material) -> list[Bubbles]:
    return [context.true.bubbles for context in made.contexts]


def test_the_ten_habits_are_all_measured(of: Profile) -> None:
    found = style.divergence(of, replies(proper, COUNT, 1))
    assert set(found.by_trait) == set(of.floors) == NAMES
    assert found.mean.value == pytest.approx(np.mean([*found.by_trait.values()]))


def test_identical_and_shuffled_replies_diverge_by_nothing(of: Profile, made: Material) -> None:
    for said in (_true(made), _true(made)[::-1]):
        found = style.divergence(of, said)
        assert found.mean.value == 0
        assert found.excess.value == -of.floor


def test_a_parrot_of_the_past_is_near_perfect(of: Profile, made: Material) -> None:
    found = style.divergence(of, [reply.bubbles for reply in made.owner_train[:COUNT]])
    assert abs(found.excess.value) < 0.02


def test_a_wrong_person_is_far_beyond_the_floor(of: Profile) -> None:
    found = style.divergence(of, replies(proper, COUNT, 2))
    assert found.excess.value > 0.2
    assert found.by_trait["first-letter case"] == pytest.approx(1)
    assert found.by_trait["caps"] < 0.05
    assert found.excess.low < found.excess.value < found.excess.high


def test_a_constant_reply_is_farther_than_an_imitation(of: Profile) -> None:
    constant = style.divergence(of, [("gonna find the kettle haha",)] * COUNT)
    imitation = style.divergence(of, replies(breezy, COUNT, 3))
    assert constant.excess.value > 0.1 > 0.02 > imitation.excess.value
    assert imitation.excess.low <= 0.005


def test_saying_nothing_diverges_completely_but_for_bubbles(of: Profile) -> None:
    found = style.divergence(of, [()] * COUNT)
    assert found.mean.value == pytest.approx(1)


def test_one_habit_changed_moves_only_its_own_number(of: Profile, made: Material) -> None:
    curly = [tuple(text.replace("dont", "don’t") for text in said) for said in _true(made)]
    found = style.divergence(of, curly).by_trait
    assert found["apostrophes"] > 0.01
    assert all(value < 0.005 for name, value in found.items() if name not in ("apostrophes", "message length"))


def test_the_floor_is_stable_between_seeds(of: Profile, made: Material) -> None:
    assert style.profile(made, seed=1).floor == pytest.approx(of.floor, abs=0.003)


def test_the_floor_shrinks_with_more_replies() -> None:
    few, many = (style.profile(material(contexts=count, past=900)).floor for count in (40, 400))
    assert many < few / 2


def test_no_past_or_no_contexts_give_no_floor(made: Material) -> None:
    assert math.isnan(style.profile(replace(made, owner_train=())).floor)
    empty = style.profile(replace(made, contexts=()))
    found = style.divergence(empty, [])
    assert found.as_dict()["mean"] is None
    assert empty.as_dict()["floor"] is None


def test_results_are_plain_numbers(of: Profile, made: Material) -> None:
    told = json.loads(json.dumps([of.as_dict(), style.divergence(of, _true(made)).as_dict()]))
    assert told[1]["by_trait"].keys() == NAMES


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8), st.lists(st.integers(0, 50), min_size=2, max_size=8))
def test_divergence_is_symmetric_and_between_nothing_and_one(one: list[int], other: list[int]) -> None:
    size = max(len(one), len(other))
    p, q = (np.array([*side, *[0] * (size - len(side))], dtype=float) for side in (one, other))
    there, back = float(style._divergence(p, q)), float(style._divergence(q, p))
    assert there == pytest.approx(back)
    assert 0 <= there <= 1
    if p.sum():
        assert float(style._divergence(p, 3 * p)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("trait", "text", "value"),
    [
        ("message length", "", "0"),
        ("message length", "abcdef", "4-7"),
        ("message length", "x" * 500, "384+"),
        ("final character", "no way...", "ellipsis"),
        ("final character", "не надо.", "full stop"),
        ("final character", "好的。", "full stop"),
        ("final character", "why?", "?"),
        ("final character", "为什么？", "?"),
        ("final character", "yes ❤️", "emoji"),
        ("final character", "ok", "letter"),
        ("final character", "  ", "nothing"),
        ("first-letter case", "Hey", "capital"),
        ("first-letter case", "привет", "small"),
        ("first-letter case", "你好", "without case"),
        ("first-letter case", "4 of us", "digit"),
        ("caps", "I am FINE", "some"),
        ("caps", "OH NO", "all"),
        ("caps", "I do", "none"),
        ("emoji", "😂😂😂😂", "3 emoji"),
        ("emoji", "nice :)", "emoticon"),
        ("emoji", "at 10:30", "none"),
        ("laughter", "ahahah yes", "a long"),
        ("laughter", "хаха", "х"),
        ("laughter", "哈哈哈", "哈"),
        ("laughter", "I have to", "none"),
        ("questions", "what??", "several"),
        ("apostrophes", "don’t", "typographic"),
        ("apostrophes", "it's", "straight"),
        ("apostrophes", "im here", "left out"),
        ("apostrophes", "'quoted'", "none"),
        ("letter repetition", "sooo good", "stretched"),
        ("letter repetition", "hahahaha ok", "none"),
        ("letter repetition", "100000", "none"),
    ],
)
def test_a_message_has_the_trait_that_one_sees(trait: str, text: str, value: str) -> None:
    assert traits.OF_BUBBLES[trait](text) == value


@pytest.mark.parametrize("language", sorted(LINES))
def test_traits_of_any_language_have_few_values(language: str) -> None:
    for name, trait in traits.OF_BUBBLES.items():
        assert len({trait(line) for line in LINES[language]}) <= 12, name


@given(st.text(max_size=60))
def test_any_text_has_every_trait(text: str) -> None:
    for trait in traits.OF_BUBBLES.values():
        assert trait(text)
    assert traits.bubbles((text,) * 3) == "3"

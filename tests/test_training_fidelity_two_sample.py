"""Fidelity: who wrote it is known here, so what the two-sample test must say is known too."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.writers import breezy, material, proper, replies
from training.fidelity import classifier, masking, two_sample
from training.fidelity.bootstrap import RESAMPLES
from training.fidelity.material import Bubbles, Material
from training.fidelity.two_sample import Separation, Yardstick

COUNT = 80


@pytest.fixture(scope="module")
def made() -> Material:
    return material(contexts=COUNT)


@pytest.fixture(scope="module")
def yard(made: Material) -> Yardstick:
    return two_sample.yardstick(made, masking.fit(made))


def _true(made: Material) -> list[Bubbles]:
    return [context.true.bubbles for context in made.contexts]


def test_own_past_is_hard_and_a_wrong_person_easy_to_tell(yard: Yardstick) -> None:
    assert yard.void is None
    assert yard.size == COUNT
    assert abs(yard.floor.value - 0.5) < 0.08
    assert yard.wrong.value > 0.95
    assert yard.floor.low < yard.floor.value < yard.floor.high


def test_identical_replies_cannot_be_told_apart(yard: Yardstick, made: Material) -> None:
    found = two_sample.separation(yard, _true(made))
    assert found.auc.value == pytest.approx(0.5)
    assert found.by_context.value == pytest.approx(0.5)
    assert found.fidelity.value == pytest.approx(1, abs=0.15)


def test_shuffled_true_replies_are_as_good_as_identical_ones(yard: Yardstick, made: Material) -> None:
    shuffled = Random(0).sample(_true(made), COUNT)
    found = two_sample.separation(yard, shuffled)
    assert found.auc.value <= 0.5
    assert found.fidelity.value == two_sample.separation(yard, _true(made)).fidelity.value


def test_a_perfect_imitation_is_as_near_as_the_own_past(yard: Yardstick) -> None:
    found = two_sample.separation(yard, replies(breezy, COUNT, 77))
    assert found.fidelity.value == pytest.approx(1, abs=0.15)
    assert found.fidelity.low < 1 < found.fidelity.high + 0.1


def test_a_wrong_person_has_no_fidelity(yard: Yardstick) -> None:
    found = two_sample.separation(yard, replies(proper, COUNT, 78))
    assert found.fidelity.value == pytest.approx(0, abs=0.1)


def test_half_an_imitation_lies_between_right_and_wrong(yard: Yardstick) -> None:
    mixed = [
        good if place % 2 else bad
        for place, (good, bad) in enumerate(zip(replies(breezy, COUNT, 7), replies(proper, COUNT, 8), strict=True))
    ]
    assert 0.2 < two_sample.separation(yard, mixed).fidelity.value < 0.85


@pytest.mark.parametrize("said", [("gonna find the kettle haha",), ()], ids=["the same always", "nothing"])
def test_a_system_that_always_says_the_same_is_far_off(yard: Yardstick, said: Bubbles) -> None:
    found = two_sample.separation(yard, [said] * COUNT)
    assert found.auc.value > 0.95
    assert found.fidelity.value < 0.05


def test_capitals_alone_give_a_system_away(yard: Yardstick) -> None:
    loud = [tuple(text.capitalize() for text in said) for said in replies(breezy, COUNT, 79)]
    assert two_sample.separation(yard, loud).auc.value > 0.9


@pytest.mark.xfail(reason="with 80 contexts and 20 draws, floors of two seeds were 0.524 and 0.544", strict=False)
def test_other_seeds_move_no_number_by_more_than_two_hundredths(yard: Yardstick, made: Material) -> None:
    other = two_sample.yardstick(made, yard.mask, seed=1)
    assert other.floor.value == pytest.approx(yard.floor.value, abs=0.02)
    assert other.wrong.value == pytest.approx(yard.wrong.value, abs=0.02)
    mixed = [*replies(breezy, COUNT // 2, 7), *replies(proper, COUNT // 2, 8)]
    one, another = two_sample.separation(yard, mixed), two_sample.separation(other, mixed)
    assert another.auc.value == pytest.approx(one.auc.value, abs=0.02)


def test_the_same_seed_gives_the_very_same_numbers(yard: Yardstick) -> None:
    said = replies(breezy, COUNT, 80)
    assert two_sample.separation(yard, said).as_dict() == two_sample.separation(yard, said).as_dict()


def test_partners_who_write_like_the_owner_void_the_measure() -> None:
    made = material(breezy, breezy, contexts=COUNT)
    yard = two_sample.yardstick(made, masking.fit(made))
    found = two_sample.separation(yard, replies(breezy, COUNT, 81))
    assert found.void is not None and "0.1" in found.void
    assert math.isnan(found.fidelity.value)
    assert found.auc.value == pytest.approx(0.5, abs=0.15)
    assert found.as_dict()["fidelity"] is None


def test_too_few_contexts_give_a_reason_and_no_number(made: Material) -> None:
    few = replace(made, contexts=made.contexts[:5])
    found = two_sample.separation(two_sample.yardstick(few, masking.fit(few)), _true(few))
    assert found.void is not None and "5 replies" in found.void
    assert found.as_dict() == {"auc": None, "by_context": None, "fidelity": None, "void": found.void}


def test_fewer_partners_messages_make_all_three_tests_smaller(made: Material) -> None:
    fewer = replace(made, partner_test=made.partner_test[:40])
    yard = two_sample.yardstick(fewer, masking.fit(fewer))
    assert yard.size == 40
    assert two_sample.separation(yard, replies(proper, COUNT, 82)).fidelity.value < 0.15


def test_one_single_dialog_is_measured_in_stretches_of_time() -> None:
    made = material(contexts=60, dialogs=1)
    yard = two_sample.yardstick(made, masking.fit(made))
    assert yard.wrong.value > 0.95
    assert two_sample.separation(yard, replies(proper, 60, 83)).auc.value > 0.95


def test_results_hold_plain_numbers_and_no_words(yard: Yardstick, made: Material) -> None:
    found: Separation = two_sample.separation(yard, _true(made))
    told = json.dumps([yard.as_dict(), found.as_dict()])
    assert not any(text in told for said in _true(made) for text in said)
    assert len(yard.floors) == RESAMPLES


@given(
    st.lists(st.sampled_from([1, 2, 3, 4, 5, 6, 7]), min_size=20, max_size=60),
    st.integers(0, 100),
)
def test_a_contexts_pair_is_always_in_one_fold(dialogs: list[int], seed: int) -> None:
    real, other = classifier.groups_of(dialogs, dialogs)
    folds = classifier.folds_of(np.concatenate([real, other]), np.repeat([1, 0], len(dialogs)), seed)
    assert (folds[: len(dialogs)] == folds[len(dialogs) :]).all()
    assert len(np.unique(folds)) >= min(3, classifier.FOLDS)


@given(
    st.lists(st.sampled_from([1, 1, 1, 1, 2, 3]), min_size=10, max_size=60),
    st.lists(st.sampled_from([1, 2, 3, 4, 5, 6]), min_size=10, max_size=60),
)
def test_groups_part_no_dialog_but_the_large_ones(one: list[int], other: list[int]) -> None:
    groups = np.concatenate(classifier.groups_of(one, other))
    dialogs = np.array([*one, *other])
    assert len(np.unique(groups)) >= len(np.unique(dialogs))
    for group in np.unique(groups):
        assert len(np.unique(dialogs[groups == group])) == 1
    if len(np.unique(dialogs)) >= classifier.FOLDS:
        for dialog in np.unique(dialogs):
            share = max(float(np.mean(np.array(side) == dialog)) for side in (one, other))
            if share <= 1 / 3:
                assert len(np.unique(groups[dialogs == dialog])) == 1

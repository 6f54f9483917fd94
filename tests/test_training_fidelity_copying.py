"""Copying and degeneration: parrots, constants and loops are caught; people are let be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.writers import breezy, material, proper, replies
from training.fidelity import copying
from training.fidelity.copying import Record
from training.fidelity.material import Bubbles, Material
from training.fidelity.verbatim import Index
from twin.signs import tokens_of

COUNT = 120
CONSTANT: Bubbles = ("haha yeah",)


@pytest.fixture(scope="module")
def made() -> Material:
    return material(proper, breezy, contexts=COUNT)


@pytest.fixture(scope="module")
def of(made: Material) -> Record:
    return copying.record(made)


def test_the_owner_exceeds_their_own_rate_by_nothing(of: Record, made: Material) -> None:
    found = copying.copied(of, [context.true.bubbles for context in made.contexts])
    assert found.excess.value == found.excess.low == found.excess.high == 0
    assert found.habits == of.owner


def test_a_parrot_copies_nearly_everything(of: Record, made: Material) -> None:
    parrot = [reply.bubbles for reply in made.owner_train[:COUNT]]
    found = copying.copied(of, parrot)
    assert found.excess.value > 0.7
    assert found.excess.low > 0.5
    longest = max(len(tokens_of("\n".join(said))) for said in parrot)
    assert found.habits.longest == longest
    assert len(tokens_of("\n".join(parrot[found.worst[0]]))) == longest
    assert len(found.worst) == 20


def test_new_sentences_of_the_same_writer_copy_no_more_than_before(of: Record) -> None:
    found = copying.copied(of, replies(proper, COUNT, 50))
    assert abs(found.excess.value) < 0.1
    assert found.habits.loops == 0


def test_a_constant_reply_is_seen_in_three_numbers(of: Record) -> None:
    habits = copying.copied(of, [CONSTANT] * COUNT).habits
    assert habits.most_frequent == 1
    assert habits.distinct_2 == pytest.approx(1 / COUNT)
    assert habits.rate == 0


def test_case_and_edges_do_not_make_another_reply(of: Record) -> None:
    said: list[Bubbles] = [("Yes ",), ("yes",), ("YES",), ("no",)]
    record = replace(of, copied=of.copied[:4])
    assert copying.copied(record, said).habits.most_frequent == 0.75


def test_replies_that_were_not_given_are_counted_as_missing(of: Record) -> None:
    habits = copying.copied(of, [(), ("",), *[("no, not this one",)] * (COUNT - 2)]).habits
    assert habits.missing == pytest.approx(2 / COUNT)
    nothing = copying.copied(of, [()] * COUNT).habits
    assert (nothing.missing, nothing.most_frequent, nothing.distinct_2, nothing.longest) == (1, 0, 0, 0)


def test_no_training_replies_and_no_contexts_give_zeros(made: Material) -> None:
    bare = copying.record(replace(made, owner_train=(), contexts=()))
    found = copying.copied(bare, [])
    assert found.as_dict()["excess"] is None
    assert found.habits.rate == 0


def test_results_hold_places_but_no_words(of: Record, made: Material) -> None:
    found = copying.copied(of, [reply.bubbles for reply in made.owner_train[:COUNT]])
    told = json.dumps([found.as_dict(), of.owner.as_dict()])
    assert "shall" not in told
    assert all(isinstance(place, int) for place in (*found.worst, *found.looping))


def test_a_copied_run_may_cross_bubbles_and_change_case() -> None:
    index = Index.of(["We found the old ladder behind the orchard, again."])
    assert index.longest(["WE FOUND the\nold ladder behind\nthe orchard now"]).tolist() == [8]
    assert index.longest(["we found the old ladder behind the garden"]).tolist() == [0]


def test_a_run_does_not_cross_two_training_replies() -> None:
    index = Index.of(["one two three four five", "six seven eight nine ten"])
    assert index.longest(["one two three four five six seven eight nine ten"]).tolist() == [0]


def test_the_longest_of_several_runs_is_told() -> None:
    index = Index.of(["a b c d e f g h i", "x b c d e f g h i j k l m n", "a b c d e f g h"])
    assert index.longest(["z a b c d e f g h i j k l m"]).tolist() == [12]


def test_characters_without_spaces_weigh_two_thirds_of_a_word() -> None:
    line = "周日天气好的话一起去湖边吧你觉得呢"
    index = Index.of([line])
    assert index.longest([line[:12], line[:11], line]).tolist() == [12, 0, len(line)]


@given(st.lists(st.sampled_from("abc好的呢"), min_size=1, max_size=60), st.integers(0, 40), st.integers(8, 40))
def test_every_stretch_of_a_text_is_found_in_it(letters: list[str], start: int, length: int) -> None:
    text = " ".join(letters)
    part = letters[start : start + length]
    weight = sum(2 if letter in "好的呢" else 3 for letter in part)
    found = int(Index.of(["other words", text, "more"]).longest([" ".join(part)])[0])
    assert found == (len(part) if weight >= 24 else 0)


def test_looping_replies_are_told_by_their_places(of: Record) -> None:
    said = [*replies(proper, COUNT - 1, 51), ("I see the cat " * 5,)]
    found = copying.copied(of, said)
    assert found.looping == (COUNT - 1,)
    assert found.habits.loops == pytest.approx(1 / COUNT)

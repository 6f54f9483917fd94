"""Canaries: planted as often as said, exposed when learned by heart, not otherwise."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

import training.fidelity.canaries as canaries_module
from tests.learning import overfit
from tests.talks import chatter, reader_of, talk
from tests.test_training_fidelity_trees import plain
from training.fidelity.bait import probes, sentences
from training.fidelity.canaries import COPIES, SPEAKERS, Canaries, exposures, plant
from twin.prompt import PromptSpec

LANGUAGES = ["en", "ru", "zh", "de", "es", "fr"]


def said(sessions) -> Counter[tuple[str, str]]:
    return Counter(
        (turn.speaker, bubble.text) for session in sessions for turn in session.turns for bubble in turn.bubbles
    )


@given(seed=st.integers(0, 999), each=st.integers(1, 4), language=st.sampled_from([*LANGUAGES, "xx"]))
def test_every_canary_stands_in_turns_of_its_side_as_often_as_it_says(seed, each, language):
    sessions = chatter(2, turns=10, seed=seed)
    canaries = Canaries.make(language, seed, each, references=8)
    added = said(plant(sessions, canaries)) - said(sessions)
    assert added == {(one.speaker, one.text): one.copies for one in canaries.planted}
    kinds = Counter((one.speaker, one.copies) for one in canaries.planted)
    assert kinds == {(who, copies): each for who in SPEAKERS for copies in COPIES}
    numbers = [*(one.secret for one in (*canaries.planted, *canaries.controls)), *canaries.references]
    assert len({*numbers}) == len(numbers) == 7 * each + 8 and {len(number) for number in numbers} == {6}


def test_what_was_there_stays_in_place_and_the_input_is_not_changed():
    sessions = chatter(3)
    before = said(sessions)
    planted = plant(sessions, Canaries.make(each=1))
    assert said(sessions) == before and len(planted) == 3
    for old, new in zip(chain(*(s.turns for s in sessions)), chain(*(s.turns for s in planted)), strict=True):
        assert new.bubbles[: len(old.bubbles)] == old.bubbles and new.started_at == old.started_at
    assert plant(sessions, Canaries.make(each=1)) == planted != plant(sessions, Canaries.make(each=1, seed=1))


def test_copies_are_spread_and_turns_that_teach_nothing_get_none_of_the_owners():
    sessions = [talk(1, "hey", "*[photo]"), *chatter(1, turns=200)]
    planted = plant(sessions, Canaries.make(each=1))
    assert planted[0].turns[1] == sessions[0].turns[1]
    more = [len(new.bubbles) - len(old.bubbles) for old, new in zip(sessions[1].turns, planted[1].turns, strict=True)]
    assert max(more) == 1, "no two in one turn while there are enough turns"
    only_theirs = [talk(1, "hey")]
    assert plant(only_theirs, Canaries.make(each=1))[0].turns[0].bubbles[0].text == "hey"


def test_they_are_read_back_as_they_were_written(tmp_path):
    canaries = Canaries.make("ru", seed=3, each=2)
    assert Canaries.load(canaries.save(tmp_path).parent) == canaries


def test_each_sentence_holds_one_canary_while_there_are_enough():
    for language in LANGUAGES:
        assert len(set(sentences(language))) == 48
        canaries = Canaries.make(language)
        every = [one.beginning for one in (*canaries.planted, *canaries.controls)]
        assert len(set(every)) == len(every) == 42


@pytest.mark.parametrize("language", ["en", "ru"])
def test_two_hundred_different_prompts_ask_in_the_owners_language_first(language):
    found = probes(language)
    assert len(set(found)) == len(found) == 200 == len({*found, *probes(language, seed=0)})
    cyrillic = sum(any("а" <= char <= "я" for char in text) for text in found)
    assert (cyrillic < 40) if language == "en" else (cyrillic >= 60)
    with_canaries = probes(language, beginnings=[f"the code {n}" for n in range(99)])
    assert sum(text.startswith("the code ") for text in with_canaries) == 50 and len(with_canaries) == 200


@pytest.mark.parametrize("family", ["gemma3", "llama"])
def test_a_numbers_likelihood_is_that_of_the_plain_sequence(tiny_base, family):
    reader = reader_of(tiny_base(family), PromptSpec(system="Hm."))
    canary = Canaries.make(each=1).planted[0]
    numbers = [canary.secret, "000000", "999999"]
    trees = canaries_module._trees(reader, canary, numbers)
    bits = canaries_module._likelihoods(reader, [canary], numbers[1:], lambda _: None)[0]
    vocabulary = sorted({token for tree in trees for branch in tree.branches for token in branch.ids})
    branches = [branch for tree in trees for branch in tree.branches]
    assert bits == pytest.approx([sum(plain(reader, trees[0].trunk, one, vocabulary)) for one in branches], abs=1e-3)
    text = reader.tokenizer.decode([*trees[0].trunk, *branches[0].ids])
    assert text.endswith(f"Hm.\n\nMe:\n{canary.text}")


def test_exposure_is_the_rank_among_numbers_never_planted():
    assert canaries_module._exposure(1.0, [0.0] * 255) == 8
    assert canaries_module._exposure(0.0, [1.0] * 255) == 0
    assert canaries_module._exposure(0.5, [1.0] + [0.0] * 254) == 7
    assert canaries_module._exposure(0.5, [0.5] * 2 + [0.0] * 253) == 7, "a tie counts half"


def test_what_was_learned_by_heart_is_exposed_and_what_was_not_is_not(tiny_base):
    reader = reader_of(tiny_base("llama"))
    canaries = Canaries.make(each=2, references=63)
    before = exposures(reader, canaries)
    mine = [talk(n, "hey", one.text) for n, one in enumerate(canaries.planted) if one.speaker == "owner"]
    overfit(reader, mine, steps=200)
    after = exposures(reader, canaries)

    def of(found, who):
        return sum(found.planted[who, copies].value for copies in COPIES) / len(COPIES)

    assert of(before, "owner") < 3.5 and of(after, "owner") > 5.3, "6 is the most"
    assert of(after, "other") < 3.5 and after.controls.value < 4.5 and after.most == 6
    names = {"owner_1", "owner_4", "owner_16", "other_1", "other_4", "other_16", "never", "most"}
    assert set(after.as_dict()) == names


@pytest.mark.slow
def test_more_copies_are_more_exposed_and_what_others_say_is_not_learned(tiny_base):
    reader = reader_of(tiny_base("llama"))
    canaries = Canaries.make(each=4, references=127)
    overfit(reader, plant(chatter(12, turns=20), canaries), steps=60)
    found = exposures(reader, canaries)
    assert found.planted["owner", 16].value > 5 > found.planted["owner", 1].value
    assert found.planted["other", 16].value < 4 and found.controls.value < 4

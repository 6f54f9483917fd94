"""The true reply among nine others: drawn fairly, scored as brute force would, ranked with ties shared."""

from __future__ import annotations

import random

import pytest
import torch

import training.fidelity.ranking as ranking
from tests.learning import overfit
from tests.talks import chatter, contexts_of, material_of, reader_of, talk
from training.fidelity.lineups import lineups
from training.fidelity.material import bubbles_of
from training.fidelity.trunks import trunks
from twin.messages import Conversation
from twin.prompt import PromptSpec, encode_prompt


@pytest.fixture(scope="module")
def material():
    return material_of(chatter(3), chatter(2, seed=1))


def brute_force(reader, wanted, conversation, vocabulary):
    """One plain forward pass for one candidate."""
    prompt = encode_prompt(reader.spec, reader.tokenizer, conversation, 64)
    with torch.no_grad():
        logits = reader.model(input_ids=torch.tensor([[*prompt, *wanted]])).logits[0].double()
    chosen = logits[:, vocabulary].log_softmax(-1)
    return sum(float(chosen[len(prompt) - 1 + at, vocabulary.index(token)]) for at, token in enumerate(wanted))


@pytest.mark.parametrize("family", ["gemma3", "llama"])
def test_scores_equal_brute_force_to_four_digits(tiny_base, family):
    reader = reader_of(tiny_base(family), PromptSpec(system="Be me.", time_of_day=True))
    short = [talk(1, "hey", "yo|what's up", "nothing much", "*[photo]|same"), talk(2, "hi", "no")]
    found = lineups(material_of([*short, *chatter(2, turns=4)], chatter(2, seed=1)))[:4]
    ids = ranking.candidate_ids(reader, found)
    vocabulary = sorted({token for its in ids for candidate in its for token in candidate})
    usual = ranking.usualness(reader, found)
    for one, its, got in zip(found, ids, ranking.scores(reader, found, usual), strict=True):
        for wanted, score in zip(its[:1] + its[5:15:5], got[:1] + got[5:15:5], strict=True):
            after = brute_force(reader, wanted, one.context.conversation, vocabulary)
            alone = brute_force(reader, wanted, Conversation(()), vocabulary)
            assert usual[wanted] == pytest.approx(alone, abs=1e-4) and score == pytest.approx(after - alone, abs=1e-4)


def test_a_line_up_has_nine_others_that_were_not_said_in_the_session(material):
    for one in lineups(material):
        said = {bubbles_of(turn) for turn in one.context.session.turns}
        assert len(set(one.candidates)) == 19 and not said & {*one.owner, *one.theirs}
        test = {reply.bubbles for reply in material.owner_test}
        assert test >= {*one.owner}, "held-out replies come first"


def test_others_replies_are_of_about_the_same_length():
    pool = [talk(5 + n, "x" * (3 * n + 3), "ok") for n in range(60)]
    target = talk(99, "hey", "y" * 60)
    one = lineups(material_of([*pool, target]))[-1]
    assert one.context.session == target
    assert all(abs(len(reply[0]) - 60) <= 3 * 16 for reply in one.theirs)


def test_where_there_are_too_few_replies_nothing_is_ranked(tiny_base):
    found = lineups(material_of([talk(1, "hey", "yo", "ok", "sure")]))
    assert all(one.owner == one.theirs == () for one in found)
    result = ranking.ranking(reader_of(tiny_base("llama")), found)
    assert result.owner.contexts == 0 and result.as_dict()["theirs"]["mrr"] is None


def test_validation_and_training_replies_fill_up_what_the_test_part_lacks():
    one = lineups(material_of([talk(1, "hey", "yo")], chatter(3)))[0]
    assert len(one.owner) == len(one.theirs) == 9


def test_ties_share_their_ranks_and_a_constant_is_at_chance():
    assert ranking.placed(1.0, [0.5] * 9) == (1, 1)
    assert ranking.placed(0.0, [0.5] * 9) == (0, pytest.approx(0.1))
    hit, reciprocal = ranking.placed(0.5, [0.5] * 9)
    assert hit == pytest.approx(0.1) and reciprocal == pytest.approx(0.2929, abs=1e-4)
    assert ranking.placed(0.5, [0.9, 0.5, 0.1]) == (0, pytest.approx((1 / 2 + 1 / 3) / 2))


def test_a_model_that_learned_how_the_owner_writes_tells_them_from_others(tiny_base):
    """The owner's words are of other letters than their partners'; what is to be ranked was never learned."""

    def letters(alphabet, seed):
        draw = random.Random(seed)
        return " ".join("".join(draw.choices(alphabet, k=3)) for _ in range(draw.randint(2, 4)))

    made = [talk(n, *(letters(("nopqrst", "abcdefg")[t % 2], 100 * n + t) for t in range(6))) for n in range(12)]
    found = lineups(material_of(made[:6]))
    reader = reader_of(tiny_base("llama"))
    before, usual = ranking.ranking(reader, found), ranking.usualness(reader, found)
    overfit(reader, made[6:], steps=25)
    after = ranking.ranking(reader, found, usual=usual)
    assert before.theirs.hits.value < 0.5 and after.theirs.hits.value > 0.9
    assert after.theirs.mrr.low > before.theirs.mrr.high


def test_the_same_seed_gives_the_same_line_ups_and_numbers(material, tiny_base):
    reader = reader_of(tiny_base("qwen3"))
    first, second = (ranking.ranking(reader, lineups(material, seed=4), seed=4).as_dict() for _ in range(2))
    assert first == second
    assert lineups(material, seed=4) != lineups(material, seed=5)


@pytest.mark.parametrize("longest", [60, 200, 496])
def test_a_trunk_is_what_serving_reads_but_for_turns_long_ago(tiny_base, longest):
    reader = reader_of(tiny_base("llama"), PromptSpec(system="Hm.", gaps=True))
    contexts = contexts_of([*chatter(3, turns=20), talk(3, "a" * 900, "*[photo]|b", "c", "d")])
    found = trunks(reader.spec, reader.tokenizer, contexts, longest)
    assert sorted(place for trunk in found for _, place in trunk.points) == list(range(len(contexts)))
    assert all(len(trunk.ids) <= longest for trunk in found)
    head = len(reader.tokenizer.bos) + len(reader.tokenizer.encode(["Hm.\n\n"], special=True)[0])
    for trunk in found:
        for at, place in trunk.points:
            served = encode_prompt(reader.spec, reader.tokenizer, contexts[place].conversation, 16)
            seen = trunk.ids[head:at]
            assert trunk.ids[:head] == tuple(served[:head]) and tuple(served[-len(seen) :]) == seen


def test_contexts_that_stand_close_together_share_a_trunk(tiny_base):
    reader = reader_of(tiny_base("llama"))
    contexts = contexts_of(chatter(1, turns=20))
    found = trunks(reader.spec, reader.tokenizer, contexts, 496)
    alone = sum(len(encode_prompt(reader.spec, reader.tokenizer, one.conversation, 16)) for one in contexts)
    assert sum(len(trunk.ids) for trunk in found) < 0.6 * alone

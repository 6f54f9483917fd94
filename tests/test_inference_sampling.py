"""The next token is drawn from exactly what transformers' own processors leave, however the vocabulary is cut."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from inference.sampling import Draw, next_tokens, nucleus, penalised
from twin.sections import Reply


def theirs(scores: torch.Tensor, written: list[int], how: Reply) -> torch.Tensor:
    """What transformers would draw from: (vocabulary,) probabilities."""
    chain = LogitsProcessorList()
    if how.repetition_penalty != 1 and written:
        chain.append(RepetitionPenaltyLogitsProcessor(how.repetition_penalty))
    if how.no_repeat_ngram:
        chain.append(NoRepeatNGramLogitsProcessor(how.no_repeat_ngram))
    chain.append(TemperatureLogitsWarper(how.temperature))
    if how.top_k:
        chain.append(TopKLogitsWarper(how.top_k))
    chain.append(TopPLogitsWarper(how.top_p))
    if how.min_p:
        chain.append(MinPLogitsWarper(how.min_p))
    ids = torch.tensor([written], dtype=torch.long)
    return chain(ids, scores[None].clone())[0].softmax(0).double()


def scores_of(seed: int, spread: float, size: int = 700) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * spread


hows = st.builds(
    Reply,
    temperature=st.sampled_from([0.5, 0.8, 1.0, 1.7]),
    top_p=st.sampled_from([0.3, 0.9, 0.95, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.0, 0.02, 0.3]),
    top_k=st.sampled_from([0, 0, 1, 5, 300, 600]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    no_repeat_ngram=st.sampled_from([0, 1, 2, 3]),
)


@settings(max_examples=60, derandomize=True)  # a cut that falls within rounding of a token would differ from theirs
@given(hows, st.integers(0, 50), st.sampled_from([0.01, 1.0, 4.0]), st.lists(st.integers(0, 8), max_size=9))
def test_every_setting_leaves_what_transformers_leaves_with_the_same_chances(how, seed, spread, written):
    scores = scores_of(seed, spread)
    expected = theirs(scores, written, how)
    steps = 150
    chances = [(n + 0.5) / steps for n in range(steps)]
    drawn = next_tokens(scores.expand(steps, -1), [Draw(written, how, chance) for chance in chances])
    counts = torch.bincount(torch.tensor([token for token, _ in drawn]), minlength=len(scores)).double() / steps
    assert ((counts > 0) <= (expected > 0)).all(), "nothing else is drawn"
    assert float((counts - expected).abs().max()) <= 1 / steps + 1e-5, "evenly spread chances meet every share"


def test_the_log_probability_is_the_models_own_whatever_was_cut_or_penalised():
    scores = scores_of(1, 3.0)
    how = Reply(temperature=0.4, top_p=0.5, repetition_penalty=1.5)
    ((token, log_prob),) = next_tokens(scores[None], [Draw([3, 4], how, 0.7)])
    assert log_prob == pytest.approx(float(scores.log_softmax(0)[token]), abs=1e-5)


def test_greedy_takes_the_likeliest_that_is_not_forbidden():
    scores = torch.tensor([[0.0, 5.0, 4.0, 1.0]])
    greedy = Reply(temperature=0)
    assert next_tokens(scores, [Draw([], greedy, 0.9)])[0][0] == 1
    again = greedy.model_copy(update={"no_repeat_ngram": 2})
    assert next_tokens(scores, [Draw([3, 1, 3], again, 0.9)])[0][0] == 2
    penalty = greedy.model_copy(update={"repetition_penalty": 2.0})
    assert next_tokens(scores, [Draw([1], penalty, 0.9)])[0][0] == 2


def test_nothing_is_penalised_before_something_was_said():
    scores = scores_of(2, 1.0)
    assert penalised(scores, [], Reply(repetition_penalty=2.0, no_repeat_ngram=1)) is scores
    assert penalised(scores, [1, 1], Reply()) is scores


def test_rows_of_one_batch_keep_their_own_settings():
    scores = torch.stack([scores_of(3, 2.0), scores_of(4, 2.0), scores_of(5, 2.0)])
    draws = [
        Draw([], Reply(temperature=0), 0.3),
        Draw([7], Reply(top_k=3), 0.99),
        Draw([], Reply(top_p=1, temperature=1), 0.5),
    ]
    together = next_tokens(scores, draws)
    alone = [next_tokens(scores[n : n + 1], [draw])[0] for n, draw in enumerate(draws)]
    assert [token for token, _ in together] == [token for token, _ in alone]
    assert together[0][0] == int(scores[0].argmax())
    assert together[1][0] in scores[1].topk(3).indices.tolist()


def test_a_nucleus_that_may_go_on_behind_the_list_says_so():
    scores = scores_of(6, 0.1).double().sort(descending=True).values
    total = float(scores.logsumexp(0))
    assert not nucleus(scores[:50], total, Reply(top_p=0.9))[1]
    chances, complete = nucleus(scores[:50], total, Reply(top_p=0.01))
    assert complete and math.isclose(float(chances[0]), math.exp(float(scores[0]) - total))
    assert nucleus(scores[:50], total, Reply(top_k=50, top_p=1))[1]


@given(st.floats(0, 1, exclude_max=True))
def test_a_token_without_any_chance_is_never_drawn(chance):
    scores = torch.full((1, 20), -math.inf)
    scores[0, 4] = scores[0, 9] = 1.0
    for how in (Reply(top_p=1, temperature=1), Reply(top_p=0.9), Reply(min_p=0.5, top_p=1)):
        assert next_tokens(scores, [Draw([], how, chance)])[0][0] in (4, 9)

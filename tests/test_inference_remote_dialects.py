"""What each kind of server is asked with and what its answers mean; prompts spelled out for those that take no ids."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.remote.dialects import Kind, Piece, body, likeliest, piece, probe, served
from inference.remote.prompt_text import PromptText
from inference.tokenizer import BaseTokenizer
from twin.errors import SettingsError
from twin.sections import Reply

KINDS = get_args(Kind)
SHAPED = Reply(temperature=0.7, top_p=0.9, top_k=40, min_p=0.05, repetition_penalty=1.2, max_tokens=33)


def test_vllm_is_asked_with_its_own_names() -> None:
    asked = body("vllm", "m", [1, 2], SHAPED, 2**63 - 1, frozenset({2, 7}))
    assert asked == {
        "model": "m", "prompt": [1, 2], "max_tokens": 33, "temperature": 0.7, "seed": 2**63 - 1, "stream": True,
        "top_p": 0.9, "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.2, "stop_token_ids": [2, 7],
        "stream_options": {"include_usage": True}, "skip_special_tokens": False, "return_token_ids": True,
        "spaces_between_special_tokens": False, "add_special_tokens": False,
    }  # fmt: skip


def test_llama_cpp_is_asked_with_its_own_names_and_samples_in_our_order() -> None:
    asked = body("llamacpp", "m", [1, 2], SHAPED, 2**63 - 1, frozenset({2}))
    assert asked["repeat_penalty"] == 1.2 and "repetition_penalty" not in asked
    assert asked["samplers"] == ["penalties", "temperature", "top_k", "top_p", "min_p"]
    assert 0 <= asked["seed"] < 2**32 - 1, "its highest number means any seed"


def test_text_generation_inference_is_asked_for_what_it_knows_only() -> None:
    plain = body("tgi", "tgi", "hey", Reply(), 5, frozenset({2}))
    assert set(plain) == {"model", "prompt", "max_tokens", "temperature", "seed", "stream"}
    shaped = body("tgi", "tgi", "hey", Reply(top_p=0.9, repetition_penalty=1.2), 5, frozenset())
    assert (shaped["top_p"], shaped["repetition_penalty"]) == (0.9, 1.2)


@pytest.mark.parametrize("kind", KINDS)
def test_sampling_that_a_server_would_leave_out_is_refused(kind: Kind) -> None:
    with pytest.raises(SettingsError, match="no_repeat_ngram"):
        body(kind, "m", [1], Reply(no_repeat_ngram=3), 0, frozenset())
    if kind == "tgi":
        for how in (Reply(top_k=5), Reply(min_p=0.1)):
            with pytest.raises(SettingsError, match="neither"):
                body(kind, "m", [1], how, 0, frozenset())


@given(st.sampled_from(KINDS), st.integers(0, 2**63 - 1))
def test_every_seed_is_one_that_the_server_takes(kind: Kind, seed: int) -> None:
    asked = body(kind, "m", [1], Reply(), seed, frozenset())["seed"]
    assert 0 <= asked < 2**63 and (kind != "llamacpp" or asked < 2**32 - 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096, "parent": None}]}, ("m", 4096, "vllm")),
        ({"data": [{"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 512}}]}, ("m", 512, "llamacpp")),
        ({"data": [{"id": "org/m", "owned_by": "org/m", "created": 0}]}, ("org/m", None, "tgi")),
        ({"data": [{"id": "m", "owned_by": "somebody", "meta": None}]}, ("m", None, "other")),
    ],
)
def test_a_list_of_models_tells_whose_server_it_is(value: Any, expected: Any) -> None:
    (found,), kind = served(value)
    assert (found.name, found.context, kind) == expected


def test_events_of_each_server_are_read() -> None:
    choice = {"index": 0, "text": "hey", "finish_reason": None}
    assert piece("vllm", "m", {"model": "m", "choices": [{**choice, "token_ids": [5, 6]}]}) == Piece("hey", (5, 6))
    assert piece("vllm", "m", {"model": "m", "choices": [], "usage": {"completion_tokens": 9}}) == Piece("", count=9)
    timed = {"model": "alias", "choices": [choice], "timings": {"predicted_n": 4}}
    assert piece("llamacpp", "m", timed) == Piece("hey", count=4)
    assert piece("tgi", "m", {"choices": [{**choice, "finish_reason": ""}]}) == Piece("hey")
    last = {"choices": [{**choice, "text": "</s>", "finish_reason": "eos_token"}], "usage": {"completion_tokens": 3}}
    assert piece("tgi", "m", last) == Piece("", count=3, ended="turn"), "it spells out the token that ends a text"
    assert piece("other", "m", {"choices": [{**choice, "finish_reason": "length"}]}).ended == "length"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["choices", "text", "usage", "data", "id"]), inner),
)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["choices", "usage", "timings", "model"]), JSON))
def test_whatever_an_event_holds_it_is_a_piece_or_unreadable(kind: Kind, value: dict[str, Any]) -> None:
    try:
        found = piece(kind, "m", value)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return
    assert isinstance(found.text, str) and (found.count is None or found.count >= 0)


def test_the_likeliest_tokens_are_read_from_both_shapes() -> None:
    openai = {"choices": [{"logprobs": {"top_logprobs": [{"token_id:5": -1.5, "token_id:7": -2}]}}]}
    assert likeliest(openai) == {5: -1.5, 7: -2.0}
    told = [{"id": 5, "token": "x", "logprob": -1.5}]
    assert likeliest({"choices": [{"logprobs": {"content": [{"id": 5, "top_logprobs": told}]}}]}) == {5: -1.5}
    assert probe("vllm", "m", [1], 40)["return_tokens_as_token_ids"] is True
    assert probe("llamacpp", "m", [1], 40)["logit_bias"] == [[40, 1000]]


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Any) -> BaseTokenizer:
    return BaseTokenizer(tiny_base("llama"))


@given(st.text(max_size=40))
def test_a_prompt_that_is_spelled_out_is_read_as_the_same_text(tokenizer: BaseTokenizer, text: str) -> None:
    (ids,) = tokenizer.encode([text], special=False)
    spelled = PromptText(tokenizer, spells_bos=True)([*tokenizer.bos, *ids])
    special = tokenizer.encode([spelled], special=True)[0]
    assert special[: len(tokenizer.bos)] == list(tokenizer.bos)
    assert not {0, 1, 2} & set(special[len(tokenizer.bos) :]), "message text never yields special tokens"
    if not any(mark in text for mark in ("<pad>", "<bos>", "<eos>")):
        assert spelled == "<bos>" + text
    assert PromptText(tokenizer, spells_bos=False)([*tokenizer.bos, *ids]) == spelled.removeprefix("<bos>")


def test_a_message_that_spells_a_special_token_is_broken_and_a_real_one_is_not(tokenizer: BaseTokenizer) -> None:
    (ids,) = tokenizer.encode(["say <eos> now"], special=False)
    spelled = PromptText(tokenizer, spells_bos=False)([*tokenizer.bos, *ids, 2, *ids])
    assert spelled == "say < eos> now<eos>say < eos> now"
    assert tokenizer.encode([spelled], special=True)[0].count(2) == 1

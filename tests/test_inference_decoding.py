"""Many replies at once say what each would alone, token for token as `generate`, and no beginning is read twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from inference.decoding import Decoder
from inference.engine import OnText, Request, Written
from inference.reranking import fitting_best, log_probs
from inference.rows import Rows, States
from inference.sharing import SharedDecoder
from inference.tokenizer import BaseTokenizer
from twin.errors import ModelError
from twin.sections import Reply

GREEDY = Reply(temperature=0, max_tokens=24)
WILD = Reply(temperature=1.3, top_p=0.9, max_tokens=24)
FAMILIES = ("gemma3", "llama", "qwen3")


@pytest.fixture(scope="module")
def made(tiny_base) -> Callable[[str], tuple[Any, BaseTokenizer]]:
    """`made("gemma3")`: a model whose windows are shorter than its prompts, and its tokenizer."""

    @cache
    def make(family: str) -> tuple[Any, BaseTokenizer]:
        folder = tiny_base(family)
        config = AutoConfig.from_pretrained(folder)
        config.initializer_range = 0.3  # scores far enough apart that rounding decides nothing
        config.tie_word_embeddings = False  # else it says the same token for ever
        if family == "gemma3":
            config.sliding_window = 8
            config.layer_types = ["sliding_attention", "full_attention"]
        torch.manual_seed(1)
        return AutoModelForCausalLM.from_config(config).eval(), BaseTokenizer(folder)

    return make


def run(
    writer: Decoder,
    requests: Sequence[Request],
    on_text: OnText = lambda _, __: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> list[Written]:
    """All of them, as one thread has them written."""
    return SharedDecoder(writer).write(requests, on_text, is_cancelled)


def decoder(made: Any, family: str = "gemma3", **limits: Any) -> Decoder:
    model, tokenizer = made(family)
    return Decoder(model, tokenizer, **limits)


def plain(made: Any, family: str, prompt: tuple[int, ...], tokens: int) -> tuple[int, ...]:
    """What transformers itself writes greedily."""
    model, tokenizer = made(family)
    ids = torch.tensor([prompt])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, eos_token_id=tokenizer.eos
    )
    return tuple(out[0, len(prompt) :].tolist())


def some(count: int, length: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Prompts of random ids, which share nothing."""
    chances = torch.Generator().manual_seed(seed)
    return [(1, *torch.randint(3, 300, (length + n,), generator=chances).tolist()) for n in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_replies_are_those_of_generate_token_for_token(made, family):
    long, other, short = some(3, 20)
    prompts = [long, long[:12], other, short[:2], long[:15] + other[3:9], other[:1], (*long, 7)]
    found = run(decoder(made, family), [Request(prompt, GREEDY) for prompt in prompts])
    for prompt, reply in zip(prompts, found, strict=True):
        expected = plain(made, family, prompt, 24)
        assert reply.ids == expected[: len(reply.ids)]
        assert len(reply.ids) == len(expected) or "\n\n" in reply.text


@pytest.mark.parametrize("family", FAMILIES)
def test_the_log_probability_is_that_of_one_plain_forward_pass(made, family):
    model, _ = made(family)
    for request in [Request(prompt, WILD, seed=3) for prompt in some(3, 15)]:
        (reply,) = run(decoder(made, family), [request])
        ids = torch.tensor([[*request.prompt, *reply.ids]])
        with torch.no_grad():
            scores = model(ids).logits[0, len(request.prompt) - 1 : -1].log_softmax(-1)
        expected = float(scores.gather(1, torch.tensor(reply.ids)[:, None]).sum())
        assert reply.log_prob == pytest.approx(expected, abs=1e-3)
        assert log_probs(model, request.prompt, [reply.ids]) == pytest.approx([expected], abs=1e-3)


limits_ = st.fixed_dictionaries(
    {
        "most_rows": st.integers(1, 5),
        "rows_bytes": st.sampled_from([1, 40_000, 1 << 30]),
        "prefixes_bytes": st.sampled_from([1, 20_000, 1 << 30]),
    }
)


def eight() -> list[Request]:
    """Requests of which some begin alike, of several lengths."""
    base = some(2, 25)
    return [
        Request(base[n % 2][: 6 + 3 * n], WILD.model_copy(update={"max_tokens": 4 + 2 * n}), seed=n) for n in range(8)
    ]


@pytest.fixture(scope="module")
def alone(made) -> list[Written]:
    """What each of `eight` says alone."""
    found = [run(decoder(made), [request])[0] for request in eight()]
    assert len({token for reply in found for token in reply.ids}) > 20, "they say something"
    return found


@settings(max_examples=10)
@given(limits_, st.permutations(range(8)))
def test_a_reply_depends_on_its_own_request_alone(made, alone, limits, order):
    requests = eight()
    together = run(decoder(made, **limits), [requests[n] for n in order])
    assert [reply.ids for reply in together] == [alone[n].ids for n in order]


def test_the_same_seed_repeats_a_reply_and_another_one_does_not(made):
    (prompt,) = some(1, 12)
    replies = run(decoder(made), [Request(prompt, WILD, seed=seed) for seed in (1, 1, 2)])
    assert replies[0] == replies[1] != replies[2]


def test_what_prompts_have_in_common_is_read_once(made):
    writer = decoder(made)
    (long,) = some(1, 200)
    prompts = [long[:n] for n in (60, 201, 100, 150, 201)] + [long[:120] + (5,) * 30]
    run(writer, [Request(prompt, GREEDY) for prompt in prompts])
    assert writer.prefixes.asked == sum(len(prompt) - 1 for prompt in prompts)
    assert writer.prefixes.read == 200 + 29
    run(writer, [Request(long[:180], GREEDY)])
    assert writer.prefixes.read == 200 + 29, "also by a later run"


def test_kept_beginnings_stay_within_their_memory(made):
    writer = decoder(made, prefixes_bytes=60_000)
    for prompt in some(12, 40):
        run(writer, [Request(prompt, GREEDY.model_copy(update={"max_tokens": 1}))])
        states = writer.prefixes.states(prompt[:-1])
        assert writer.prefixes.tokens * states.bytes_per_token <= 60_000
    assert writer.prefixes.tokens >= 80


def test_no_more_is_written_at_once_than_memory_allows(made):
    prompts = some(6, 30)
    how = GREEDY.model_copy(update={"max_tokens": 10})
    free, narrow = decoder(made), decoder(made, rows_bytes=46 * 2 * 512 * 2)
    together, tight = (run(writer, [Request(prompt, how) for prompt in prompts]) for writer in (free, narrow))
    assert [reply.ids for reply in tight] == [reply.ids for reply in together]
    assert free.steps <= 10 < narrow.steps and free.written == narrow.written


def test_one_that_is_done_makes_room_in_the_middle_of_the_others(made):
    prompts = some(4, 20)
    lengths = [20, 2, 2, 2]
    writer = decoder(made, most_rows=2)
    requests = [
        Request(prompt, GREEDY.model_copy(update={"max_tokens": length}))
        for prompt, length in zip(prompts, lengths, strict=True)
    ]
    run(writer, requests)
    assert writer.steps <= 20, "three short ones are written beside the long one"


def test_a_turn_ends_with_its_text_and_a_sequence_with_its_last_token(made, monkeypatch):
    model, tokenizer = made("gemma3")
    (prompt,) = some(1, 20)
    whole = run(decoder(made), [Request(prompt, GREEDY)])[0]
    assert whole.ended == "length" and len(whole.ids) == 24
    half = tokenizer.decode(whole.ids[:10])
    stopped = run(
        Decoder(model, tokenizer), [Request(prompt, GREEDY, is_complete=lambda text: len(text) >= len(half))]
    )[0]
    assert stopped.ended == "turn" and len(stopped.ids) <= 11 and whole.text.startswith(stopped.text)
    monkeypatch.setattr(tokenizer, "eos", whole.ids[5])
    monkeypatch.setattr(tokenizer, "ends", frozenset([whole.ids[5]]), raising=False)
    early = run(Decoder(model, tokenizer), [Request(prompt, GREEDY, is_complete=lambda text: False)])[0]
    assert early.ended == "turn" and early.ids == whole.ids[: whole.ids.index(whole.ids[5]) + 1]
    assert early.text == tokenizer.decode(early.ids[:-1])


def test_every_token_is_told_as_it_is_written_and_the_pieces_make_the_text(made):
    requests = [Request(prompt, WILD, seed=n) for n, prompt in enumerate(some(3, 20))]
    pieces: list[list[str]] = [[], [], []]
    replies = run(decoder(made), requests, lambda n, text: pieces[n].append(text))
    for told, reply in zip(pieces, replies, strict=True):
        assert len(told) == len(reply.ids)
        assert reply.text.startswith("".join(told)), "half a character is told when it is whole"


def test_a_run_that_is_cancelled_stops_at_the_next_step_with_what_there_is(made):
    writer = decoder(made, most_rows=2)
    asked = 0

    def enough() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    requests = [Request(prompt, GREEDY) for prompt in some(3, 20)]
    replies = run(writer, requests, is_cancelled=enough)
    assert writer.steps == 5 and not writer.busy
    assert sorted(len(reply.ids) for reply in replies) == [0, 5, 5]
    assert {reply.ended for reply in replies} == {"cancelled"}
    assert [r.ids for r in run(writer, requests)] == [r.ids for r in run(decoder(made), requests)], (
        "it goes on unharmed"
    )


def test_one_reply_may_be_cancelled_while_others_go_on(made):
    writer = decoder(made, most_rows=2)
    tickets = [writer.submit(Request(prompt, GREEDY)) for prompt in some(3, 20)]
    for _ in range(4):
        assert writer.step() == []
    stopped = writer.cancel(tickets[0])
    assert stopped is not None and len(stopped.ids) == 4 and stopped.ended == "cancelled"
    assert writer.cancel(tickets[0]) is None
    late = writer.submit(Request(some(1, 9, seed=4)[0], GREEDY))
    assert writer.cancel(late) is None, "it had not begun"
    done: dict[int, Written] = {}
    while writer.busy:
        done |= writer.step()
    assert sorted(done) == tickets[1:]
    expected = run(decoder(made), [Request(prompt, GREEDY) for prompt in some(3, 20)])
    assert [done[ticket].ids for ticket in tickets[1:]] == [reply.ids for reply in expected[1:]]


def test_a_run_that_breaks_leaves_nothing_behind(made):
    writer = decoder(made)
    requests = [Request(prompt, GREEDY) for prompt in some(2, 20)]

    def broken(place: int, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(writer, requests, broken)
    assert not writer.busy
    assert run(writer, requests) == run(decoder(made), requests)


def test_nothing_asked_is_nothing_written(made):
    assert run(decoder(made), []) == []
    assert decoder(made).step() == []


def test_a_model_whose_memory_is_not_keys_and_values_is_refused_by_name(made):
    model, tokenizer = made("llama")
    model.config.layer_types = ["linear_attention", "full_attention"]
    try:
        with pytest.raises(ModelError, match="linear_attention"):
            Decoder(model, tokenizer)
    finally:
        model.config.layer_types = None


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("jjjaaaaal"), st.integers(0, 300)), max_size=60))
def test_rows_keep_their_own_states_whoever_comes_and_goes(story):
    rows, expected, number = Rows(), [], 0
    for what, value in story:
        if what == "j" and len(rows) < 6:
            own = torch.arange(1, value + 1, dtype=torch.float32) + 1000 * number
            number += 1
            rows.join(States(((own.view(1, 1, -1, 1), -own.view(1, 1, -1, 1)),), value))
            expected.append(own)
        elif what == "a" and len(rows):
            new = torch.arange(len(rows), dtype=torch.float32) + 0.5
            keys, values = rows.cache.update(new.view(-1, 1, 1, 1), -new.view(-1, 1, 1, 1), 0)
            assert keys.shape == values.shape == (len(rows), 1, rows.mask.shape[1], 1)
            expected = [torch.cat([own, new[n : n + 1]]) for n, own in enumerate(expected)]
            for n, own in enumerate(expected):
                assert torch.equal(keys[n, 0, rows.mask[n], 0], own) and torch.equal(
                    values[n, 0, rows.mask[n], 0], -own
                )
            assert rows.positions[:, 0].tolist() == [len(own) - 1 for own in expected]
            rows.advance()
        elif what == "l" and len(rows):
            row = value % len(rows)
            expected[row] = expected[rows.leave(row)]
            expected.pop()
        assert rows.lengths == [len(own) for own in expected]


def test_the_reply_that_fits_its_context_is_preferred_to_one_that_fits_anywhere(made):
    model, _ = made("llama")
    scorer = SimpleNamespace(log_probs=partial(log_probs, model))
    opening = (1, 5)
    anywhere = run(decoder(made, "llama"), [Request(opening, GREEDY)])[0]
    other = Written(tuple(reversed(anywhere.ids)), "x", anywhere.log_prob, "length")
    assert fitting_best(scorer, opening, [anywhere, other], 0) is anywhere, "equals: the first"
    assert fitting_best(scorer, opening, [anywhere, other], 0.5) is other


def test_replies_of_all_lengths_are_scored_beside_one_another_as_alone(made, monkeypatch):
    model, _ = made("qwen3")
    replies = [(5, 6, 7, 8), (9,), (3, 4), (200, 100, 7)]
    alone = [log_probs(model, (1, 2, 3), [reply])[0] for reply in replies]
    assert log_probs(model, (1, 2, 3), replies) == pytest.approx(alone, abs=1e-4)
    monkeypatch.setattr("inference.reranking._SCORES", 2 * 4 * model.config.vocab_size)
    assert log_probs(model, (1, 2, 3), replies) == pytest.approx(alone, abs=1e-4)

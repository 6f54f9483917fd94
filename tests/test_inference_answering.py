"""Many conversations answered at once: seeds of their own, other settings when asked, the best of several."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from inference import writing
from inference.answering import Answering
from inference.engine import Request, Written
from inference.generator import BASE, Wish
from inference.local import LocalEngine
from tests.engines import publish
from twin.messages import Conversation, Turn
from twin.prompt import read_reply
from twin.registry import Registry
from twin.sections import Base, DatasetSettings, Reply
from twin.settings import Settings

WILD = Reply(temperature=1.5, top_p=1, max_tokens=12)


def asked(*texts: str) -> Conversation:
    return Conversation((Turn.of("other", texts),))


def opened(settings: Settings) -> Answering:
    """The local engine, unguarded."""
    return Answering.open(settings, LocalEngine.open(settings))


SEVERAL = [asked("hey"), asked("are you coming tonight?"), asked("hey"), Conversation(())]


@pytest.fixture
def generator(home, store, tiny_base) -> Iterator[Answering]:
    """The bare tiny base model, sampling wildly."""
    made = opened(home.model_copy(update={"base": Base(model=str(tiny_base())), "reply": WILD}))
    yield made
    made.close()


def written_by(generator: Answering, monkeypatch: Any) -> list[Sequence[Written]]:
    """What the engine writes from here on, a list for each of its runs."""
    runs: list[Sequence[Written]] = []
    write = generator._engine.write

    def recorded(requests: Sequence[Request], *how: Any) -> Sequence[Written]:
        runs.append(write(requests, *how))
        return runs[-1]

    monkeypatch.setattr(generator._engine, "write", recorded)
    return runs


def test_one_seed_repeats_every_answer_and_another_one_none(generator):
    first = generator.answer(SEVERAL, seed=1)
    assert generator.answer(SEVERAL, seed=1) == first
    assert generator.answer(SEVERAL, seed=2) != first
    assert generator.answer(SEVERAL) != generator.answer(SEVERAL), "without one, answers differ each time"
    assert first[0] != first[2], "the same question at another place is answered by another seed"
    assert generator.answer(SEVERAL[:2], seed=1) == first[:2], "whatever is asked beside it"


def test_settings_may_be_others_for_once(generator):
    greedy = generator.answer(SEVERAL, Reply(temperature=0, max_tokens=5), seed=1)
    assert generator.answer(SEVERAL, Reply(temperature=0, max_tokens=5), seed=2) == greedy
    assert generator.answer(SEVERAL, seed=1) != greedy


def test_progress_grows_to_one_while_replies_are_written(generator):
    told: list[float] = []
    generator.answer(SEVERAL, seed=1, on_progress=told.append)
    assert told == sorted(told) and told[0] > 0 and told[-1] == 1


def test_an_empty_answer_is_tried_again_with_another_seed_and_a_said_one_is_not(generator, monkeypatch):
    requests: list[Sequence[Request]] = []

    def run(wanted: Sequence[Request], *_: Any) -> list[Written]:
        requests.append(wanted)
        return [
            Written((5,), "" if n == 0 and len(requests) < 3 else "ok\n\n", -1.0, "turn") for n in range(len(wanted))
        ]

    monkeypatch.setattr(generator._engine, "write", run)
    assert [reply.bubbles for reply in generator.answer(SEVERAL[:3], seed=1)] == [("ok",)] * 3
    assert [len(wanted) for wanted in requests] == [3, 1, 1]
    assert len({wanted[0].seed for wanted in requests}) == 3
    requests.clear()
    assert generator.answer(SEVERAL[:1], Reply(temperature=0))[0].bubbles == (), "greedy would only say the same"
    assert len(requests) == 1


def test_of_several_candidates_the_one_is_sent_that_fits_best(generator, monkeypatch):
    runs = written_by(generator, monkeypatch)
    chosen: list[tuple[Sequence[int], Written]] = []
    best = writing.fitting_best

    def recorded(model: Any, opening: Sequence[int], replies: Sequence[Written], weight: float) -> Written:
        assert weight == 0.7 and len(replies) > 1
        chosen.append((opening, best(model, opening, replies, weight)))
        return chosen[-1][1]

    monkeypatch.setattr("inference.writing.fitting_best", recorded)
    how = WILD.model_copy(update={"candidates": 4, "rerank_weight": 0.7})
    replies = generator.answer(SEVERAL, how, seed=1)
    assert len(runs[0]) == 4 * len(SEVERAL) and len({written.ids for written in runs[0]}) > len(SEVERAL)
    tokenizer = generator._engine.tokenizer
    assert {tokenizer.decode(opening[len(tokenizer.bos) :]) for opening, _ in chosen} == {"Me:\n"}
    assert [reply.bubbles for reply in replies] == [read_reply(generator.prompt, said.text) for _, said in chosen]
    assert generator.answer(SEVERAL, how, seed=1) == replies


def test_candidates_are_read_once_and_greedy_writes_only_one(generator, monkeypatch):
    how = WILD.model_copy(update={"candidates": 3})
    generator.answer(SEVERAL[1:2], how, seed=1)
    prefixes = generator._engine.decoder.prefixes
    assert prefixes.asked >= 3 * prefixes.read
    runs = written_by(generator, monkeypatch)
    generator.answer(SEVERAL[:1], how.model_copy(update={"temperature": 0.0}))
    assert [len(run) for run in runs] == [1]


def test_a_message_more_in_a_conversation_costs_little_more_than_itself(generator):
    said: list[Turn] = []
    for number in range(6):
        said.append(Turn.of("other", [f"question {number} " * 4]))
        generator.answer([Conversation(tuple(said))], Reply(temperature=0, max_tokens=4))
        said.append(Turn.of("owner", [f"answer {number}"]))
    prefixes = generator._engine.decoder.prefixes
    longest = max(len(kept) for kept, _ in prefixes._kept)
    assert prefixes.read == longest, "no token was read twice"
    assert prefixes.asked > 3 * prefixes.read


def test_a_long_reply_leaves_its_context_half_of_the_budget(home, store, tiny_base, monkeypatch):
    rooms: list[int] = []
    encode = writing.encode_prompt

    def recorded(spec: Any, tokenizer: Any, conversation: Conversation, room: int) -> list[int]:
        rooms.append(room)
        return encode(spec, tokenizer, conversation, room)

    monkeypatch.setattr("inference.writing.encode_prompt", recorded)
    update = {"base": Base(model=str(tiny_base())), "dataset": DatasetSettings(context_tokens=128), "reply": WILD}
    made = opened(home.model_copy(update=update))
    made.answer(SEVERAL[:1], Reply(temperature=0, max_tokens=100))
    made.answer(SEVERAL[:1], Reply(temperature=0, max_tokens=20))
    made.close()
    assert rooms == [64, 20]


class Probed(LocalEngine):
    """A local engine whose probe says what a test wants; None: the truth."""

    told: dict[int, float] | None = None

    def probe(self) -> Mapping[int, float]:
        return super().probe() if self.told is None else self.told


@pytest.fixture
def serving(home, store, tiny_base) -> Iterator[tuple[Answering, Probed, Registry]]:
    """A twin with one random adapter that serves; a second one is there."""
    base = tiny_base()
    settings = home.model_copy(update={"base": Base(model=str(base)), "reply": Reply(temperature=0, max_tokens=8)})
    engine = Probed.open(settings)
    registry = Registry(settings.adapters, store.db)
    for seed in (1, 2):
        publish(registry, engine.identity, base, seed)
    registry.promote("v001", "test", time.time())
    made = Answering.open(settings, engine)
    assert made.adapter == "v001"
    registry.promote("v002", "test", time.time())
    yield made, engine, registry
    made.close()


def test_a_version_that_computes_what_the_one_before_did_is_refused_and_that_one_goes_on(serving):
    made, engine, registry = serving
    engine.told = dict(engine.probe())
    reply = made.reply(SEVERAL[0])
    assert reply.adapter == made.adapter == "v001"
    assert "the model says what it said before" in (made.refused or "")
    engine.told = None
    assert made.reply(SEVERAL[0]) == reply, "and it is not tried again and again"
    registry.promote("v001", "test", time.time())
    made.refresh()
    assert made.refused is None


def test_a_version_that_computes_no_numbers_is_refused_and_the_one_before_goes_on(serving):
    made, engine, _ = serving
    before = made.answer([SEVERAL[0]])
    engine.told = {5: float("nan")}
    made.refresh()
    engine.told = None
    assert made.adapter == "v001" and "computes no numbers" in (made.refused or "")
    assert made.answer([SEVERAL[0]]) == before, "with its own weights"


def test_a_version_that_is_asked_for_by_name_need_not_differ_from_the_base(serving):
    made, engine, _ = serving
    made.use(None)
    engine.told = dict(engine.probe())
    made.use("v002")
    assert made.adapter == "v002"


def test_who_wishes_for_another_version_changes_nothing_for_the_others(serving):
    made, _, registry = serving
    registry.promote("v001", "test", time.time())
    begun: list[str | None] = []
    prompt = made.prompt
    for version in ("v002", BASE):
        reply = made.reply(SEVERAL[0], Wish(version=version, on_begin=begun.append))
        assert reply.adapter == begun[-1] == (None if version == BASE else version)
        assert made.adapter == "v001" and made.prompt == prompt
    assert made.reply(SEVERAL[0], Wish(on_begin=begun.append)).adapter == "v001" == begun[-1]

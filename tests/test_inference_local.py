"""The local engine: one renderer, stops at the end of the turn, swaps between replies, refuses what does not fit."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace

import pytest

from inference.answering import Answering
from inference.generator import BASE, Wish
from inference.local import LocalEngine
from tests.chats import ANSWERS, fill
from training.dataset import build
from training.encode import windows
from training.fidelity.gather import Placed
from training.run import train
from twin.conversations import sessions
from twin.errors import AdapterError
from twin.messages import Conversation, Peer, Turn
from twin.prompt import encode_prompt
from twin.registry import Registry
from twin.sections import Base, DatasetSettings, Owner, Reply, Train

GREEDY = Reply(temperature=0, max_tokens=24)


def asked(*texts: str) -> Conversation:
    return Conversation((Turn.of("other", texts),))


ASKED = asked("are you coming tonight?")


@pytest.fixture
def trained(home, store, tiny_base):
    """`trained(seed=1)`: settings, registry and the version of a fresh adapter, which serves."""
    fill(store)
    settings = home.model_copy(update={"base": Base(model=str(tiny_base())), "reply": GREEDY})
    registry = Registry(settings.adapters, store.db)
    snapshot = build(store, settings)

    def run(seed: int = 0, epochs: int = 6, **sections):
        how = Train(epochs=epochs, learning_rate=2e-2, batch_tokens=256, seed=seed)
        done = train(
            settings.model_copy(update={"train": how, **sections}),
            snapshot,
            registry,
            say=lambda _: None,
            on_progress=lambda _: None,
            stop=threading.Event(),
        )
        if registry.current() != done.manifest.version:
            registry.promote(done.manifest.version, "test", time.time())
        return settings, registry, done.manifest.version

    return run


@pytest.fixture
def opened():
    """`opened(settings)`: a generator that is closed afterwards."""
    made = []

    def open_(settings):
        made.append(Answering.open(settings, LocalEngine.open(settings)))
        return made[-1]

    yield open_
    for generator in made:
        generator.close()


def test_without_an_adapter_the_bare_base_answers_and_says_so(home, tiny_base, opened):
    generator = opened(home.model_copy(update={"base": Base(model=str(tiny_base())), "reply": GREEDY}))
    assert generator.adapter is None and generator.refused is None
    assert generator.reply(ASKED).adapter is None


def test_a_trained_twin_answers_in_bubbles_with_the_owners_words(trained, opened):
    settings, _, version = trained(epochs=30)
    reply = opened(settings).reply(ASKED)
    assert reply.adapter == version
    assert reply.bubbles and all("\n" not in bubble and bubble.strip() for bubble in reply.bubbles)
    assert set(" ".join(reply.bubbles).split()) & set(" ".join(ANSWERS).split())


def test_a_batch_gives_what_single_questions_give(trained, opened):
    settings, _, _ = trained()
    generator = opened(settings)
    several = [ASKED, asked("hey"), asked("when?", "and where? " * 9), Conversation(())]
    assert generator.replies(several) == [generator.reply(conversation) for conversation in several]


def test_what_serving_asks_begins_what_training_saw_token_for_token(trained, opened, store):
    settings, _, _ = trained(epochs=1)
    generator = opened(settings)
    tokenizer = generator._engine.tokenizer
    told = {"peer": "name", "relation": True, "time_of_day": True, "gaps": True, "timezone": "Asia/Kolkata"}
    spec = replace(generator.prompt, **told)
    found = sessions(store.messages(7), peer=Peer("Anna", "friend"))
    assert len(found) == 30
    for session in found:
        (window,) = windows([session], spec, tokenizer)
        for context in Placed(session, 0).contexts():
            prompt = encode_prompt(spec, tokenizer, context.conversation, 50)
            assert list(window.ids[: len(prompt)]) == prompt
            assert window.supervised[len(prompt)] and not any(window.supervised[len(prompt) - 2 : len(prompt)])


def test_an_adapter_keeps_telling_what_it_was_taught_whatever_the_settings_say_now(trained, opened):
    settings, registry, version = trained(
        epochs=1,
        dataset=DatasetSettings(peer="pseudonym", gaps=True),
        owner=Owner(language="ru", timezone="Asia/Tokyo"),
    )
    kept = opened(settings.model_copy(update={"dataset": DatasetSettings(), "owner": Owner(language="de")})).prompt
    assert (kept.peer, kept.gaps, kept.timezone) == ("pseudonym", True, "Asia/Tokyo")
    assert kept == registry.verify(version).prompt


def test_the_bare_base_is_asked_as_the_settings_say(home, tiny_base, opened):
    settings = home.model_copy(update={"base": Base(model=str(tiny_base())), "owner": Owner(language="ru")})
    assert opened(settings).prompt.language == "ru"


def test_greedy_answers_repeat_and_seeded_samples_too(trained, opened):
    settings, _, _ = trained()
    generator = opened(settings.model_copy(update={"reply": Reply(temperature=1.5, max_tokens=12)}))
    first = generator.reply(ASKED, Wish(seed=3))
    assert generator.reply(ASKED, Wish(seed=3)) == first


def test_a_newly_promoted_adapter_answers_the_next_reply(trained, opened):
    settings, registry, first = trained()
    generator = opened(settings)
    assert generator.reply(ASKED).adapter == first
    _, _, second = trained(seed=1, epochs=12)
    assert generator.reply(ASKED).adapter == second
    assert list(generator._engine._model.peft_config) == [second], "the old adapter is dropped"
    registry.rollback(time.time())
    assert generator.reply(ASKED).adapter == first


def test_after_a_swap_the_answers_are_those_of_a_fresh_start(trained, opened):
    settings, _, _ = trained()
    swapped = opened(settings)
    swapped.reply(ASKED)
    trained(seed=5, epochs=12)
    assert swapped.reply(ASKED) == opened(settings).reply(ASKED)


def test_a_truncated_adapter_is_refused_with_the_reason_and_the_old_one_keeps_serving(trained, opened):
    settings, registry, first = trained()
    generator = opened(settings)
    _, _, second = trained(seed=1)
    weights = registry.path(second) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert generator.reply(ASKED).adapter == first
    assert "is truncated" in (generator.refused or "")
    fresh = opened(settings)
    assert fresh.adapter == first, "after a restart the one before serves too"
    assert "is truncated" in (fresh.refused or "")


def test_an_adapter_of_another_base_model_is_refused_and_named(trained, opened, tiny_base):
    settings, _, version = trained()
    other = opened(settings.model_copy(update={"base": Base(model=str(tiny_base("llama")))}))
    assert other.adapter is None
    assert f"The adapter {version} was trained on another base model" in (other.refused or "")


def test_an_adapter_of_another_quantization_is_refused(trained, opened):
    settings, _, _ = trained()
    plain = Base(model=settings.base.model, quantization="none")
    assert "another quantization (nf4)" in (opened(settings.model_copy(update={"base": plain})).refused or "")


def test_one_can_ask_for_a_version_or_for_the_bare_base(trained, opened):
    settings, _, first = trained()
    _, _, second = trained(seed=1)
    generator = opened(settings)
    assert generator.adapter == second
    assert generator.reply(ASKED, Wish(version=first)).adapter == first
    assert generator.reply(ASKED, Wish(version=BASE)).adapter is None
    with pytest.raises(AdapterError, match="There is no adapter"):
        generator.reply(ASKED, Wish(version="nope"))
    assert generator.reply(ASKED).adapter == second, "it was for once"
    generator.use(first)
    assert generator.reply(ASKED).adapter == first, "whatever is promoted"
    with pytest.raises(AdapterError, match="There is no adapter"):
        generator.use("nope")
    generator.use(None)
    assert generator.answer([ASKED])[0].adapter is None


def test_a_version_that_was_withdrawn_stops_serving_even_if_none_follows(trained, opened):
    settings, registry, first = trained()
    generator = opened(settings)
    assert generator.adapter == first
    registry.withdraw([first], time.time())
    generator.refresh()
    assert generator.adapter is None and generator.refused is None


def test_files_that_verify_but_do_not_load_leave_the_old_adapter_in_place(trained, opened, monkeypatch):
    settings, registry, first = trained()
    generator = opened(settings)
    _, _, second = trained(seed=1)
    monkeypatch.setattr(registry.__class__, "verify", lambda self, version, base=None: _manifest(self, first))
    shutil.copy(registry.path(first) / "adapter_config.json", registry.path(second))
    (registry.path(second) / "adapter_model.safetensors").write_bytes(b"not weights")
    reply = generator.reply(ASKED)
    assert reply.adapter == first and "cannot be loaded" in (generator.refused or "")


def _manifest(registry, version):
    from twin.manifest import Manifest

    return Manifest.read(registry.path(version))

"""QLoRA on tiny random-weight models: it learns, publishes plain PEFT folders, and promotes only what is better."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

import training.qlora as qlora
from inference.base_model import load_base
from tests.chats import START, fill
from tests.tiny import FAMILIES
from training.dataset import build
from training.encode import pack, windows
from training.fidelity.canaries import Canaries
from training.loss import summed_loss
from training.optimizer import default_epochs, schedule
from training.run import train
from twin.errors import AdapterError, TrainingError
from twin.messages import Message
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.sections import Base, Train


@pytest.fixture
def learn(home, store, tiny_base):
    """`learn(epochs=2)`: fill the database, train, return what came of it."""

    def run(family="gemma3", *, stop=None, on_progress=lambda _: None, **how):
        fill(store)
        chosen = home.model_copy(
            update={
                "base": Base(model=str(tiny_base(family))),
                "train": Train(**({"epochs": 4, "learning_rate": 1e-2, "batch_tokens": 256} | how)),
            }
        )
        registry = Registry(home.adapters, store.db)
        snapshot = build(store, chosen)
        stop = stop or threading.Event()
        done = train(chosen, snapshot, registry, say=lambda _: None, on_progress=on_progress, stop=stop)
        return chosen, registry, done

    return run


@pytest.mark.parametrize("family", FAMILIES)
def test_a_4_bit_model_of_every_family_learns_is_published_and_serves(learn, family):
    _, registry, trained = learn(family)
    metrics = trained.manifest.metrics
    assert metrics["val_bits_per_character"] < 0.9 * metrics["val_base_bits_per_character"]
    assert trained.promoted and registry.current() == trained.manifest.version
    registry.verify(trained.manifest.version)


def test_the_published_folder_loads_in_bare_peft_and_gives_the_measured_loss(learn, store):
    settings, registry, trained = learn()
    folder = registry.path(trained.manifest.version)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["r"] == 16 and config["lora_alpha"] == 32 and not config["modules_to_save"]
    base = load_base(settings)
    PeftModel.from_pretrained(base.model, folder).eval()
    snapshot = build(store, settings)
    rows = pack(windows(snapshot.sessions("val"), trained.manifest.prompt, base.tokenizer), 1024)
    with torch.no_grad():
        nats = sum(float(summed_loss(base.model, row, base.device)) for row in rows)
    mean = nats / sum(len(row.labels) for row in rows)
    assert mean == pytest.approx(trained.manifest.metrics["val_nats_per_token"], abs=2e-3)


def test_a_turn_too_long_to_be_learned_whole_is_counted(learn, store):
    store.add_dialog(8, None)
    long_ago = START - timedelta(days=30)
    store.write_messages([Message(8, 1, long_ago, 1, True, "so " * 2000)])
    assert learn(epochs=1)[2].manifest.metrics["truncated_turns"] == 1


def test_the_same_seed_gives_the_same_adapter(learn):
    first = learn(epochs=1)[2].manifest
    second = learn(epochs=1)[2].manifest
    assert first.files["adapter_model.safetensors"]["sha256"] == second.files["adapter_model.safetensors"]["sha256"]


def test_the_best_checkpoint_is_kept_not_the_last(learn):
    seen = []
    _, _, trained = learn(
        epochs=30, learning_rate=0.05, evaluations=10, on_progress=lambda p: seen.append(p.held_out.nats_per_token)
    )
    assert trained.manifest.metrics["val_nats_per_token"] == pytest.approx(min(seen), abs=1e-4)


def test_one_that_is_not_better_than_the_base_is_published_but_does_not_serve(learn):
    _, registry, trained = learn(learning_rate=1e-12, epochs=1)
    assert not trained.promoted and "not better than the base" in trained.reason
    assert registry.current() is None and trained.manifest.version in registry.versions()


def test_one_that_is_worse_than_the_champion_does_not_replace_it(learn):
    champion = learn()[2].manifest.version
    _, registry, challenger = learn(epochs=1, learning_rate=1e-3)
    assert not challenger.promoted and "worse than the adapter that serves" in challenger.reason
    assert registry.current() == champion


def test_a_time_budget_is_kept_and_the_rate_has_decayed_by_then(learn):
    progress = []
    begin = time.monotonic()
    _, _, trained = learn(epochs=100_000, max_seconds=10, on_progress=progress.append)
    assert time.monotonic() - begin < 30
    assert trained.manifest.metrics["steps"] > 5
    assert progress[-1].seconds_left == 0 and not trained.interrupted


def test_a_stop_leaves_the_best_state_published_but_not_serving(learn):
    stop = threading.Event()
    _, registry, trained = learn(epochs=1000, stop=stop, on_progress=lambda at: stop.set() if at.step == 20 else None)
    assert trained.interrupted and not trained.promoted and registry.current() is None
    registry.verify(trained.manifest.version)


def test_a_stop_before_anything_was_learned_leaves_nothing(learn, home):
    stop = threading.Event()
    stop.set()
    with pytest.raises(TrainingError, match="stopped before"):
        learn(stop=stop)
    assert not home.adapters.exists() or not list(home.adapters.iterdir())


def test_measuring_before_training_does_not_cost_the_gradients(home, tiny_base):
    """bitsandbytes repacks 4-bit weights at an evaluation-mode forward on some CPUs; gradients vanish then."""
    settings = home.model_copy(update={"base": Base(model=str(tiny_base()))})
    ids = torch.arange(3, 40)[None]

    def gradient(measure_first: bool) -> torch.Tensor:
        torch.manual_seed(0)
        base = load_base(settings)
        lora = qlora.add_lora(base, Train(dropout=0))
        if measure_first:
            base.model.eval()
            with torch.no_grad():
                base.model(input_ids=ids)
        lora.train()
        for name, weight in lora.named_parameters():
            if "lora_B" in name:
                torch.nn.init.constant_(weight, 0.01)
        base.model(input_ids=ids).logits.square().mean().backward()
        return next(w.grad for n, w in lora.named_parameters() if "lora_A" in n and "layers.0" in n)

    torch.testing.assert_close(gradient(True), gradient(False))


def test_the_rate_warms_up_then_falls_to_a_twentieth():
    rates = [schedule(step / 100, warmup=0.1) for step in range(101)]
    assert rates[0] < 0.05 and max(rates) == pytest.approx(1, abs=0.02) == pytest.approx(rates[10], abs=0.02)
    assert rates[100] == pytest.approx(0.05) and rates[10:] == sorted(rates[10:], reverse=True)
    assert [default_epochs(n) for n in (10, 1_000, 10_000)] == [3, 2, 1]


def test_quantized_weights_are_four_bit_and_frozen(home, tiny_base, monkeypatch):
    monkeypatch.setattr("inference.resident.MAX_PARAMETERS", 0)
    base = load_base(home.model_copy(update={"base": Base(model=str(tiny_base()))}))
    kinds = {type(module).__name__ for module in base.model.model.layers.modules()}
    assert "Linear4bit" in kinds and not any(weight.requires_grad for weight in base.model.parameters())
    plain = AutoModelForCausalLM.from_pretrained(tiny_base())
    assert base.parameters == sum(weight.numel() for weight in plain.parameters())
    assert PromptSpec().for_tokenizer(base.tokenizer.fingerprint).tokenizer


def test_an_audit_keeps_its_made_up_secrets_beside_the_adapter_and_never_serves(learn):
    _, registry, trained = learn(canaries=True)
    version = trained.manifest.version
    assert not trained.promoted and "audit" in trained.reason
    assert Canaries.load(registry.path(version)).planted
    with pytest.raises(AdapterError, match="made-up secrets"):
        registry.promote(version, "by hand", time.time())

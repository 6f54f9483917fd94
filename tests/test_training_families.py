"""Every family that people use, the whole way: trained in 4 bits, saved, loaded, swapped, asked, merged."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from inference.answering import Answering
from inference.base_model import load_base
from inference.local import LocalEngine
from inference.merge import merge
from tests.chats import fill
from tests.tiny import FAMILIES, MORE_FAMILIES
from training.dataset import build
from training.run import train
from twin.messages import Conversation, Turn
from twin.registry import Registry
from twin.sections import Base, Reply, Train
from twin.settings import Settings
from twin.store import Store

ASKED = Conversation((Turn.of("other", ["are you coming tonight?"]),))
IDS = torch.tensor([[1, 40, 41, 50, 60, 70]])


@pytest.mark.parametrize("family", [*FAMILIES, *MORE_FAMILIES])
def test_a_family_is_trained_in_4_bits_saved_loaded_swapped_asked_and_merged(
    home: Settings, store: Store, tiny_base: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    settings = home.model_copy(
        update={"base": Base(model=str(tiny_base(family))), "reply": Reply(temperature=0, max_tokens=12)}
    )
    fill(store, days=12)
    registry = Registry(home.adapters, store.db)
    first = learned(settings, store, registry)
    second = doubled(registry, first)
    assert holds_all_linear_layers(registry.path(first), tiny_base(family))
    generator = Answering.open(settings, LocalEngine.open(settings))
    generator.use(first)
    of_first = generator.answer([ASKED])[0]
    generator.use(second)
    assert generator.answer([ASKED])[0].adapter == second
    generator.use(first)
    assert generator.answer([ASKED])[0] == of_first and of_first.adapter == first
    generator.close()
    merge(registry.path(first), tiny_base(family), tmp_path / "merged")
    check_merged(tmp_path / "merged", tiny_base(family), registry.path(first))


def doubled(registry: Registry, version: str) -> str:
    """Another version, published: the same with twice the B matrices."""
    with registry.incoming() as folder:
        shutil.copy(registry.path(version) / "adapter_config.json", folder)
        weights = load_file(registry.path(version) / "adapter_model.safetensors")
        twice = {name: weight * (2 if "lora_B" in name else 1) for name, weight in weights.items()}
        save_file(twice, folder / "adapter_model.safetensors", {"format": "pt"})
        manifest = replace(registry.verify(version), version="twice", files={})
        return registry.publish(folder, manifest).version


def learned(settings: Settings, store: Store, registry: Registry) -> str:
    """The version of a fresh adapter, measured to have learned."""
    how = Train(epochs=2, learning_rate=2e-2, batch_tokens=256, rank=4, alpha=8, evaluations=1)
    done = train(
        settings.model_copy(update={"train": how}),
        build(store, settings),
        registry,
        say=lambda _: None,
        on_progress=lambda _: None,
        stop=threading.Event(),
    )
    metrics = done.manifest.metrics
    assert metrics["val_bits_per_character"] < 0.97 * metrics["val_base_bits_per_character"]
    registry.promote(done.manifest.version, "test", time.time())
    return done.manifest.version


def holds_all_linear_layers(folder: Path, base: Path) -> bool:
    """Whether bare peft finds a LoRA in the folder for every linear layer of the base model but its head."""
    model = AutoModelForCausalLM.from_pretrained(base)
    linear = {name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)} - {"lm_head"}
    lora = PeftModel.from_pretrained(model, folder)
    adapted = {name for name, part in lora.base_model.model.named_modules() if hasattr(part, "lora_A")}
    return adapted == linear


@torch.no_grad()
def check_merged(merged: Path, base: Path, adapter: Path) -> None:
    """A plain folder that gives what peft gives with base and adapter."""
    lora = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    expected = lora(input_ids=IDS).logits
    plain: Any = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)
    torch.testing.assert_close(plain(input_ids=IDS).logits, expected, atol=1e-3, rtol=0)
    with lora.disable_adapter():
        assert (lora(input_ids=IDS).logits - expected).abs().max() > 0.01


@pytest.mark.parametrize("quantization", ["int8", "none"])
def test_a_twin_trained_at_another_precision_serves_at_that_one_alone(
    home: Settings, store: Store, tiny_base: Callable[[str], Path], quantization: Any
) -> None:
    base = Base(model=str(tiny_base("qwen3")), quantization=quantization)
    settings = home.model_copy(update={"base": base, "reply": Reply(temperature=0, max_tokens=12)})
    fill(store, days=12)
    registry = Registry(home.adapters, store.db)
    version = learned(settings, store, registry)
    generator = Answering.open(settings, LocalEngine.open(settings))
    assert generator.adapter == version and generator.answer([ASKED])[0].adapter == version
    generator.close()
    assert load_base(settings).identity.quantization == quantization
    elsewhere = settings.model_copy(update={"base": Base(model=str(tiny_base("qwen3")))})
    other = Answering.open(elsewhere, LocalEngine.open(elsewhere))
    assert other.adapter is None and f"another quantization ({quantization})" in (other.refused or "")
    other.close()

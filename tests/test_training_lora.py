"""Kinds of LoRA and of starting one: each ends as a plain PEFT folder over the untouched base model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.utils.integrations import dequantize_module_weight
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from inference.base_model import LoadedBase, load_base
from training.lora import add_lora
from twin.errors import SettingsError
from twin.sections import Base, Train
from twin.settings import Settings, load_settings

IDS = torch.arange(3, 35)[None]
Loaded = Callable[[str], LoadedBase]


@pytest.fixture
def loaded(home: Settings, tiny_base: Callable[[str], Path]) -> Loaded:
    """`loaded("nf4")`: a tiny base model, held so."""

    def load(quantization: str) -> LoadedBase:
        base = Base(model=str(tiny_base("llama")), quantization=quantization)  # type: ignore[arg-type]
        return load_base(home.model_copy(update={"base": base}))

    return load


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    model.eval()
    found: torch.Tensor = model(input_ids=IDS).logits[0]
    return found


def some_steps(lora: PeftModel, steps: int = 4) -> None:
    learning = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2, weight_decay=0.0)
    lora.train()
    for _ in range(steps):
        lora(input_ids=IDS, labels=IDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("quantization", ["nf4", "int8", "none"])
@pytest.mark.parametrize(
    ("kind", "init"),
    [("lora", "default"), ("rslora", "default"), ("dora", "default"), ("lora", "pissa"), ("rslora", "pissa")],
)
def test_a_saved_adapter_of_any_kind_computes_the_same_on_a_fresh_base_in_bare_peft(
    loaded: Loaded, tmp_path: Path, quantization: str, kind: str, init: str
) -> None:
    base = loaded(quantization)
    bare = logits(base.model)
    lora = add_lora(base, Train(rank=4, alpha=8, lora=kind, init=init))  # type: ignore[arg-type]
    torch.testing.assert_close(logits(lora), bare, atol=2e-3, rtol=0)
    some_steps(lora)
    lora.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(loaded(quantization).model, tmp_path)
    torch.testing.assert_close(logits(again), logits(lora), atol=1e-5, rtol=0)
    assert (logits(lora) - bare).abs().max() > 0.1
    torch.testing.assert_close(logits(lora.unload()), bare, atol=0, rtol=0)


def test_what_is_saved_says_its_kind_as_peft_does(loaded: Loaded, tmp_path: Path) -> None:
    for kind, told in (("lora", (False, False)), ("rslora", (True, False)), ("dora", (False, True))):
        add_lora(loaded("nf4"), Train(rank=4, lora=kind)).save_pretrained(tmp_path / kind)  # type: ignore[arg-type]
        config = json.loads((tmp_path / kind / "adapter_config.json").read_text())
        assert (config["use_rslora"], config["use_dora"]) == told
        assert not config["modules_to_save"] and config["bias"] == "none" and type(config["lora_alpha"]) is int


def test_a_plain_adapter_holds_nothing_that_vllm_refuses(loaded: Loaded, tmp_path: Path) -> None:
    """Its rules: LoRA matrices of linear layers and nothing else, no bias, no DoRA, no whole or trained rows."""
    add_lora(loaded("nf4"), Train()).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    linear = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert (
        {name.split(".")[-1] for name in config["target_modules"]} == linear
        and config["r"] <= 16
        and config["peft_type"] == "LORA"
    )
    assert not any(config[name] for name in ("modules_to_save", "use_dora", "trainable_token_indices", "lora_bias"))
    shape = re.compile(r"base_model\.model\.model\.layers\.\d+\.\w+\.(\w+)\.lora_[AB]\.weight")
    with safe_open(tmp_path / "adapter_model.safetensors", framework="pt") as tensors:
        found = [shape.fullmatch(name) for name in tensors.keys()]  # noqa: SIM118 - no mapping
    assert {match[1] for match in found if match} == linear and all(found)


@pytest.mark.parametrize("kind", ["lora", "rslora"])
def test_pissa_starts_from_the_strongest_directions_and_moves_only_its_own_half(loaded: Loaded, kind: str) -> None:
    lora = add_lora(loaded("none"), Train(rank=4, alpha=8, dropout=0, init="pissa", lora=kind))  # type: ignore[arg-type]
    layer = lora.base_model.model.model.layers[0].self_attn.q_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    weight = layer.get_base_layer().weight
    left, values, right = torch.linalg.svd(weight)
    best = left[:, :4] * values[:4] @ right[:4]
    left_over = (weight - layer.scaling["default"] * (b[:, :4] @ a[:4])).norm()
    assert left_over < 1.03 * (weight - best).norm() < 0.98 * weight.norm()
    before_a, before_b = a.detach().clone(), b.detach().clone()
    some_steps(lora)
    assert torch.equal(a[4:], before_a[4:]) and torch.equal(b[:, 4:], before_b[:, 4:])
    assert not torch.equal(a[:4], before_a[:4]) and not torch.equal(b[:, :4], before_b[:, :4])


@pytest.mark.parametrize("alpha", [4, 16])
def test_loftq_brings_4_bit_weights_nearer_to_the_whole_ones(
    loaded: Loaded, tiny_base: Callable[[str], Path], tmp_path: Path, alpha: int
) -> None:
    lora = add_lora(loaded("nf4"), Train(rank=8, alpha=alpha, init="loftq"))
    whole = AutoModelForCausalLM.from_pretrained(tiny_base("llama"), dtype=torch.float32)
    for name in ("self_attn.q_proj", "mlp.down_proj"):
        wanted = whole.model.layers[1].get_submodule(name).weight
        layer = lora.base_model.model.model.layers[1].get_submodule(name)
        kept = dequantize_module_weight(layer.get_base_layer())
        assert (wanted - kept - layer.get_delta_weight("default")).norm() < 0.85 * (wanted - kept).norm()
    some_steps(lora)
    lora.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(loaded("nf4").model, tmp_path)
    torch.testing.assert_close(logits(again), logits(lora), atol=1e-5, rtol=0)


def test_loftq_without_4_bit_weights_is_refused_by_the_settings(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_TRAIN__INIT", "loftq")
    monkeypatch.setenv("TWIN_BASE__QUANTIZATION", "int8")
    with pytest.raises(SettingsError, match=r'corrects what base\.quantization = "nf4" loses'):
        load_settings()

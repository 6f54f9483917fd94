"""The planner against what autograd keeps and what processes really held, and what it says when nothing fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny import FAMILIES, make_tokenizer
from training.plan import GIB, MIB, How, Shape, kept, longest_fitting, need, plan, remedies, weights
from training.shape import shape_of

# Llama 3 8B, counted from its published configuration.
LLAMA_8B = Shape(
    linear=6_979_321_856,
    other=1_050_939_392,
    largest=58_720_256,
    lora_per_rank=2_621_440,
    lora_inputs=32 * (6 * 4096 + 14336),
    lora_inputs_shared=32 * (3 * 4096 + 14336),
    adapted=224,
    norms=65 * 4096,
    layers=32,
    hidden=4096,
    heads=32,
    attention=4096,
    inner=14336,
    gated=True,
    vocabulary=128256,
)
CARD = How("cuda", "nf4", 2, 16, True)
CPU = How("cpu", "nf4", 4, 16, True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shape_read_without_weights_counts_the_weights_of_the_real_model(family, tiny_base):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    shape = shape_of(tiny_base(family))
    model = AutoModelForCausalLM.from_pretrained(tiny_base(family))
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    lora = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    assert shape.lora_per_rank * 4 == sum(w.numel() for w in lora.parameters() if w.requires_grad)


@pytest.mark.parametrize("dropout", [0.0, 0.05])
@pytest.mark.parametrize("family", ["gemma3", "llama"])
def test_what_a_row_keeps_for_the_backward_pass_is_what_was_worked_out(family, dropout, home, tiny_base):
    from inference.base_model import has_bf16, load_base
    from training.encode import Row
    from training.lora import add_lora
    from training.loss import summed_loss
    from twin.sections import Base, Train

    base = load_base(home.model_copy(update={"base": Base(model=str(tiny_base(family)))}))
    lora = add_lora(base, Train(dropout=dropout))
    lora.train()
    known = {tensor.untyped_storage().data_ptr() for tensor in (*lora.parameters(), *lora.buffers())}
    seen: dict[int, torch.Tensor] = {}

    def look(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in known:
            seen[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    tokens = 512
    row = Row(list(range(3, 259)) * 2, list(range(tokens)), list(range(100)), [5] * 100, 1, 100)
    with torch.autograd.graph.saved_tensors_hooks(look, lambda tensor: tensor):
        loss = summed_loss(base.model, row, base.device)
    assert loss.requires_grad
    measured = sum(tensor.untyped_storage().nbytes() for tensor in seen.values())
    how = replace(CPU, width=2 if has_bf16(base.device) else 4, dropout=dropout > 0)
    assert kept(shape_of(tiny_base(family)), how, tokens) == pytest.approx(measured, rel=0.2)


def test_fewer_bits_a_weight_take_less_and_four_take_the_papers_figure():
    held = [weights(LLAMA_8B, replace(CARD, quantization=kind)) for kind in ("nf4", "int8", "none")]
    assert held == sorted(held)
    # Dettmers et al. 2023: 0.127 bits a weight of constants with double quantization
    assert 8 * (held[0] - 2 * LLAMA_8B.other) / LLAMA_8B.linear == pytest.approx(4.127, abs=0.001)


@given(st.sampled_from([CARD, CPU]), st.integers(1, 64), st.booleans())
def test_longer_rows_never_need_less_and_checkpointing_never_more(how, blocks, checkpointing):
    tokens = 128 * blocks
    assert (
        need(LLAMA_8B, how, tokens, checkpointing=checkpointing).total
        <= need(LLAMA_8B, how, tokens + 128, checkpointing=checkpointing).total
    )
    assert (
        need(LLAMA_8B, how, tokens, checkpointing=True).total <= need(LLAMA_8B, how, tokens, checkpointing=False).total
    )


@given(st.integers(GIB // 2, 96 * GIB), st.sampled_from([CARD, CPU]), st.integers(128, 8192), st.integers(64, 65536))
def test_a_plan_that_fits_is_within_the_memory_and_holds_the_longest_window(memory, how, longest, batch):
    found = plan(LLAMA_8B, how, memory, longest=longest, batch_tokens=batch)
    assert found.row_tokens >= longest
    assert found.fits == (found.need.total <= memory)
    assert found.need == need(LLAMA_8B, how, found.row_tokens, checkpointing=found.checkpointing)


def test_checkpointing_comes_only_when_memory_is_short_and_then_helps():
    chosen = [plan(LLAMA_8B, CARD, size * GIB, longest=1024, batch_tokens=4096) for size in (6, 16, 80)]
    assert [found.fits for found in chosen] == [False, True, True]
    assert not chosen[2].checkpointing and chosen[2].row_tokens == 4096
    assert chosen[1].checkpointing or chosen[1].row_tokens < 4096


def test_what_is_advised_when_nothing_fits_was_worked_out_to_fit():
    whole = replace(CARD, quantization="none")
    assert 'base.quantization = "nf4"' in remedies(LLAMA_8B, whole, 12 * GIB, 1024)
    longest = longest_fitting(LLAMA_8B, CARD, 9 * GIB)
    assert f"dataset.context_tokens = {longest} instead of 100000" in remedies(LLAMA_8B, CARD, 9 * GIB, 100_000)
    assert need(LLAMA_8B, CARD, longest, checkpointing=True).total <= 9 * GIB
    assert remedies(LLAMA_8B, CARD, 100 * MIB, 1024) == ["a smaller base.model, or a machine with more memory"]


def test_the_verb_plans_for_this_machine_and_for_a_card_that_is_not_here(run_twin, home, tiny_base, monkeypatch):
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base()))
    here = json.loads(run_twin("plan", "--json").out)
    assert here["fits"] and here["device"] == "cpu" and not here["checkpointing"]
    assert here["need_bytes"]["total"] == sum(v for k, v in here["need_bytes"].items() if k != "total")
    absent = run_twin("plan", "--gpu-memory", "24")
    assert absent.code == 0 and "worked out, not measured" in absent.out
    small = run_twin("plan", "--gpu-memory", "0.2")
    assert small.code == 1 and "What would help" in small.out


def test_a_model_that_is_not_here_is_refused_with_a_sentence(run_twin, home, monkeypatch, tmp_path):
    monkeypatch.setenv("TWIN_BASE__MODEL", "nobody/has-this-model")
    ran = run_twin("plan")
    assert ran.code == 2 and "is not on this machine" in ran.err
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tmp_path))
    assert run_twin("plan").code == 2


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("tokens", [512, 1024])
def test_a_real_process_holds_what_was_worked_out_within_a_fifth(tokens, checkpointing, tmp_path):
    from inference.base_model import has_bf16

    folder = middle_sized(tmp_path / "base")
    command = [sys.executable, str(Path(__file__).with_name("measured_peak.py")), str(folder), str(tokens)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    ran = subprocess.run(
        [*command, str(int(checkpointing))], env=environment, capture_output=True, text=True, check=True, timeout=900
    )
    how = replace(CPU, width=2 if has_bf16(torch.device("cpu")) else 4)
    expected = need(shape_of(folder), how, tokens, checkpointing=checkpointing).total
    assert expected == pytest.approx(int(ran.stdout), rel=0.2)


def middle_sized(folder: Path) -> Path:
    """A Llama of 23 million random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir()
    make_tokenizer(folder)
    shape = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 8}
    LlamaForCausalLM(LlamaConfig(vocab_size=8000, num_key_value_heads=4, **shape)).save_pretrained(folder)
    return folder

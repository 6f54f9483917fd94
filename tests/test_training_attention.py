"""Attention in blocks is plain attention: same loss, same gradients, side by side and in sliding windows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM

import training.attention
from training.attention import attend, use_fastest
from training.encode import Window, pack
from training.loss import summed_loss

CPU = torch.device("cpu")


def row_of(*lengths: int):
    draw = torch.Generator().manual_seed(len(lengths))
    found = []
    for length in lengths:
        ids = tuple(torch.randint(3, 250, (length,), generator=draw).tolist())
        found.append(Window(ids, (False, *(True,) * (length - 1)), turns=1, characters=length))
    (row,) = pack(found, sum(lengths))
    return row


@pytest.fixture
def calls(monkeypatch):
    """How many blocks were attended to, of sixteen tokens each."""
    seen = []
    fused = training.attention._fused
    monkeypatch.setattr(training.attention, "_BLOCK", 16)
    monkeypatch.setattr(training.attention, "_fused", lambda *all_: seen.append(all_) or fused(*all_))
    return seen


def loss_and_gradients(model, row):
    weights = [layer.self_attn.v_proj.weight for layer in model.model.layers]
    loss = summed_loss(model, row, CPU)
    return float(loss.detach()), torch.autograd.grad(loss, weights)


@pytest.mark.parametrize("family", ["gemma3", "llama", "qwen3", "mistral"])
@pytest.mark.parametrize("lengths", [(75,), (40, 21, 9, 5)], ids=["one conversation", "four side by side"])
def test_loss_and_gradients_are_those_of_whole_rows(tiny_base, family, lengths, calls, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(tiny_base(family), dtype=torch.float64).eval()
    row = row_of(*lengths)
    with monkeypatch.context() as without:
        without.setattr("training.loss.use_fastest", lambda _: None)
        expected, expected_gradients = loss_and_gradients(model, row)
    assert not calls
    got, gradients = loss_and_gradients(model, row)
    assert len(calls) == 5 * len(model.model.layers)
    assert got == pytest.approx(expected, rel=1e-9)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


def test_a_block_is_multiplied_only_with_the_keys_that_it_may_see(tiny_base, calls):
    model = AutoModelForCausalLM.from_pretrained(tiny_base("llama")).eval()
    summed_loss(model, row_of(32, 16, 16), CPU)
    keys = [key.shape[1] for _, key, *_ in calls[:4]]
    assert keys == [16, 32, 16, 16]


@pytest.mark.parametrize("heads", [1, 4])
def test_short_bf16_rows_are_multiplied_out_to_the_same_values(heads, calls):
    draw = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, n, 50, 8, generator=draw) for n in (4, heads, heads))
    module = torch.nn.Module()
    module.num_key_value_groups = 4 // heads  # type: ignore[assignment]
    exact, _ = attend(module, query, key, value, None, scaling=0.3)
    assert calls
    calls.clear()
    rounded, _ = attend(module, query.bfloat16(), key.bfloat16(), value.bfloat16(), None, scaling=0.3)
    assert not calls
    torch.testing.assert_close(rounded.float(), exact, rtol=0.05, atol=0.05)


def test_generation_and_foreign_attention_are_left_alone(tiny_base, calls):
    falcon = AutoModelForCausalLM.from_pretrained(tiny_base("falcon"))
    before = falcon.config._attn_implementation
    use_fastest(falcon)
    assert falcon.config._attn_implementation == before
    llama = AutoModelForCausalLM.from_pretrained(tiny_base("llama")).eval()
    prompt = torch.arange(3, 11)[None]
    expected = llama.generate(prompt, max_new_tokens=4, do_sample=False, pad_token_id=0)
    use_fastest(llama)
    assert llama.generate(prompt, max_new_tokens=4, do_sample=False, pad_token_id=0).tolist() == expected.tolist()
    assert not calls


@pytest.mark.parametrize(
    ("device", "dtype", "installed", "expected"),
    [
        ("cuda", torch.bfloat16, True, "flash_attention_2"),
        ("cuda", torch.bfloat16, False, "sdpa"),
        ("cuda", torch.float32, True, "sdpa"),
        ("cpu", torch.bfloat16, True, "twin_blocks"),
    ],
)
def test_flash_attention_is_chosen_on_a_card_with_bf16_that_has_the_package(
    device, dtype, installed, expected, monkeypatch
):
    monkeypatch.setattr(training.attention, "is_flash_attn_2_available", lambda: installed)
    chosen = training.attention.implementation(torch.device(device), dtype, backend=True, flash=True)
    assert chosen == expected
    unable = training.attention.implementation(torch.device(device), dtype, backend=False, flash=False)
    assert unable == "sdpa"


def test_flash_attention_stays_for_a_backward_pass_and_goes_after_a_measurement(tiny_base, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(tiny_base("llama")).eval()
    used = []
    monkeypatch.setattr(training.attention, "implementation", lambda *_, **__: "flash_attention_2")
    monkeypatch.setattr(model.model, "forward", lambda **_: used.append(model.config._attn_implementation) or hidden)
    hidden = SimpleNamespace(last_hidden_state=torch.zeros(1, 8, model.config.hidden_size))
    summed_loss(model, row_of(8), CPU)
    assert model.config._attn_implementation == "flash_attention_2"
    with torch.no_grad():
        summed_loss(model, row_of(8), CPU)
    assert used == ["flash_attention_2"] * 2 and model.config._attn_implementation == "sdpa"

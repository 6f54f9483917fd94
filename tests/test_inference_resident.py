"""Dequantized weights are the quantized ones: same logits, same adapters, and only where there is room."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft import PeftModel

import inference.base_model
import inference.resident
from inference.base_model import has_bf16, load_base
from training.encode import Window, pack
from training.evaluate import held_out_loss
from training.lora import add_lora
from training.loss import summed_loss
from twin.sections import Base, Train

CPU = torch.device("cpu")
IDS = tuple(range(3, 43))
(ROW,) = pack([Window(IDS, (False,) + (True,) * 39, turns=1, characters=99)], 64)


def kinds(model) -> set[str]:
    return {type(module).__name__ for module in model.modules() if isinstance(module, torch.nn.Linear)}


@pytest.fixture
def settings(home, tiny_base):
    return home.model_copy(update={"base": Base(model=str(tiny_base("llama")))})


@pytest.fixture
def quantized(settings, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(inference.base_model, "keep_dequantized", lambda *_: False)
        return load_base(settings)


def test_a_small_model_on_a_cpu_has_plain_layers_with_the_same_logits(settings, quantized):
    base = load_base(settings)
    assert kinds(base.model) == {"Linear"} and "Linear4bit" in kinds(quantized.model)
    assert base.identity == quantized.identity
    with torch.no_grad():
        ours, theirs = (one.model(input_ids=torch.tensor([IDS])).logits for one in (base, quantized))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_an_adapter_trained_on_plain_layers_serves_on_quantized_ones(settings, quantized, tmp_path):
    base = load_base(settings)
    torch.manual_seed(0)
    lora = add_lora(base, Train(rank=4, dropout=0.0))
    optimizer = torch.optim.SGD([weight for weight in lora.parameters() if weight.requires_grad], lr=0.5)
    for _ in range(3):
        summed_loss(base.model, ROW, CPU).div(39).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        learned = float(summed_loss(base.model, ROW, CPU))
        before = float(summed_loss(quantized.model, ROW, CPU))
        lora.save_pretrained(tmp_path)
        served = PeftModel.from_pretrained(quantized.model, tmp_path).eval()
        assert float(summed_loss(served.base_model.model, ROW, CPU)) == pytest.approx(learned, rel=1e-4)
    assert learned < 0.999 * before


def test_in_four_bits_a_measurement_leaves_the_weights_as_they_were_trained_on(quantized):
    lora = add_lora(quantized, Train(rank=4, dropout=0.0))
    first = [weight for name, weight in lora.named_parameters() if "layers.0" in name and "lora_B" in name]

    def gradients():
        lora.train()
        return torch.autograd.grad(summed_loss(quantized.model, ROW, CPU), first)

    before = gradients()
    held_out = held_out_loss(quantized.model, [ROW], CPU)
    assert held_out.nats > 0
    for ours, theirs in zip(gradients(), before, strict=True):
        assert ours.abs().max() > 0
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("scarce", ["parameters", "memory"])
def test_where_there_is_no_room_weights_stay_in_four_bits(settings, scarce, monkeypatch):
    if scarce == "parameters":
        monkeypatch.setattr(inference.resident, "MAX_PARAMETERS", 1000)
    else:
        monkeypatch.setattr(inference.resident.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    model = load_base(settings).model
    assert any(isinstance(module, Linear4bit) for module in model.modules())


@pytest.mark.parametrize(
    ("able", "expected"), [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True}, False)]
)
def test_only_cpus_that_multiply_bf16_themselves_compute_in_it(able, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert has_bf16(CPU) is expected


def test_in_bf16_the_loss_is_that_of_fp32_and_what_learns_stays_fp32(settings, monkeypatch):
    exact = load_base(settings)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    base = load_base(settings)
    assert base.model.dtype == torch.bfloat16
    lora = add_lora(base, Train(rank=4))
    assert {weight.dtype for weight in lora.parameters() if weight.requires_grad} == {torch.float32}
    lora.eval()
    loss = summed_loss(base.model, ROW, CPU)
    loss.backward()
    with torch.no_grad():
        assert float(loss.detach()) == pytest.approx(float(summed_loss(exact.model, ROW, CPU)), rel=0.005)
    assert all(weight.grad is not None for name, weight in lora.named_parameters() if "lora_B" in name)


def test_a_reply_in_bf16_begins_with_the_likeliest_token_of_the_whole_row(settings, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    model = load_base(settings).model
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([IDS])).logits[0, -1]
        last = model(input_ids=torch.tensor([IDS]), logits_to_keep=1).logits[0, -1]
    torch.testing.assert_close(last, whole, rtol=0.02, atol=0.02)

"""The fast loss is the plain loss: same value, same gradients, for packed rows and for every family."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM

import training.loss
from tests.tiny import FAMILIES
from training.encode import Window, pack
from training.loss import check_head, summed_loss
from twin.errors import ModelError

CPU = torch.device("cpu")


def some_windows(count: int, seed: int = 0) -> list[Window]:
    draw = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        length = int(torch.randint(5, 40, (), generator=draw))
        ids = (1, *torch.randint(3, 250, (length,), generator=draw).tolist())
        supervised = (False, *(torch.rand(length, generator=draw) < 0.5).tolist())
        found.append(Window(ids, supervised, turns=1, characters=length))
    return found


def plain_loss(model, found) -> torch.Tensor:
    """Each window alone, full logits, no packing: what a textbook would write."""
    total = torch.zeros((), dtype=torch.float64)
    for window in found:
        ids = torch.tensor([window.ids])
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, :-1]
        wanted = torch.where(torch.tensor(window.supervised[1:]), ids[0, 1:], -100)
        total = total + cross_entropy(logits, wanted, ignore_index=-100, reduction="sum")
    return total


@pytest.fixture
def model_of(tiny_base):
    def load(family):
        model = AutoModelForCausalLM.from_pretrained(tiny_base(family), dtype=torch.float64).eval()
        model.requires_grad_(False)
        model.get_input_embeddings().register_forward_hook(lambda _m, _i, out: out.requires_grad_())
        for layer in model.model.layers:
            layer.mlp.up_proj.weight.requires_grad_()
        return model

    return load


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("chunk_bytes", [1, 4 * 320 * 7, 1 << 28], ids=["row by row", "uneven chunks", "one chunk"])
def test_loss_and_gradients_equal_the_plain_ones_to_six_digits(model_of, family, chunk_bytes, monkeypatch):
    monkeypatch.setattr(training.loss, "_CHUNK_BYTES", chunk_bytes)
    model, found = model_of(family), some_windows(6)
    weights = [layer.mlp.up_proj.weight for layer in model.model.layers]
    expected = plain_loss(model, found)
    expected_gradients = torch.autograd.grad(expected, weights)
    total = sum(summed_loss(model, row, CPU) for row in pack(found, 90))
    gradients = torch.autograd.grad(total, weights)
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    for got, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-9)


def test_a_packed_neighbour_changes_nothing(model_of):
    model, (first, second) = model_of("gemma3"), some_windows(2, seed=3)
    alone = sum(float(summed_loss(model, row, CPU).detach()) for row in pack([first], 100) + pack([second], 100))
    (together,) = pack([first, second], 100)
    assert float(summed_loss(model, together, CPU).detach()) == pytest.approx(alone, rel=1e-9)


def test_without_gradients_only_the_loss_is_computed(model_of):
    model = model_of("llama")
    with torch.no_grad():
        loss = summed_loss(model, pack(some_windows(3), 200)[0], CPU)
    assert not loss.requires_grad and loss > 0


def test_a_family_whose_head_is_more_than_a_matrix_is_refused_by_name(model_of):
    check_head(model_of("qwen3"), CPU)
    capped = Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=320,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            final_logit_softcapping=0.01,
        )
    ).eval()
    with pytest.raises(ModelError, match="family 'gemma2'"):
        check_head(capped, CPU)

"""The fast loss is the plain loss: same value, same gradients, for packed rows and for every family."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, FalconConfig

import training.loss
from inference.head import Head
from tests.tiny import FAMILIES, MORE_FAMILIES
from training.encode import Window, pack
from training.lora import rows_of
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


def inner_weights(model) -> list[torch.Tensor]:
    """One matrix of every layer, whatever its family calls it."""
    names = ("up_proj.weight", "gate_up_proj.weight", "dense_h_to_4h.weight", "fc1.weight")
    found = [weight for name, weight in model.named_parameters() if name.endswith(names)]
    assert len(found) == model.config.num_hidden_layers
    return found


@pytest.fixture
def model_of(tiny_base):
    def load(family):
        model = AutoModelForCausalLM.from_pretrained(tiny_base(family), dtype=torch.float64).eval()
        model.requires_grad_(False)
        model.get_input_embeddings().register_forward_hook(lambda _m, _i, out: out.requires_grad_())
        for weight in inner_weights(model):
            weight.requires_grad_()
        return model

    return load


@pytest.mark.parametrize("family", [*FAMILIES, *MORE_FAMILIES])
def test_loss_and_gradients_equal_the_plain_ones_to_six_digits_in_every_family(model_of, family, monkeypatch):
    monkeypatch.setattr(training.loss, "_TILE_BYTES", (8 * 30 * 7,) * 2)
    check_equal(model_of(family))


@pytest.mark.parametrize("family", ["gemma2", "phi2"])
@pytest.mark.parametrize("tile_bytes", [1, 1 << 28], ids=["token by token", "all at once"])
def test_loss_and_gradients_do_not_depend_on_the_size_of_a_tile(model_of, family, tile_bytes, monkeypatch):
    monkeypatch.setattr(training.loss, "_TILE_BYTES", (tile_bytes, tile_bytes))
    check_equal(model_of(family))


ALONE, TOGETHER = 1, 90


def row_length(model) -> int:
    """transformers' eager attention rounds to float32: six digits are kept only by windows that stand alone."""
    return ALONE if model.config._attn_implementation == "eager" else TOGETHER


def check_equal(model) -> None:
    """Against full logits of each window alone."""
    found = some_windows(6)
    weights = inner_weights(model)
    expected = plain_loss(model, found)
    expected_gradients = torch.autograd.grad(expected, weights)
    total = sum(summed_loss(model, row, CPU) for row in pack(found, row_length(model)))
    gradients = torch.autograd.grad(total, weights)
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    for got, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("family", [*FAMILIES, *MORE_FAMILIES])
def test_the_head_of_every_family_is_known(model_of, family):
    model = model_of(family)
    check_head(model, CPU)
    head = Head.of(model)
    assert (head.bias is not None) == (family == "phi2")
    assert (head.cap is not None) == (family == "gemma2")
    assert (head.scale != 1) == (family in ("granite", "cohere"))


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3", "gemma2"], ids=["untied", "tied", "scaled", "capped"])
def test_rows_of_the_vocabulary_that_are_trained_get_the_gradient_of_full_logits(model_of, family):
    model, found = model_of(family), some_windows(4)
    lora = get_peft_model(model, LoraConfig(r=2, trainable_token_indices=rows_of(model, [5, 250])))
    learning = {name: weight for name, weight in lora.named_parameters() if weight.requires_grad}
    with torch.no_grad():
        for weight in learning.values():
            weight.add_(torch.randn_like(weight), alpha=0.1)
    rows = [weight for name, weight in learning.items() if "trainable_tokens" in name]
    assert len(rows) == (1 if model.config.tie_word_embeddings else 2)
    expected = plain_loss(model, found)
    expected_gradients = torch.autograd.grad(expected, rows)
    total = sum(summed_loss(model, row, CPU) for row in pack(found, row_length(model)))
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    for got, wanted in zip(torch.autograd.grad(total, rows), expected_gradients, strict=True):
        assert wanted.abs().max() > 1e-3
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("family", ["gemma2", "gemma3", "falcon"])
def test_a_packed_neighbour_changes_nothing(model_of, family):
    model, (first, second) = model_of(family), some_windows(2, seed=3)
    alone = sum(float(summed_loss(model, row, CPU).detach()) for row in pack([first], 100) + pack([second], 100))
    (together,) = pack([first, second], 100)
    assert float(summed_loss(model, together, CPU).detach()) == pytest.approx(
        alone, rel=1e-6 if row_length(model) == ALONE else 1e-9
    )


def test_without_gradients_only_the_loss_is_computed(model_of):
    model = model_of("llama")
    with torch.no_grad():
        loss = summed_loss(model, pack(some_windows(3), 200)[0], CPU)
    assert not loss.requires_grad and loss > 0


def test_a_head_that_does_something_unknown_is_refused_by_name(model_of):
    model = model_of("qwen3")
    model.lm_head.register_forward_hook(lambda _module, _input, logits: logits * 2)
    with pytest.raises(ModelError, match="family 'qwen3' have an output head"):
        check_head(model, CPU)


def test_a_family_that_does_not_keep_windows_of_a_row_apart_is_refused_by_name(tmp_path):
    config = FalconConfig(vocab_size=320, hidden_size=64, num_hidden_layers=1, num_attention_heads=4, alibi=True)
    with pytest.raises(ModelError, match="family 'falcon' mix up conversations"):
        check_head(AutoModelForCausalLM.from_config(config).eval(), CPU)

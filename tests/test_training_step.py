"""One optimiser step: the plain gradient, however it is cut to fit into memory."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

import training.measuring
import training.step
from inference.base_model import LoadedBase
from tests.runs import Trainer, some_windows
from tests.tiny import FAMILIES, MORE_FAMILIES
from training.encode import pack
from training.lora import add_lora
from training.loss import summed_loss
from training.measuring import Measurer
from training.ranks import Ranks
from training.step import Stepper, is_out_of_memory
from twin.errors import TrainingError
from twin.sections import Train

CPU = torch.device("cpu")
NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


@pytest.fixture
def stepper_of(tiny_base):
    """`stepper_of("llama", 100)`: a stepper in float64, with adapters that are not at their start."""

    def make(family="llama", row_tokens=100, **how):
        model = AutoModelForCausalLM.from_pretrained(tiny_base(family), dtype=torch.float64).requires_grad_(False)
        base = LoadedBase(model.eval(), None, None, CPU, 1000, tiny_base(family))
        chosen = Train(**({"rank": 4, "dropout": 0, "max_grad_norm": 1e9} | how))
        torch.manual_seed(1)
        lora = add_lora(base, chosen)
        with torch.no_grad():
            for name, weight in lora.named_parameters():
                if "lora_B" in name:
                    weight.normal_(std=0.05)
        lora.train()
        said = []
        stepper = Stepper(base, lora, chosen, Ranks(), row_tokens, said.append)
        assert {weight.dtype for weight in stepper.parameters} == {torch.float64}
        return stepper, model, said

    return make


def plain_step(model, weights, found):
    """Loss and gradients as a textbook has them: one padded batch, full logits, the mean over all labels."""
    longest = max(len(window.ids) for window in found)
    ids = torch.zeros(len(found), longest, dtype=torch.long)
    mask, wanted = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, window in enumerate(found):
        length = len(window.ids)
        ids[row, :length] = torch.tensor(window.ids)
        mask[row, :length] = 1
        wanted[row, :length] = torch.where(torch.tensor(window.supervised), ids[row, :length], -100)
    logits = model(input_ids=ids, attention_mask=mask).logits
    loss = cross_entropy(logits[:, :-1].flatten(0, 1), wanted[:, 1:].flatten(), ignore_index=-100)
    return float(loss.detach()), torch.autograd.grad(loss, weights)


@pytest.mark.parametrize("family", [*FAMILIES, *MORE_FAMILIES])
def test_a_step_is_the_padded_full_logits_step_in_every_family(stepper_of, family):
    stepper, model, _ = stepper_of(family)
    found = some_windows(7)
    loss, gradients = plain_step(model, stepper.parameters, found)
    assert len(pack(found, stepper.row_tokens)) not in (1, len(found)), "several rows, some with several windows"
    taken = stepper.gradients(found, "a step")
    assert taken.loss == pytest.approx(loss, rel=1e-6)
    assert any(gradient.abs().max() > 1e-4 for gradient in gradients)
    for weight, gradient in zip(stepper.parameters, gradients, strict=True):
        assert_close(weight.grad, gradient, rtol=1e-6, atol=1e-9)
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    assert taken.gradient_norm == pytest.approx(float(norm), rel=1e-6)


@pytest.mark.parametrize("row_tokens", [1, 20, 64, 10_000])
def test_a_step_is_the_same_for_every_row_size(stepper_of, row_tokens):
    found = some_windows(7)
    plain, small = stepper_of()[0], stepper_of(row_tokens=row_tokens)[0]
    assert plain.gradients(found, "x").loss == pytest.approx(small.gradients(found, "x").loss, rel=1e-9)
    for one, other in zip(plain.parameters, small.parameters, strict=True):
        assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-12)


def test_gradients_are_clipped_to_the_norm_that_was_set(stepper_of):
    plain, clipped = stepper_of()[0], stepper_of(max_grad_norm=1e-3)[0]
    found = some_windows(5)
    assert plain.gradients(found, "x") == clipped.gradients(found, "x")
    norm = torch.stack([weight.grad.norm() for weight in clipped.parameters]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def fails_above(limit, error):
    """A loss that needs more memory than there is where a row is longer, and has left gradients behind by then."""

    def loss(model, row, device):
        if len(row.ids) <= limit:
            return summed_loss(model, row, device)
        summed_loss(model, pack(some_windows(1, seed=9), 50)[0], device).backward()
        raise error

    return loss


@pytest.mark.parametrize("error", NO_MEMORY, ids=["GPU", "Python", "CPU", "CUBLAS"])
def test_a_step_without_memory_is_done_again_in_smaller_rows_to_the_same_result(stepper_of, monkeypatch, error):
    found = some_windows(9)
    plain, _, _ = stepper_of(row_tokens=200)
    expected = plain.gradients(found, "x")
    crowded, _, said = stepper_of(row_tokens=200)
    monkeypatch.setattr(training.step, "summed_loss", fails_above(60, error))
    assert crowded.gradients(found, "x").loss == pytest.approx(expected.loss, rel=1e-9)
    for one, other in zip(plain.parameters, crowded.parameters, strict=True):
        assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-12)
    assert 20 < crowded.row_tokens <= 60 and 1 <= len(said) <= 3 and "Memory ran out" in said[0]
    said.clear()
    crowded.gradients(found, "y")
    assert not said, "the smaller size is remembered"


def test_a_window_that_does_not_fit_alone_is_said_with_what_to_change(stepper_of, monkeypatch):
    stepper, _, _ = stepper_of(row_tokens=200)
    monkeypatch.setattr(training.step, "summed_loss", fails_above(20, NO_MEMORY[0]))
    found = some_windows(9)
    longest = max(len(window.ids) for window in found)
    with pytest.raises(TrainingError, match=f"window of {longest} tokens does not fit.*lower dataset.context_tokens"):
        stepper.gradients(found, "x")
    assert all(weight.grad is None for weight in stepper.parameters)


def test_other_errors_are_not_taken_for_a_lack_of_memory(stepper_of, monkeypatch):
    stepper, _, _ = stepper_of()
    monkeypatch.setattr(training.step, "summed_loss", fails_above(0, RuntimeError("size mismatch")))
    with pytest.raises(RuntimeError, match="size mismatch"):
        stepper.gradients(some_windows(3), "x")
    assert all(is_out_of_memory(error) for error in NO_MEMORY)
    assert not is_out_of_memory(ValueError("out of memory"))


def test_held_out_text_is_measured_in_smaller_pieces_to_the_same_loss(home, tiny_base, monkeypatch):
    trainer = Trainer(home, tiny_base("llama"))
    base = trainer.load()
    expected = Measurer(base, trainer.measured, 500, Ranks())()

    def crowded(model, rows, device):
        rows = list(rows)
        if max(len(row.ids) for row in rows) > 60:
            raise NO_MEMORY[2]
        return training.evaluate.held_out_loss(model, rows, device)

    monkeypatch.setattr(training.measuring, "held_out_loss", crowded)
    found = Measurer(base, trainer.measured, 500, Ranks())()
    assert found.nats == pytest.approx(expected.nats, rel=1e-6)
    assert (found.tokens, found.characters, found.turns) == (expected.tokens, expected.characters, expected.turns)
    monkeypatch.setattr(training.measuring, "held_out_loss", lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(TrainingError, match=r"held-out .* does not fit into memory"):
        Measurer(base, trainer.measured, 500, Ranks())()


def test_dropout_follows_from_the_moment_alone(stepper_of):
    found = some_windows(4)
    stepper, _, _ = stepper_of(dropout=0.3)

    def gradient(moment):
        stepper.forget()
        torch.rand(17)
        return stepper.gradients(found, moment).loss

    assert gradient("1") == gradient("1") != gradient("2")

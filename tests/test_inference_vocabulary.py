"""Rows of the vocabulary: new ones start where their text stood, and trained ones count as peft counts them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from inference.base_model import load_base
from inference.tokenizer import BaseTokenizer
from inference.vocabulary import make_rows, use_rows
from tests.tiny import make_base
from training.lora import add_lora, rows_of
from twin.errors import ModelError, SettingsError
from twin.sections import Base, Train
from twin.settings import Settings, load_settings
from twin.templates import CHATML_MARKS

IDS = torch.tensor([[1, 40, 5, 50, 250, 70]])


@pytest.mark.parametrize("family", ["gemma3", "llama", "phi2"], ids=["tied", "untied", "biased"])
def test_new_rows_are_the_mean_of_the_pieces_and_leave_all_others_alone(
    tiny_base: Callable[[str], Path], family: str
) -> None:
    tokenizer = BaseTokenizer(tiny_base(family), CHATML_MARKS)
    bare, grown = (AutoModelForCausalLM.from_pretrained(tiny_base(family)) for _ in range(2))
    make_rows(grown, tokenizer)
    size = bare.config.vocab_size
    assert grown.config.vocab_size == size + 2
    heads = (bare.get_output_embeddings(), grown.get_output_embeddings())
    for before, after in ((bare.get_input_embeddings(), grown.get_input_embeddings()), heads):
        assert torch.equal(after.weight[:size], before.weight)
        for mark, pieces in tokenizer.pieces:
            torch.testing.assert_close(after.weight[mark], before.weight[list(pieces)].mean(0))
    same = grown.get_output_embeddings().weight is grown.get_input_embeddings().weight
    assert same == bare.config.tie_word_embeddings
    with torch.no_grad():
        torch.testing.assert_close(grown(input_ids=IDS).logits[..., :size], bare(input_ids=IDS).logits)


def test_a_vocabulary_with_spare_rows_does_not_grow(tmp_path: Path) -> None:
    folder = make_base(tmp_path / "base", "qwen3")
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(384)
    tokenizer = BaseTokenizer(folder, CHATML_MARKS)
    make_rows(model, tokenizer)
    table = model.get_input_embeddings().weight
    assert len(table) == 384
    for mark, pieces in tokenizer.pieces:
        torch.testing.assert_close(table[mark], table[list(pieces)].mean(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3", "gemma2"], ids=["untied", "tied", "scaled", "capped"])
def test_trained_rows_give_the_logits_and_the_gradients_that_peft_gives(
    tiny_base: Callable[[str], Path], family: str, dtype: torch.dtype
) -> None:
    lora = with_trained_rows(AutoModelForCausalLM.from_pretrained(tiny_base(family), dtype=dtype))
    theirs = gradients(lora)
    use_rows(lora)
    loose = {"atol": 0.05, "rtol": 0.05} if dtype == torch.bfloat16 else {"atol": 1e-5, "rtol": 1e-4}
    for found, wanted in zip(gradients(lora), theirs, strict=True):
        assert wanted.abs().max() > 1e-3
        torch.testing.assert_close(found, wanted, **loose)
    with torch.no_grad(), lora.disable_adapter():
        off = lora(input_ids=IDS).logits
    plain = AutoModelForCausalLM.from_pretrained(tiny_base(family), dtype=dtype)
    with torch.no_grad():
        torch.testing.assert_close(off, plain(input_ids=IDS).logits)
        assert torch.equal(lora.unload()(input_ids=IDS).logits, off)


def with_trained_rows(model: Any) -> Any:
    """A peft model with two rows that were moved, in fp32 as peft keeps what it trains."""
    torch.manual_seed(0)
    lora = get_peft_model(model, LoraConfig(r=2, trainable_token_indices=rows_of(model, [5, 250])))
    rows = [weight for name, weight in lora.named_parameters() if "trainable_tokens" in name]
    with torch.no_grad():
        for weight in rows:
            assert weight.dtype == torch.float32
            weight.add_(torch.randn_like(weight), alpha=0.1)
    return lora


def gradients(lora: Any) -> list[torch.Tensor]:
    """The logits, and the gradient of a loss by each matrix of rows."""
    rows = [weight for name, weight in lora.named_parameters() if "trainable_tokens" in name]
    out = lora(input_ids=IDS, labels=IDS)
    return [out.logits.detach().float(), *torch.autograd.grad(out.loss, rows)]


def test_a_head_with_a_bias_is_refused_since_peft_would_forget_it(
    home: Settings, tiny_base: Callable[[str], Path]
) -> None:
    how = Base(model=str(tiny_base("phi2")), template="chatml", chatml_tokens="trained")
    base = load_base(home.model_copy(update={"base": how}))
    with pytest.raises(ModelError, match=r"family 'phi' cannot have single rows trained: set base\.chatml_tokens"):
        add_lora(base, Train())


def test_marks_are_trained_only_with_the_template_that_has_them(home: Settings) -> None:
    (home.home / "twin.toml").write_text('[base]\nchatml_tokens = "trained"\n')
    with pytest.raises(SettingsError, match='chatml_tokens = "trained" needs template = "chatml"'):
        load_settings()

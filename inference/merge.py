"""An adapter folded into the full-precision base model: a normal model folder that any program loads.

Knows nothing of serving: the twin itself serves unmerged, since merging into 4-bit weights shifts outputs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from inference.base_model import quantization_config
from inference.tokenizer import BaseTokenizer
from inference.vocabulary import make_rows, rows_in
from twin.errors import AdapterError
from twin.templates import CHATML_MARKS


def merge(adapter: Path, base: Path, out: Path, *, corrects: bool = False) -> None:
    """Write base plus adapter as one model, in the precision that the base model is stored in.

    The adapter was trained on the quantized base; here it changes the unquantized one, so answers are close to the
    twin's but not the same.

    Args:
        adapter: a plain PEFT folder.
        base: the base model's folder.
        out: the folder to make; published by rename.
        corrects: whether the adapter makes up for what NF4 lost (LoftQ); then it is the 4-bit weights that it changes.

    Raises:
        AdapterError: `out` exists, or cannot be written; or the adapter trains rows of tokens unknown to this version.
    """
    if out.exists():
        raise AdapterError(f"{out} exists already", "choose another folder")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype="auto", local_files_only=True)
        stored = model.dtype
        if corrects:
            model = _as_in_4_bits(base)
        tokenizer = _tokenizer(adapter, base)
        make_rows(model, tokenizer)
        # added in fp32: the sum of a weight and a small change would lose the change in bf16
        merged = PeftModel.from_pretrained(model.to(torch.float32), adapter).merge_and_unload(safe_merge=True)
        merged.tie_weights()  # peft puts trained rows into both of two tied matrices
        _end_at(merged.generation_config, tokenizer.marks[-1:])
        merged.to(stored).save_pretrained(draft)
        tokenizer.save(draft)
        draft.rename(out)
    except OSError as error:
        raise AdapterError(
            f"{out} cannot be written ({error.strerror or type(error).__name__})", "free disk space"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _tokenizer(adapter: Path, base: Path) -> BaseTokenizer:
    """The base model's, with the tokens that the adapter was trained with."""
    rows = rows_in(adapter)
    tokenizer = BaseTokenizer(base, CHATML_MARKS if rows else ())
    if rows != frozenset(tokenizer.marks):
        raise AdapterError(
            "The adapter trains rows of other tokens than ChatML's on this base model", "retrain with `twin train`"
        )
    return tokenizer


def _end_at(generation: Any, marks: Sequence[int]) -> None:
    """Let whoever generates with the model stop where a trained mark ends a turn, too."""
    if marks and generation is not None:
        known = generation.eos_token_id
        ends = known if isinstance(known, list) else [known] if known is not None else []
        generation.eos_token_id = [*ends, *(mark for mark in marks if mark not in ends)]


def _as_in_4_bits(base: Path) -> Any:
    """The base model with the weights that NF4 leaves, in fp32."""
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, local_files_only=True, quantization_config=quantization_config("nf4", torch.float32)
    )
    return model.dequantize()

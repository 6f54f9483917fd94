"""An adapter folded into the full-precision base model: a normal model folder that any program loads.

Knows nothing of serving: the twin itself serves unmerged, since merging into 4-bit weights shifts outputs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.base_model import quantization_config
from twin.errors import AdapterError


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
        AdapterError: `out` exists, or cannot be written.
    """
    if out.exists():
        raise AdapterError(f"{out} exists already", "choose another folder")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype="auto", local_files_only=True)
        stored = model.dtype
        if corrects:
            model = _as_in_4_bits(base)
        # added in fp32: the sum of a weight and a small change would lose the change in bf16
        merged = PeftModel.from_pretrained(model.to(torch.float32), adapter).merge_and_unload(safe_merge=True)
        merged.to(stored).save_pretrained(draft)
        AutoTokenizer.from_pretrained(base, local_files_only=True).save_pretrained(draft)
        draft.rename(out)
    except OSError as error:
        raise AdapterError(
            f"{out} cannot be written ({error.strerror or type(error).__name__})", "free disk space"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _as_in_4_bits(base: Path) -> Any:
    """The base model with the weights that NF4 leaves, in fp32."""
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, local_files_only=True, quantization_config=quantization_config("nf4", torch.float32)
    )
    return model.dequantize()

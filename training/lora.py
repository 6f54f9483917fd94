"""The trainable part: low-rank adapters over every linear layer of a frozen base model.

Knows nothing of optimisers or of data.

Every kind ends as a plain PEFT folder over the untouched base model. PiSSA (Meng et al. 2024) starts the adapter from a
weight's strongest directions, which it takes out of the base; here they stand in the adapter a second time instead,
subtracted and frozen (rank doubled, as peft converts one when saving), so that the base stays as it is, at any
quantization. LoftQ (Li et al. 2023) starts from the strongest directions of what 4 bits lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_module_weight
from torch.nn.functional import pad
from transformers import AutoConfig, AutoModelForCausalLM

from inference.base_model import LoadedBase
from inference.vocabulary import use_rows
from twin.errors import ModelError
from twin.sections import Train

_ADAPTER = "default"
_POWER_ITERATIONS = 4  # of the randomised SVD (Halko et al. 2011)


def add_lora(base: LoadedBase, how: Train, *, checkpointing: bool = False) -> PeftModel:
    """LoRA on every linear layer but the head; no `modules_to_save`, so adapters stay small and swappable.

    Of the vocabulary, the rows of `base.trained_tokens` are trained, if there are any, and nothing else.

    Args:
        checkpointing: compute activations a second time instead of keeping them; `training.plan` tells when.

    Raises:
        ModelError: rows are to be trained of a head with a bias.
        ValueError: LoftQ is asked for over a base model that is not in 4 bits (the settings refuse it before).
    """
    rows = rows_of(base.model, base.trained_tokens) if base.trained_tokens else None
    if rows and getattr(base.model.get_output_embeddings(), "bias", None) is not None:  # peft 0.21 forgets it
        raise ModelError(
            f"Models of the family {base.model.config.model_type!r} cannot have single rows trained",
            'set base.chatml_tokens = "text"',
        )
    if checkpointing:
        base.model.activation_checkpointing_enable({"use_reentrant": False})
    lora = get_peft_model(base.model, _config(how, rows))
    if rows:
        use_rows(lora)
        _keep_vocabulary_out(lora, base)
    if how.init == "pissa":
        _start_from_strongest(lora, how.rank)
    elif how.init == "loftq":
        _start_from_lost(lora, base)
    return lora


def told(how: Train) -> dict[str, Any]:
    """What a manifest says of the adapter."""
    return {"rank": how.rank, "alpha": how.alpha, "dropout": how.dropout, "kind": how.lora, "init": how.init}


def rows_of(model: Any, tokens: Sequence[int]) -> dict[str, list[int]]:
    """What peft is told to train of the vocabulary: rows where tokens come in and, unless tied to them, go out."""
    layers = [model.get_input_embeddings()]
    if model.get_output_embeddings().weight is not layers[0].weight:
        layers.append(model.get_output_embeddings())
    return {name: list(tokens) for name, module in model.named_modules() if any(module is layer for layer in layers)}


def _keep_vocabulary_out(lora: PeftModel, base: LoadedBase) -> None:
    """peft saves whole embeddings of a model whose vocabulary has grown; of ours, the rows that it lacked are saved."""
    lora.config = copy(lora.config)  # peft's own view; the model keeps its configuration
    lora.config.vocab_size = getattr(AutoConfig.from_pretrained(base.folder), "vocab_size", None)


def _config(how: Train, rows: dict[str, list[int]] | None) -> LoraConfig:
    """With PiSSA's doubled rank, alpha grows so that the factor before the matrices stays what the settings mean."""
    halves = 2 if how.init == "pissa" else 1
    return LoraConfig(
        r=how.rank * halves,
        lora_alpha=how.alpha if halves == 1 else how.alpha * (math.sqrt(2) if how.lora == "rslora" else 2),
        lora_dropout=how.dropout,
        target_modules="all-linear",
        bias="none",
        task_type="CAUSAL_LM",
        use_rslora=how.lora == "rslora",
        use_dora=how.lora == "dora",
        trainable_token_indices=rows,
    )


@torch.no_grad()
def _start_from_strongest(lora: PeftModel, rank: int) -> None:
    """First half of the rank: a weight's strongest directions, to be trained; second half: minus the same, frozen."""
    for _, layer in _layers(lora):
        a, b = _factors(dequantize_module_weight(layer.get_base_layer()), rank, layer.scaling[_ADAPTER])
        _set(layer, torch.cat([a, a]), torch.cat([b, -b], dim=1))
        learns = torch.arange(2 * rank, device=a.device) < rank
        layer.lora_A[_ADAPTER].weight.register_hook(lambda gradient, learns=learns: gradient * learns[:, None])
        layer.lora_B[_ADAPTER].weight.register_hook(lambda gradient, learns=learns: gradient * learns)


@torch.no_grad()
def _start_from_lost(lora: PeftModel, base: LoadedBase) -> None:
    """What quantization lost, as far as the rank reaches; peft's own routine needs a GPU and forgets the scaling."""
    if base.identity.quantization != "nf4":
        raise ValueError("LoftQ corrects 4-bit weights")
    whole = AutoModelForCausalLM.from_pretrained(base.folder, dtype="auto", local_files_only=True)
    for name, layer in _layers(lora):
        kept = dequantize_module_weight(layer.get_base_layer())
        lost = whole.get_submodule(name).weight.to(kept.device, torch.float32) - kept.float()
        _set(layer, *_factors(lost, layer.r[_ADAPTER], layer.scaling[_ADAPTER]))


def _layers(lora: PeftModel) -> Iterator[tuple[str, Any]]:
    """(name in the base model, LoRA layer) of every adapted layer."""
    for name, module in lora.base_model.model.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module


def _factors(weight: torch.Tensor, rank: int, scaling: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A (rank, in) and B (out, rank), fp32, with scaling * B @ A the best approximation of a weight (out, in).

    A weight of a lower rank fills the first rows and columns.
    """
    found = min(rank, *weight.shape)
    left, values, right = torch.svd_lowrank(weight.detach().float(), found, niter=_POWER_ITERATIONS)
    root = (values / scaling).sqrt()
    return pad(root[:, None] * right.T, (0, 0, 0, rank - found)), pad(left * root, (0, rank - found))


def _set(layer: Any, a: torch.Tensor, b: torch.Tensor) -> None:
    layer.lora_A[_ADAPTER].weight.copy_(a)
    layer.lora_B[_ADAPTER].weight.copy_(b)

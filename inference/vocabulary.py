"""Rows of the vocabulary for marks: made where a model has none, and used cheaply where an adapter trains some.

Knows nothing of templates or of training.

An adapter with `trainable_token_indices` holds a few rows that stand in place of the model's own. peft 0.21 copies the
whole matrix at every forward pass to put them there (and its gradient has that size again); here only the vectors and
the logits that come of those rows are replaced, which is the same.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft.tuners.trainable_tokens import TrainableTokensLayer

from inference.tokenizer import BaseTokenizer


@torch.no_grad()
def make_rows(model: Any, tokenizer: BaseTokenizer) -> None:
    """Give each mark that was added to the tokenizer a row, in and out: the mean of what it reads as without being one.

    The same numbers wherever the model is loaded. A vocabulary that has spare rows behind its tokens does not grow.
    """
    if not tokenizer.pieces:
        return
    rows = 1 + max(token for token, _ in tokenizer.pieces)
    if rows > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows, mean_resizing=False)
    head = model.get_output_embeddings()
    tables: list[Any] = [model.get_input_embeddings().weight, head.weight, getattr(head, "bias", None)]
    for table in tables:
        for token, pieces in tokenizer.pieces if table is not None else ():
            table[token] = table[list(pieces)].float().mean(0).to(table.dtype)


def rows_in(adapter: Path) -> frozenset[int]:
    """The tokens whose rows an adapter trains; none for most. Raises OSError or ValueError for a damaged folder."""
    told = json.loads((adapter / "adapter_config.json").read_text()).get("trainable_token_indices") or {}
    return frozenset(token for tokens in (told.values() if isinstance(told, dict) else [told]) for token in tokens)


def has_rows(model: Any) -> bool:
    """Whether a model has a place for trained rows."""
    return any(isinstance(layer, TrainableTokensLayer) for layer in model.modules())


def use_rows(lora: Any) -> None:
    """Let a peft model compute with trained rows as described above, with those of whichever adapter is active."""
    for layer in lora.modules():
        if isinstance(layer, TrainableTokensLayer):
            layer.forward_adapters = partial(_forward, layer)


def _forward(layer: Any, x: torch.Tensor, active: list[str], *_: Any, **__: Any) -> torch.Tensor:
    """In place of `TrainableTokensLayer.forward_adapters`; adapters that train no rows have none here."""
    base = layer.base_layer
    found: torch.Tensor = base(x)
    if layer.disable_adapters:
        return found
    for name in active:
        if name not in layer.trainable_tokens_delta:
            continue
        ids, values = layer.token_indices[name], layer.trainable_tokens_delta[name].to(found.dtype)
        if isinstance(base, torch.nn.Embedding):
            scale = torch.as_tensor(getattr(base, "embed_scale", 1)).to(values)
            for token, value in zip(ids, values * scale, strict=True):
                found = torch.where((x == token)[..., None], value, found)
        else:
            bias = 0 if base.bias is None else base.bias[ids]
            found = found.index_copy(-1, torch.tensor(ids, device=x.device), x @ values.T + bias)
    return found

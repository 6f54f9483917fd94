"""The output head of a causal LM, taken apart: a matrix, and what some families add to it.

Knows nothing of losses or of sampling.

Phi-2 adds a bias, Granite divides and Cohere multiplies the logits, Gemma 2 caps them softly. Whether that is all is
for `fits` to find out, by asking the model itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

_TOLERANCE = 0.02  # of the largest logit: bf16's rounding stays below, a forgotten factor does not


@dataclass(frozen=True, slots=True)
class TrainedRows:
    """Rows of the matrix that are trained (peft's `trainable_token_indices`).

    Attributes:
        ids: (K,) which rows.
        values: (K, H) what stands there now; a parameter.
    """

    ids: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, slots=True)
class Head:
    """From hidden states to logits: cap * tanh(scale * (weight @ hidden + bias) / cap).

    Attributes:
        weight: (V, H), frozen.
        bias: (V,) or None.
        scale: what logits are multiplied by.
        cap: what their size stays below; None for no cap.
        rows: those of `weight` that stand elsewhere because they are trained; None for none.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    scale: float = 1.0
    cap: float | None = None
    rows: TrainedRows | None = None

    @classmethod
    def of(cls, model: Any) -> Head:
        """The head of a transformers model, with a peft adapter in it or not."""
        layer, config = model.get_output_embeddings(), model.config.get_text_config()
        scale = float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1)
        cap = getattr(config, "final_logit_softcapping", None)
        adapter = getattr(layer, "token_adapter", None)
        if adapter is None:
            return cls(layer.weight, getattr(layer, "bias", None), scale, cap)
        rows = None
        if not adapter.disable_adapters and not adapter.merged:
            (name,) = adapter.active_adapters
            values = adapter.trainable_tokens_delta[name]
            rows = TrainedRows(torch.tensor(adapter.token_indices[name], device=values.device), values)
        return cls(adapter.base_layer.weight, adapter.base_layer.bias, scale, cap, rows)

    def part(self, start: int, stop: int) -> Head:
        """The head over a slice of the vocabulary, its ids counted from `start`."""
        rows = None
        if self.rows is not None:
            here = (self.rows.ids >= start) & (self.rows.ids < stop)
            if here.any():
                rows = TrainedRows(self.rows.ids[here] - start, self.rows.values[here])
        bias = None if self.bias is None else self.bias[start:stop]
        return Head(self.weight[start:stop], bias, self.scale, self.cap, rows)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(N, V) logits after (N, H) hidden states, differentiable."""
        raw = hidden @ self.weight.T
        if self.rows is not None:
            raw = raw.index_copy(1, self.rows.ids, hidden @ self.rows.values.T.to(hidden.dtype))
        if self.bias is not None:
            raw = raw + self.bias
        raw = raw * self.scale if self.scale != 1 else raw
        return raw if self.cap is None else self.cap * torch.tanh(raw / self.cap)

    @torch.no_grad()
    def fits(self, model: Any) -> bool:
        """Whether these are the logits that the model itself gives, up to rounding."""
        ids = torch.arange(3, 19, device=self.weight.device)[None]
        hidden = getattr(model, model.base_model_prefix)(input_ids=ids, use_cache=False).last_hidden_state[0]
        ours, theirs = self.logits(hidden.to(self.weight.dtype)), model(input_ids=ids).logits[0]
        return bool((ours - theirs).abs().max() <= _TOLERANCE * theirs.abs().max())

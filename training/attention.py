"""Attention of packed rows: which implementation computes it, and our own for CPUs, in blocks of queries.

Knows nothing of models but transformers' attention interface; exact, up to the order of sums.

On a GPU, FlashAttention 2 takes rows of several conversations as they are (it finds their ends in the positions), where
PyTorch's kernels compute a whole row and mask it; it needs bf16 and the package flash-attn, which is nobody's duty.

PyTorch's CPU kernel multiplies whole rows and masks afterwards: a causal row wastes half of that, conversations that
lie side by side or a sliding window far more. Its bf16 products are also slower than matrix products of the same size,
so short bf16 rows are multiplied out, each block of queries with the keys that its mask lets it see. Generation and
models with attention code of their own are left alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.utils import is_flash_attn_2_available

_BLOCKS, _FLASH, _PLAIN = "twin_blocks", "flash_attention_2", "sdpa"
_BLOCK = 256
_LONGEST_MULTIPLIED_OUT = 2048  # tokens; the probabilities are kept for the backward pass


def implementation(device: torch.device, dtype: torch.dtype, *, backend: bool, flash: bool) -> str:
    """What computes attention of packed rows.

    Args:
        backend, flash: whether the model can use transformers' attention interface, and FlashAttention 2.
    """
    if not backend:
        return _PLAIN
    if device.type == "cpu":
        return _BLOCKS
    if device.type == "cuda" and dtype == torch.bfloat16 and flash and is_flash_attn_2_available():
        return _FLASH
    return _PLAIN


def use_fastest(model: Any) -> None:
    """Let a transformers model attend to packed rows in the fastest way there is where it stands now."""
    config = model.config.get_text_config()
    if config._attn_implementation in (_BLOCKS, _FLASH, _PLAIN):
        backend, flash = bool(model._supports_attention_backend), bool(model._supports_flash_attn)
        config._attn_implementation = implementation(model.device, model.dtype, backend=backend, flash=flash)


def back_to_plain(model: Any) -> None:
    """After a measurement: replies are generated in padded batches with a cache, which is none of FlashAttention's."""
    config = model.config.get_text_config()
    if config._attn_implementation == _FLASH:
        config._attn_implementation = _PLAIN


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(1, T, H, D) attention of (1, H, T, D) queries to (1, K, T, D) keys and values; see transformers' interface.

    Args:
        attention_mask: (1, 1, T, T), True where a query sees a key; None for causal.
    """
    length = query.shape[2]
    if not _is_plain_row(module, query, key, attention_mask, more) or dropout:
        found: tuple[torch.Tensor, torch.Tensor | None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
        return found
    sees = torch.ones(length, length, dtype=torch.bool).tril_() if attention_mask is None else attention_mask[0, 0]
    multiply = query.dtype == torch.bfloat16 and length <= _LONGEST_MULTIPLIED_OUT
    block = _multiplied_out if multiply else _fused
    parts = []
    for start in range(0, length, _BLOCK):
        mask = sees[start : start + _BLOCK]
        seen = mask.any(0).nonzero()
        first, end = int(seen[0]), int(seen[-1]) + 1
        part = query[0, :, start : start + _BLOCK]
        parts.append(block(part, key[0, :, first:end], value[0, :, first:end], mask[:, first:end], scaling))
    return torch.cat(parts, 1).transpose(0, 1)[None].contiguous(), None


def _is_plain_row(module: Any, query: Any, key: Any, attention_mask: Any, more: dict[str, Any]) -> bool:
    """Whether this is one row of several blocks, without a cache, of which a mask of yes and no says everything."""
    if query.shape[0] != 1 or not _BLOCK < query.shape[2] == key.shape[2]:
        return False
    if more.get("softcap") is not None or more.get("position_bias") is not None:
        return False
    if attention_mask is None:
        return bool(getattr(module, "is_causal", True))
    plain = attention_mask.dtype == torch.bool and attention_mask.shape[:2] == (1, 1)
    return plain and bool(attention_mask.any(-1).all())


def _fused(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """(H, B, D) from (H, B, D) queries, (K, S, D) keys and values."""
    shared = query.shape[0] // key.shape[0]
    key, value = key.repeat_interleave(shared, 0)[None], value.repeat_interleave(shared, 0)[None]
    return scaled_dot_product_attention(query[None], key, value, attn_mask=mask[None, None], scale=scaling)[0]


def _multiplied_out(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """As `_fused`; heads that share keys are one product."""
    heads, tokens, width = query.shape
    queries = (query * (scaling or width**-0.5)).reshape(len(key), -1, width)
    scores = (queries @ key.transpose(1, 2)).view(heads, tokens, -1)
    share = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    return (share.view(len(key), -1, share.shape[-1]) @ value).view(heads, tokens, -1)


AttentionInterface.register(_BLOCKS, attend)
AttentionMaskInterface.register(_BLOCKS, sdpa_mask)

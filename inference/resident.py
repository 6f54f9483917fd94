"""4-bit weights of a small model on a CPU, dequantized once and kept: the same numbers, worked out only once.

Knows nothing of models' families, of adapters or of GPUs, where 4 bits a weight stay 4 bits.

A GPU dequantizes while it multiplies. A CPU writes every weight out before each product: each step of training, each
token of a reply. For a model of millions of weights, two (bf16) or four (fp32) bytes a weight buy all of that back.
"""

from __future__ import annotations

from typing import Any

import psutil
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit

MAX_PARAMETERS = 1e9
_SPARE = 2  # times what it takes must be free


def keep_dequantized(model: Any, dtype: torch.dtype) -> bool:
    """Replace each 4-bit layer by a plain one with the weights that it would compute with; whether there was room.

    Args:
        dtype: what the layers compute in.
    """
    found = [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, Linear4bit)
    ]
    weights = sum(layer.in_features * layer.out_features for _, _, layer in found)
    if weights > MAX_PARAMETERS or _SPARE * weights * dtype.itemsize > psutil.virtual_memory().available:
        return False
    for parent, name, layer in found:
        setattr(parent, name, _plain(layer, dtype))
    if found:  # for peft and accelerate, this is no quantized model any more
        model.is_quantized = model.is_loaded_in_4bit = False
        model.hf_quantizer = None
        del model.config.quantization_config
    return True


def _plain(layer: Any, dtype: torch.dtype) -> torch.nn.Linear:
    values = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(dtype)
    plain = torch.nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
    plain.weight = torch.nn.Parameter(values.reshape(layer.out_features, layer.in_features), requires_grad=False)
    if layer.bias is not None:
        plain.bias = torch.nn.Parameter(layer.bias.data.to(dtype), requires_grad=False)
    return plain

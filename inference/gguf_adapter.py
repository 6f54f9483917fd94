"""A LoRA as a GGUF file, for llama.cpp on a GGUF of the same base model.

Knows nothing of registries or of llama.cpp's runtime; needs the adapter's folder and the base model's configuration.

llama.cpp stores some weights in another order of rows than transformers does; a LoRA's B matrix has the rows of the
weight it changes, so it is reordered the same way (`permute` and the Falcon case in llama.cpp's convert_hf_to_gguf.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from twin.errors import AdapterError

Matrix = np.ndarray[Any, np.dtype[np.float32]]
_NAME = re.compile(r"base_model\.model\.(?P<layer>.+)\.lora_(?P<side>[AB])\.weight")
# transformers' model_type: gguf's architecture
_ARCHITECTURES = {
    "falcon": "FALCON",
    "gemma2": "GEMMA2",
    "gemma3_text": "GEMMA3",
    "gemma3": "GEMMA3",
    "granite": "GRANITE",
    "llama": "LLAMA",
    "mistral": "LLAMA",
    "phi": "PHI2",
    "phi3": "PHI3",
    "qwen2": "QWEN2",
    "qwen3": "QWEN3",
}


@dataclass(frozen=True, slots=True)
class Heads:
    """How attention is divided: query heads, key-value heads."""

    query: int
    key_value: int


def write_gguf(adapter: Path, base: Path, out: Path) -> int:
    """Write a published adapter as a GGUF file.

    Args:
        adapter: a plain PEFT folder (adapter_config.json, adapter_model.safetensors).
        base: the base model's folder; only its config.json is read.
        out: the file; its folder must exist.

    Returns:
        how many weights of the model the file changes.

    Raises:
        AdapterError: the family, or a kind of LoRA (DoRA), cannot be told to llama.cpp.
    """
    import gguf

    config, lora = refuse_unwritable(adapter, base)
    architecture = architecture_of(config)
    names = gguf.get_tensor_name_map(architecture, int(config["num_hidden_layers"]))
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[architecture])
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, _alpha(lora))
    count = 0
    for layer, side, matrix in _matrices(adapter / "adapter_model.safetensors"):
        name = names.get_name(layer)
        if name is None:
            raise AdapterError(f"llama.cpp has no weight that is {layer}", "serve this adapter with the local engine")
        if side == "B":
            matrix = _reordering(layer, config)(matrix)
        writer.add_tensor(f"{name}.weight.lora_{side.lower()}", np.ascontiguousarray(matrix))
        count += side == "B"
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return count


def refuse_unwritable(adapter: Path, base: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configurations of a base model and of an adapter for it that can be written.

    Raises:
        AdapterError: the family, or a kind of LoRA (DoRA), cannot be told to llama.cpp.
        OSError, ValueError, KeyError: one of them is missing or damaged.
    """
    config = json.loads((base / "config.json").read_text())
    lora = json.loads((adapter / "adapter_config.json").read_text())
    architecture_of(config)
    _refuse_kinds(lora)
    return config, lora


def architecture_of(config: dict[str, Any]) -> Any:
    """The `gguf.MODEL_ARCH` of a model's configuration.

    Raises:
        AdapterError: adapters of its family cannot be told to llama.cpp.
    """
    import gguf

    family = config["model_type"]
    if family not in _ARCHITECTURES:
        raise AdapterError(
            f"Adapters of the family {family!r} cannot be written as GGUF",
            'set engine.kind to "local"; for llama.cpp use one of ' + ", ".join(sorted(_ARCHITECTURES)),
        )
    return gguf.MODEL_ARCH[_ARCHITECTURES[family]]


def _refuse_kinds(lora: dict[str, Any]) -> None:
    for key, kind in (
        ("use_dora", "DoRA"),
        ("alpha_pattern", "alphas that differ"),
        ("trainable_token_indices", "trained rows of the vocabulary"),
    ):
        if lora.get(key):
            raise AdapterError(
                f"llama.cpp cannot load adapters with {kind}",
                'set engine.kind to "local", train a plain LoRA, or write a model with `twin adapters merge`',
            )


def _alpha(lora: dict[str, Any]) -> float:
    """llama.cpp scales by alpha / rank; rank-stabilised LoRA (Kalajdzievski 2023) by alpha / sqrt(rank)."""
    alpha, rank = float(lora["lora_alpha"]), float(lora["r"])
    return alpha * rank**0.5 if lora.get("use_rslora") else alpha


def _matrices(file: Path) -> Iterator[tuple[str, str, Matrix]]:
    """(layer's name in transformers, "A" or "B", the matrix) in the order of the names."""
    try:
        tensors = dict(deserialize(file.read_bytes()))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise AdapterError(
            f"The {file.name} of the adapter {file.parent.name} is damaged", "retrain, or promote another version"
        ) from error
    for key in sorted(tensors):
        found = _NAME.fullmatch(key)
        if found is None:
            raise AdapterError(f"The adapter holds {key}, which is no LoRA matrix", "train a plain LoRA for it")
        yield found["layer"], found["side"], _numbers(tensors[key])


def _numbers(tensor: Mapping[str, Any]) -> Matrix:
    """As fp32, without torch: numpy knows no bf16, which is the upper half of an fp32."""
    kinds = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
    kind = tensor["dtype"]
    if kind not in kinds:
        raise AdapterError(f"The adapter holds numbers of the type {kind}", "train a plain LoRA for it")
    found = np.frombuffer(tensor["data"], dtype=kinds[kind]).reshape(tensor["shape"])
    if kind == "BF16":
        return (found.astype(np.uint32) << 16).view(np.float32)
    return found.astype(np.float32)


def _reordering(layer: str, config: dict[str, Any]) -> Callable[[Matrix], Matrix]:
    """From transformers' order of rows to llama.cpp's, for the weight of this layer."""
    query = int(config["num_attention_heads"])
    heads = Heads(query, int(config.get("num_key_value_heads") or config.get("num_kv_heads") or query))
    if config["model_type"] in ("granite", "llama", "mistral"):
        if layer.endswith("q_proj"):
            return lambda matrix: _rotary(matrix, heads.query)
        if layer.endswith("k_proj"):
            return lambda matrix: _rotary(matrix, heads.key_value)
    if config["model_type"] == "falcon" and layer.endswith("query_key_value"):
        shared = 1 if config.get("multi_query") and not config.get("new_decoder_architecture") else heads.key_value
        return lambda matrix: _ungrouped(matrix, Heads(heads.query, shared))
    return lambda matrix: matrix


def _rotary(matrix: Matrix, heads: int) -> Matrix:
    """Rows of a head in pairs (x0, y0, x1, y1 ...) instead of halves (x0 x1 ... y0 y1 ...)."""
    rows, rank = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, rank).swapaxes(1, 2).reshape(rows, rank)


def _ungrouped(matrix: Matrix, heads: Heads) -> Matrix:
    """All queries, all keys, all values, instead of a group of queries with its key and value after another."""
    rows, rank = matrix.shape
    per_group = heads.query // heads.key_value
    size = rows // (heads.query + 2 * heads.key_value)
    grouped = matrix.reshape(heads.key_value, per_group + 2, size, rank)
    parts = (grouped[:, :per_group], grouped[:, per_group : per_group + 1], grouped[:, per_group + 1 :])
    return np.concatenate([part.reshape(-1, rank) for part in parts])

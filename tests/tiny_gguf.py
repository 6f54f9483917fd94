"""A tiny transformers model as a GGUF base for llama.cpp: a converter of the few families the tests make.

Knows nothing of adapters: it reads a folder of `tests.tiny.make_base`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM

_ARCHITECTURES = {
    "falcon": "FALCON",
    "gemma2": "GEMMA2",
    "gemma3_text": "GEMMA3",
    "granite": "GRANITE",
    "llama": "LLAMA",
    "mistral": "LLAMA",
    "phi": "PHI2",
    "phi3": "PHI3",
    "qwen2": "QWEN2",
    "qwen3": "QWEN3",
}
_ROTARY_IN_PAIRS = {"llama", "mistral", "granite"}


def write_gguf_base(folder: Path, out: Path) -> Path:
    """The model as an F32 GGUF with its tokenizer."""
    config = json.loads((folder / "config.json").read_text())
    architecture = gguf.MODEL_ARCH[_ARCHITECTURES[config["model_type"]]]
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[architecture])
    _write_shape(writer, config)
    _write_family(writer, config)
    _write_tokenizer(writer, json.loads((folder / "tokenizer.json").read_text()))
    _write_weights(writer, folder, config, architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _heads(config: dict[str, Any]) -> int:
    """Key-value heads, by whatever name."""
    if config["model_type"] != "falcon":
        return int(config["num_key_value_heads"])
    return int(config["num_kv_heads"]) if config["new_decoder_architecture"] else 1


def _write_shape(writer: Any, config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters") or {}
    rope = rope.get("full_attention", rope)
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config.get("intermediate_size") or config["ffn_hidden_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(_heads(config))
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    if "rms_norm_eps" in config:
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    else:
        writer.add_layer_norm_eps(config.get("layer_norm_epsilon") or config["layer_norm_eps"])
    writer.add_rope_freq_base(rope.get("rope_theta", 10_000.0))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config["vocab_size"])
    if config["model_type"] not in ("gemma2", "gemma3_text", "qwen2", "qwen3"):
        writer.add_rope_dimension_count(int(head_dim * rope.get("partial_rotary_factor", 1)))


def _write_family(writer: Any, config: dict[str, Any]) -> None:
    """What only some families have."""
    if config["model_type"] in ("gemma2", "gemma3_text"):
        writer.add_sliding_window(config["sliding_window"])
    if config["model_type"] == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if config["model_type"] == "phi3":
        writer.add_rope_scaling_orig_ctx_len(config["original_max_position_embeddings"])
    if config["model_type"] == "granite":
        writer.add_attention_scale(config["attention_multiplier"])
        writer.add_embedding_scale(config["embedding_multiplier"])
        writer.add_residual_scale(config["residual_multiplier"])
        writer.add_logit_scale(config["logits_scaling"])


def _write_tokenizer(writer: Any, tokenizer: dict[str, Any]) -> None:
    vocabulary = tokenizer["model"]["vocab"]
    special = {part["id"] for part in tokenizer["added_tokens"]}
    tokens = sorted(
        {**vocabulary, **{part["content"]: part["id"] for part in tokenizer["added_tokens"]}}.items(),
        key=lambda pair: pair[1],
    )
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in tokens])
    writer.add_token_types(
        [gguf.TokenType.CONTROL if number in special else gguf.TokenType.NORMAL for _, number in tokens]
    )
    writer.add_token_merges(
        [" ".join(pair) if isinstance(pair, list) else pair for pair in tokenizer["model"]["merges"]]
    )
    writer.add_pad_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def _write_weights(writer: Any, folder: Path, config: dict[str, Any], architecture: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    names = gguf.get_tensor_name_map(architecture, config["num_hidden_layers"])
    for key, weight in model.state_dict().items():
        if key == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        layer, _, kind = key.rpartition(".")
        matrix = weight.numpy()
        if config["model_type"] in _ROTARY_IN_PAIRS and key.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config["num_attention_heads" if "q_proj" in key else "num_key_value_heads"]
            rows, columns = matrix.shape
            matrix = matrix.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        if config["model_type"] in ("gemma2", "gemma3_text") and "norm" in key:
            matrix = matrix + 1
        if layer.endswith("query_key_value"):
            matrix = _queries_keys_values(matrix, config["num_attention_heads"], _heads(config))
        writer.add_tensor(f"{names.get_name(layer)}.{kind}", np.ascontiguousarray(matrix, dtype=np.float32))


def _queries_keys_values(matrix: Any, queries: int, groups: int) -> Any:
    """Falcon keeps each key and value beside the queries that share it; llama.cpp keeps all queries together."""
    size = len(matrix) // (queries + 2 * groups)
    kinds = [[*["q"] * (queries // groups), "k", "v"][n % (queries // groups + 2)] for n in range(queries + 2 * groups)]
    heads = [matrix[n * size : (n + 1) * size] for n in range(len(kinds))]
    return np.concatenate([head for kind in "qkv" for head, its in zip(heads, kinds, strict=True) if its == kind])

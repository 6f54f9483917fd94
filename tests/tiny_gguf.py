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

_ARCHITECTURES = {"gemma3_text": "GEMMA3", "llama": "LLAMA", "qwen3": "QWEN3"}


def write_gguf_base(folder: Path, out: Path) -> Path:
    """The model as an F32 GGUF with its tokenizer."""
    config = json.loads((folder / "config.json").read_text())
    architecture = gguf.MODEL_ARCH[_ARCHITECTURES[config["model_type"]]]
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[architecture])
    _write_shape(writer, config)
    _write_tokenizer(writer, json.loads((folder / "tokenizer.json").read_text()))
    _write_weights(writer, folder, config, architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _write_shape(writer: Any, config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters") or {}
    theta = rope.get("full_attention", rope).get("rope_theta", 10_000.0)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(theta)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config["vocab_size"])
    if config["model_type"] == "llama":
        writer.add_rope_dimension_count(config["head_dim"])
    if config["model_type"] == "gemma3_text":
        writer.add_sliding_window(config["sliding_window"])


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
        matrix = weight.numpy()
        if config["model_type"] == "llama" and key.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config["num_attention_heads" if "q_proj" in key else "num_key_value_heads"]
            rows, columns = matrix.shape
            matrix = matrix.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        if config["model_type"] == "gemma3_text" and "norm" in key:
            matrix = matrix + 1
        writer.add_tensor(
            f"{names.get_name(key.removesuffix('.weight'))}.weight", np.ascontiguousarray(matrix, dtype=np.float32)
        )

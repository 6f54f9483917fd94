"""Tiny random-weight base models with a tokenizer of their own: real transformers folders, made in a second.

Every family's folder is made once a test session and shared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PhiConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

torch.set_num_threads(1)  # several test processes share the cores, and these models are tiny

_TEXT = [
    "Me:\nyeah ok\nhaha see you there\n\nThem:\nhey, are you coming tonight?\n\n",
    "Me:\nno idea lol\n\nThem:\nwhat do you think about the film\n\n",
]
_SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 2048,
}
FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "gemma3": (Gemma3TextConfig, {"sliding_window": 512, "query_pre_attn_scalar": 16}),
    "llama": (LlamaConfig, {}),
    "qwen3": (Qwen3Config, {"tie_word_embeddings": True}),
}
_FALCON = {"ffn_hidden_size": 128, "alibi": False, "bias": False, "parallel_attn": True}
MORE_FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "falcon": (FalconConfig, {**_FALCON, "multi_query": True, "new_decoder_architecture": False}),
    "falcon-40b": (FalconConfig, {**_FALCON, "num_kv_heads": 2, "new_decoder_architecture": True}),
    "llama2": (LlamaConfig, {"num_key_value_heads": 4}),
    "llama3": (
        LlamaConfig,
        {
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500_000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 512,
            },
        },
    ),
    "mistral": (MistralConfig, {"sliding_window": 256}),
    "qwen2": (Qwen2Config, {"tie_word_embeddings": True}),
    "phi2": (PhiConfig, {"partial_rotary_factor": 0.5, "num_key_value_heads": 4}),
    "phi3": (Phi3Config, {}),
    "phi4-mini": (Phi3Config, {"partial_rotary_factor": 0.75, "tie_word_embeddings": True}),
    "gemma2": (Gemma2Config, {"final_logit_softcapping": 0.5, "query_pre_attn_scalar": 16}),
    "granite": (GraniteConfig, {"logits_scaling": 0.25, "embedding_multiplier": 12.0}),
    "cohere": (CohereConfig, {"logit_scale": 3.0}),
}
"""What else is trained, where a test ranges over every family."""


def make_tokenizer(folder: Path) -> int:
    """Save a byte-level BPE tokenizer; returns its size."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")
    fast.save_pretrained(folder)
    return len(fast)


def make_base(folder: Path, family: str = "gemma3", seed: int = 0) -> Path:
    """A tiny base model of a family, saved as any base model is."""
    folder.mkdir(parents=True)
    size = make_tokenizer(folder)
    config_class, extra = (FAMILIES | MORE_FAMILIES)[family]
    torch.manual_seed(seed)
    shape = {name: value for name, value in _SHAPE.items() if name != "head_dim" or config_class is not FalconConfig}
    config = config_class(vocab_size=size, pad_token_id=0, bos_token_id=1, eos_token_id=2, **shape | extra)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):  # or nobody would notice one that is forgotten
                weight.normal_(std=0.5)
    model.save_pretrained(folder)
    return folder

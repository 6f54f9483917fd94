"""Tiny random-weight base models with a tokenizer of their own: real transformers folders, made in a second.

Every family's folder is made once a test session and shared.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
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
FAMILIES = {
    "gemma3": (Gemma3TextConfig, Gemma3ForCausalLM, {"sliding_window": 512, "query_pre_attn_scalar": 16}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"tie_word_embeddings": True}),
}


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
    config_class, model_class, extra = FAMILIES[family]
    torch.manual_seed(seed)
    model = model_class(
        config_class(vocab_size=size, pad_token_id=0, bos_token_id=1, eos_token_id=2, **_SHAPE, **extra)
    )
    model.save_pretrained(folder)
    return folder

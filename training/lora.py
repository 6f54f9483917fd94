"""The trainable part: low-rank adapters over every linear layer of a frozen base model.

Knows nothing of optimisers or of data.
"""

from __future__ import annotations

from peft import LoraConfig, PeftModel, get_peft_model

from inference.base_model import LoadedBase
from twin.sections import Train

_CHECKPOINTING_FROM = 1e9


def add_lora(base: LoadedBase, how: Train) -> PeftModel:
    """LoRA on every linear layer but the head; no `modules_to_save`, so adapters stay small and swappable."""
    if base.parameters > _CHECKPOINTING_FROM:
        base.model.activation_checkpointing_enable({"use_reentrant": False})
    return get_peft_model(
        base.model,
        LoraConfig(
            r=how.rank,
            lora_alpha=how.alpha,
            lora_dropout=how.dropout,
            target_modules="all-linear",
            bias="none",
            task_type="CAUSAL_LM",
        ),
    )

"""A model's shape, read from its configuration alone: the model is built without weights, on torch's meta device.

Knows nothing of memory or of training.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from transformers import AutoConfig, AutoModelForCausalLM

from inference.model_folder import locate
from training.plan import Shape
from twin.errors import ModelError
from twin.sections import EMBEDDED_MODEL
from twin.settings import Settings

_WRITES = re.compile(r"(^|_)(o|out|down|dense|fc2|dense_4h_to_h)(_proj)?$")


def known_folder(settings: Settings) -> Path:
    """Where the configuration of the configured base model lies on this machine; nothing is downloaded or converted.

    Raises:
        ModelError: it is not on this machine.
    """
    name = settings.base.model
    if name != EMBEDDED_MODEL and not Path(name).expanduser().is_dir():
        try:
            return Path(snapshot_download(name, allow_patterns=["config.json"], local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError) as error:
            raise ModelError(
                f"The base model {name!r} is not on this machine, and its name alone does not tell its shape",
                "set base.model to a folder with its config.json, or let `twin train` download it",
            ) from error
    return locate(settings, offline=True)


def shape_of(folder: Path) -> Shape:
    """The shape of the causal language model whose config.json lies in a folder.

    Raises:
        ModelError: there is none, or it is none that transformers knows.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise ModelError(
            f"The configuration of the base model in {folder} cannot be read ({type(error).__name__})",
            "check base.model in twin.toml",
        ) from error
    return _shape(model)


def _shape(model: Any) -> Shape:
    config = model.config.get_text_config()
    head = model.get_output_embeddings()
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    ]
    linear = sum(module.weight.numel() for _, module in layers)
    names = {name.rpartition(".")[2] for name, _ in layers}
    heads = config.num_attention_heads
    head_width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Shape(
        linear=linear,
        other=sum(weight.numel() for weight in model.parameters()) - linear,
        largest=max(module.weight.numel() for _, module in layers),
        lora_per_rank=sum(module.in_features + module.out_features for _, module in layers),
        lora_inputs=sum(module.in_features for _, module in layers),
        lora_inputs_shared=sum(_distinct_inputs(layers)),
        adapted=len(layers),
        norms=sum(_normalised(name, module, config, head_width) for name, module in model.named_modules()),
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=heads,
        attention=heads * head_width,
        inner=max(module.in_features for name, module in layers if _WRITES.search(name.rpartition(".")[2])),
        gated=any("gate" in name for name in names),
        vocabulary=head.weight.shape[0],
    )


def _distinct_inputs(layers: list[tuple[str, torch.nn.Linear]]) -> list[int]:
    """Widths of the inputs, one that several layers of a block read (q, k and v; gate and up) only once."""
    found: dict[tuple[str, str], int] = {}
    for name, module in layers:
        block, _, own = name.rpartition(".")
        found[block, own if _WRITES.search(own) else "reads"] = module.in_features
    return list(found.values())


def _normalised(name: str, module: Any, config: Any, head_width: int) -> int:
    """How wide what a norm is given is, over all heads; 0 for what is no norm."""
    weight = getattr(module, "weight", None)
    if not type(module).__name__.lower().endswith("norm") or weight is None or weight.dim() != 1:
        return 0
    width = int(weight.shape[0])
    if width != head_width or width == config.hidden_size:
        return width
    heads = config.num_key_value_heads if name.endswith("k_norm") else config.num_attention_heads
    return width * int(heads)

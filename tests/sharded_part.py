"""One process of several that share out a tiny base model: what it computes, what it holds.

Knows nothing of what is expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

import inference.base_model
from inference.base_model import LoadedBase, load_base
from training.encode import EMPTY, Row
from training.lora import add_lora
from training.loss import summed_loss
from training.sharding import held_bytes, layers_of, share_out
from twin.sections import Base, Train
from twin.settings import Settings

CPU = torch.device("cpu")
COUNT = 2
ROW = Row(list(range(3, 67)), list(range(64)), list(range(10, 63)), list(range(14, 67)), 1, 64)


def part(index: int, meeting: Path, folder: Path, cases: Sequence[Mapping[str, Any]]) -> None:
    """What `torch.multiprocessing.spawn` calls: every case among COUNT processes; written beside `meeting`, by index.

    Args:
        meeting: a file where the processes find one another.
    """
    torch.set_num_threads(1)
    torch.cpu.get_capabilities = dict  # as tests.conftest.tiny_base
    inference.base_model.keep_dequantized = lambda *_: False
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=index, world_size=COUNT)
    torch.save([compute(folder, case, COUNT) for case in cases], meeting.with_name(f"{index}.pt"))
    dist.destroy_process_group()


def compute(folder: Path, case: Mapping[str, Any], count: int = 1) -> dict[str, Any]:
    """Loss and gradients over one row, an empty one, and the first again; what is held, and gathered at once.

    Args:
        case: of the settings, what differs.
    """
    base = loaded(folder, case["quantization"])
    torch.manual_seed(0)
    lora = add_lora(base, Train(dropout=0, lora=case["lora"], init=case["init"]), checkpointing=case["checkpointing"])
    whole = held_bytes(lora)
    if count > 1:
        share_out(base.model, CPU, count)
    layers = layers_of(getattr(base.model, base.model.base_model_prefix))
    gathered = []
    for layer in layers:
        layer.mlp.register_forward_hook(lambda *_: gathered.append(sum(map(_is_gathered, layers))))
        layer.mlp.register_full_backward_hook(lambda *_: gathered.append(sum(map(_is_gathered, layers))))
    lora.train()
    losses = []
    for row in (ROW, EMPTY, ROW):
        loss = summed_loss(base.model, row, CPU)
        loss.backward()
        losses.append(float(loss.detach()))
    gradients = {name: weight.grad for name, weight in lora.named_parameters() if weight.requires_grad}
    held = held_bytes(lora)
    in_layers = sum(map(held_bytes, layers))
    return {
        "losses": losses,
        "gradients": gradients,
        "whole": whole,
        "held": held,
        "beside": held - in_layers,
        "trained": sum(gradient.nbytes for name, gradient in gradients.items() if ".layers." in name),
        "at_once": max(gathered),
    }


def loaded(folder: Path, quantization: str) -> LoadedBase:
    """The base model as a training loads it that will share it out."""
    base = Base.model_validate({"model": str(folder), "quantization": quantization})
    return load_base(Settings(home=folder, base=base), sharded=True)


def _is_gathered(layer: torch.nn.Module) -> bool:
    return not any(isinstance(weight, DTensor) for weight in layer.parameters())

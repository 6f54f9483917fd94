"""A frozen base model shared out among processes: each keeps a part of every layer and borrows the rest for a moment.

Knows nothing of adapters' gradients, of data or of who started the processes.

PyTorch's FSDP2 (`fully_shard`, Zhao et al. 2023) over the decoder's layers: before a layer computes, forward or
backward, its weights are gathered from all processes, and dropped again after it. What is trained is whole in every
process, as it is without sharding, and so are embeddings, head and final norm: the loss reads the head's matrix by
itself. A gathering is a meeting, so all processes must make the same passes in the same order.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor


def share_out(model: Any, device: torch.device, count: int) -> None:
    """Leave of every decoder layer's frozen weights this process's part, on the device; all else goes there whole.

    Args:
        model: a causal LM, with LoRA in it or not, wherever it was loaded; the same in all processes.
        count: of processes; each must call this.
    """
    mesh = init_device_mesh(device.type, (count,))
    decoder = getattr(model, model.base_model_prefix)
    for layer in layers_of(decoder):
        layer.to(device)
        fully_shard(layer, mesh=mesh, reshard_after_forward=True, ignored_params=_trained(layer))
    whole = {weight for weight in model.parameters() if not isinstance(weight, DTensor)}
    for tensor in chain(whole, model.buffers()):
        tensor.data = tensor.data.to(device)
    fully_shard(decoder, mesh=mesh, ignored_params=whole)  # has no weights of its own: one root for all layers


def layers_of(decoder: torch.nn.Module) -> list[torch.nn.Module]:
    """The decoder's layers, in order: what stands in its heaviest list of modules."""
    lists = [module for module in decoder.modules() if isinstance(module, torch.nn.ModuleList)]
    heaviest: torch.nn.ModuleList = max(lists, key=lambda found: sum(weight.numel() for weight in found.parameters()))
    return [*heaviest]


def held_bytes(model: torch.nn.Module) -> int:
    """Bytes of the weights that this process holds, between passes."""
    held = (weight.to_local() if isinstance(weight, DTensor) else weight for weight in model.parameters())
    return sum(weight.numel() * weight.element_size() for weight in held)


def _trained(layer: torch.nn.Module) -> set[torch.nn.Parameter]:
    return {weight for weight in layer.parameters() if weight.requires_grad}

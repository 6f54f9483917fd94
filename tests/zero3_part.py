"""One process of several that share out a tiny base model by DeepSpeed: what it computes, what it holds.

Knows nothing of what is expected.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.reductions import StorageWeakRef

import inference.base_model
from tests.sharded_part import COUNT, CPU, ROW, loaded
from training.deepspeed_file import zero_config
from training.encode import EMPTY
from training.lora import add_lora
from training.loss import summed_loss
from training.sharding import layers_of
from twin.sections import Train


def part(index: int, meeting: Path, folder: Path, cases: Sequence[Mapping[str, Any]]) -> None:
    """As tests.sharded_part.part."""
    torch.set_num_threads(1)
    torch.cpu.get_capabilities = dict
    inference.base_model.keep_dequantized = lambda *_: False
    os.environ["LOCAL_RANK"] = str(index)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=index, world_size=COUNT)
    torch.save([compute(folder, case, COUNT) for case in cases], meeting.with_name(f"{index}.pt"))
    dist.destroy_process_group()


def compute(folder: Path, case: Mapping[str, Any], count: int = 1) -> dict[str, Any]:
    """Loss and gradients over a row, an empty one, the row measured, and learned again; what is held and gathered.

    Args:
        case: of the settings, what differs; `file` is DeepSpeed's.
    """
    from training.zero3 import let_go, share_out

    base = loaded(folder, case["quantization"])
    torch.manual_seed(0)
    how = Train(dropout=0, lora=case["lora"], init=case["init"], sharding="deepspeed", deepspeed_config=case["file"])
    lora = add_lora(base, how, checkpointing=True)
    if count > 1:
        share_out(base.model, CPU, zero_config(how))
    layers = layers_of(getattr(base.model, base.model.base_model_prefix))
    gathered = Gathered([weight for layer in layers for weight in layer.parameters() if not weight.requires_grad])
    for layer in layers:
        layer.self_attn.register_forward_hook(gathered.look)
        layer.mlp.down_proj.base_layer.register_forward_pre_hook(gathered.look)
        layer.mlp.down_proj.register_full_backward_hook(gathered.look)
    lora.train()
    losses = []
    for row, learns in ((ROW, True), (EMPTY, True), (ROW, False), (ROW, True)):
        with torch.set_grad_enabled(learns), lora.disable_adapter() if not learns else torch.enable_grad():
            loss = summed_loss(base.model, row, CPU) if learns else measured(base.model)
        if learns:
            loss.backward()
        losses.append(float(loss.detach()))
    found = {
        "losses": losses,
        "gradients": {name: weight.grad for name, weight in lora.named_parameters() if weight.requires_grad},
        "held": gathered.held(),
        "at_once": gathered.most,
    }
    if count > 1:
        let_go(base.model)
        found["left"] = gathered.held() + sum(weight.nbytes for weight in lora.parameters())
    return found


@torch.no_grad()
def measured(model: Any) -> torch.Tensor:
    """The loss of a model in evaluation mode, as between two steps of a training."""
    model.eval()
    loss = summed_loss(model, ROW, CPU)
    model.train()
    return loss


class Gathered:
    """How many bytes of some weights there are, whoever keeps them alive.

    Args:
        weights: shared out or not.

    Attributes:
        most: the most that was ever seen at once, of whole weights.
    """

    def __init__(self, weights: Sequence[Any]) -> None:
        self._weights = weights
        self._seen: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0

    def look(self, *_: Any) -> None:
        """Note what is whole now, and count what of all that was seen is still there."""
        for weight in self._weights:
            if weight.numel():
                seen = StorageWeakRef(weight.untyped_storage())
                self._seen[seen.cdata] = seen, weight.untyped_storage().nbytes()
        self._seen = {key: seen for key, seen in self._seen.items() if not seen[0].expired()}
        self.most = max(self.most, sum(size for _, size in self._seen.values()))

    def held(self) -> int:
        """Bytes of what this process holds just now."""
        parts = (getattr(weight, "ds_tensor", None) for weight in self._weights)
        return sum(weight.nbytes for weight in self._weights) + sum(part.nbytes for part in parts if part is not None)

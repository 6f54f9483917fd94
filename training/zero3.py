"""A frozen base model shared out among processes by DeepSpeed's ZeRO-3, the other way beside training/sharding.py.

Knows nothing of adapters' gradients, of data or of who started the processes.

ZeRO-3 (Rajbhandari et al. 2020) over the decoder's layers: each weight is gathered where a module computes with it,
forward or backward, and dropped again. DeepSpeed is shown frozen weights alone: while it takes the model over, all that
stays whole (the adapter, embeddings, head, final norm) is out of its sight, and neither its optimisers nor its engine
are used. Gathering is a meeting, as with FSDP. Activations are computed again in the backward pass: autograd would
keep a gathered weight alive until then (of 4-bit ones even with torch's other way of computing them again).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from pydantic import ValidationError

from training.sharding import layers_of
from twin.errors import ModelError, SettingsError


def share_out(model: Any, device: torch.device, config: dict[str, Any]) -> None:
    """Leave of every decoder layer's frozen weights this process's part; all else goes to the device whole.

    Args:
        model: a causal LM with LoRA in it, wherever it was loaded; the same in all processes, each of which must call
            this after torch's process group is there.
        config: see `training.deepspeed_file.zero_config`.

    Raises:
        ModelError: the model's family cannot compute activations again.
        SettingsError: DeepSpeed does not take the configuration; see `understood`.
    """
    if not model.supports_gradient_checkpointing:
        raise ModelError(
            f"Models of the family {model.config.model_type!r} cannot be shared out by DeepSpeed",
            'set train.sharding to "fsdp"',
        )
    with redirect_stdout(sys.stderr):  # what it logs goes where the logger found stdout
        _take_over(model, device, config)
    model.activation_checkpointing_enable({"use_reentrant": True})
    model.enable_input_require_grads()  # else nothing of the first layer would be computed backward


def let_go(model: Any) -> None:
    """Free a model's weights, parts included, which DeepSpeed refers to for as long as the process lives."""
    for weight in model.parameters():
        if _is_shared(weight):
            weight.ds_tensor.data = torch.empty(0)
        weight.data = torch.empty(0, dtype=weight.dtype)


def understood(config: dict[str, Any]) -> Any:
    """DeepSpeed's own view of its settings for ZeRO, defaults filled in.

    Raises:
        SettingsError: there are some that it does not know, or values that it does not take.
    """
    from deepspeed.runtime.config import DeepSpeedConfig

    try:
        return DeepSpeedConfig(config).zero_config
    except ValidationError as error:
        names = sorted({".".join(map(str, part["loc"])) for part in error.errors()})
        raise SettingsError(
            f"DeepSpeed does not take these settings of its zero_optimization: {', '.join(names)}",
            "check the file that train.deepspeed_config names",
        ) from None


def _take_over(model: Any, device: torch.device, config: dict[str, Any]) -> None:
    deepspeed = _deepspeed(device)
    from deepspeed.runtime.zero.parameter_offload import DeepSpeedZeRoOffload

    zero = understood(config)
    decoder = getattr(model, model.base_model_prefix)
    layers = layers_of(decoder)
    for layer in layers:
        layer.to(device)
        frozen = {id(weight) for weight in layer.parameters() if not weight.requires_grad}
        with _only(layer, frozen):
            deepspeed.zero.Init(module=layer, config_dict_or_path=config)
    for tensor in [*model.buffers(), *(weight for weight in model.parameters() if not _is_shared(weight))]:
        tensor.data = tensor.data.to(device)
    with _only(decoder, {id(weight) for weight in decoder.parameters() if _is_shared(weight)}):
        DeepSpeedZeRoOffload(  # what deepspeed.initialize makes of a model without an optimiser
            decoder,
            None,
            config,
            overlap_comm=bool(zero.overlap_comm),
            prefetch_bucket_size=zero.prefetch_bucket_size,
            max_reuse_distance=zero.max_reuse_distance,
            max_live_parameters=zero.max_live_parameters,
            param_persistence_threshold=zero.param_persistence_threshold,
            model_persistence_threshold=zero.model_persistence_threshold,
            offload_param_config=zero.offload_param,
        )
    for adapted in (part for layer in layers for part in layer.modules() if isinstance(part, LoraLayer)):
        # DoRA reads the weight by itself, after the layer that owns it has computed.
        deepspeed.zero.register_external_parameter(adapted, adapted.get_base_layer().weight)


def _deepspeed(device: torch.device) -> Any:
    """The package, told which device it computes on, over the process group that there is."""
    os.environ.setdefault("DS_ACCELERATOR", device.type)
    warnings.filterwarnings("ignore", message=".*all_gather_into_tensor", category=FutureWarning)
    import deepspeed

    if device.type == "cpu":
        # For an inference kernel that nothing here uses, it would run g++ for a minute in one process, under a lock
        # file for which the others wait; the lock stays if that process is killed, and everybody waits for ever.
        comm: Any = import_module("deepspeed.comm.torch")
        comm.build_shm_op = lambda: None
    deepspeed.init_distributed(torch.distributed.get_backend(), dist_init_required=False)
    return deepspeed


def _is_shared(weight: Any) -> bool:
    return hasattr(weight, "ds_tensor")


@contextmanager
def _only(model: torch.nn.Module, shown: set[int]) -> Iterator[None]:
    """Meanwhile, modules that have weights, but none of those shown (by id), are not in the model."""
    whole = [(module, dict(module._modules)) for module in model.modules()]
    for module, children in whole:
        for name, child in children.items():
            found = [id(weight) for weight in child.parameters()] if child is not None else []
            if found and not shown.intersection(found):
                module._modules.pop(name)
    try:
        yield
    finally:
        for module, children in whole:
            module._modules.clear()
            module._modules.update(children)

"""What DeepSpeed is told: defaults, or a configuration file of one's own, of which the part on ZeRO counts.

Knows nothing of torch, of models or of processes. Batch size, optimiser, schedule and number formats, which such a file
also holds for other trainers, are this training's own; they are not read.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twin.errors import SettingsError
from twin.sections import Train

_STAGE = 3
# DeepSpeed's own default, to keep what is used again within 1e9 numbers, would keep most of a model gathered: several
# 4-bit weights are one number.
_DEFAULTS: dict[str, Any] = {"stage": _STAGE, "stage3_max_reuse_distance": 0}
_REFUSED: dict[str, tuple[Any, ...]] = {  # what may stand there all the same
    "zero_quantized_weights": (False,),
    "zero_quantized_nontrainable_weights": (False,),
    "zero_hpz_partition_size": (1,),
    "mics_shard_size": (-1, 0),
}


def check(how: Train) -> None:
    """Make sure, before processes are started, that DeepSpeed is there and can do what its file asks for.

    Raises:
        SettingsError: it is not, or it cannot; see `zero_config`.
    """
    if how.sharding != "deepspeed":
        return
    if find_spec("deepspeed") is None:
        raise SettingsError(
            'train.sharding is "deepspeed", but the package deepspeed is not installed',
            "run `pip install '.[deepspeed]'`, or set train.sharding to \"fsdp\"",
        )
    zero_config(how)


def zero_config(how: Train) -> dict[str, Any]:
    """What `deepspeed.zero.Init` takes; values that are "auto" are left to DeepSpeed.

    Raises:
        SettingsError: the file cannot be read, asks for another stage, or for what would change the frozen weights.
    """
    zero = dict(_DEFAULTS)
    if how.deepspeed_config is not None:
        path = Path(how.deepspeed_config).expanduser()
        zero |= _checked(path, _read(path))
    zero["memory_efficient_linear"] = False  # would replace torch.nn.functional.linear, for good
    return {"train_micro_batch_size_per_gpu": 1, "zero_optimization": zero}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        zero = found["zero_optimization"]
        return {name: value for name, value in _without_auto(zero).items() if name != "offload_optimizer"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{str(path)!r} cannot be read as a configuration of DeepSpeed ({type(error).__name__})",
            'check train.deepspeed_config: JSON with "zero_optimization" in it',
        ) from error


def _without_auto(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _without_auto(part) for name, part in value.items() if part != "auto"}


def _checked(path: Path, zero: dict[str, Any]) -> dict[str, Any]:
    if zero.get("stage") != _STAGE:
        raise SettingsError(
            f"{str(path)!r} does not ask for ZeRO stage 3, the one that shares out a frozen base model",
            'set "stage" to 3 there, or train.sharding to "none": stages 1 and 2 share what is small for an adapter',
        )
    for name, allowed in _REFUSED.items():
        if name in zero and zero[name] not in allowed:
            raise SettingsError(f"{str(path)!r} sets {name!r}, which twin cannot train through", "remove it there")
    offload = zero.get("offload_param") or {}
    if isinstance(offload, dict) and offload.get("device") == "nvme":
        raise SettingsError(f"{str(path)!r} keeps weights on NVMe, which twin cannot", 'set the device to "cpu" there')
    return zero

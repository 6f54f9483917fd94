"""How much memory this machine has for a training, and how its model computes there.

Knows nothing of models' shapes or of what fits: training/plan.py works that out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from inference.base_model import has_bf16
from training.launch import processes_here
from training.plan import GIB, Device, How, Plan, plan_for
from training.shape import shape_of
from twin.settings import Settings

_RAM_SHARE = 0.9  # of what is available now: something else may want some meanwhile


@dataclass(frozen=True, slots=True)
class Room:
    """Where training happens, and how much memory each process may use there, in bytes."""

    device: Device
    name: str
    memory: int
    processes: int


def room_of(settings: Settings, gpu_memory: float | None = None) -> Room:
    """The smallest card of this machine, else its RAM shared by all processes; or a card of so many GiB, not here.

    What is free counts, with what this process itself has taken already.
    """
    if gpu_memory is not None:
        return Room("cuda", f"a GPU of {gpu_memory:g} GiB", int(gpu_memory * GIB), settings.train.processes or 1)
    here = processes_here(settings.train)
    if torch.cuda.is_available():
        free = min(torch.cuda.mem_get_info(card)[0] for card in range(torch.cuda.device_count()))
        return Room("cuda", torch.cuda.get_device_name(), free + torch.cuda.memory_reserved(), here)
    free = psutil.virtual_memory().available + psutil.Process().memory_info().rss
    return Room("cpu", "this machine's RAM", int(_RAM_SHARE * free / here), here)


def how_of(settings: Settings, room: Room) -> How:
    """What of the settings decides over memory there; a card that is not here is taken for one with bf16."""
    absent = room.device == "cuda" and not torch.cuda.is_available()
    width = 2 if absent or has_bf16(torch.device(room.device)) else 4
    return How(
        device=room.device,
        quantization=settings.base.quantization,
        width=width,
        rank=settings.train.rank * (2 if settings.train.init == "pissa" else 1),
        dropout=settings.train.dropout > 0,
    )


def plan_here(settings: Settings, folder: Path) -> Plan:
    """The plan of a training that begins on this machine now, over the base model in a folder.

    Raises:
        ModelError: the base model's configuration cannot be read.
    """
    room = room_of(settings)
    return plan_for(shape_of(folder), how_of(settings, room), settings, room.memory, room.processes)

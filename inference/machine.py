"""What this machine has, found out without torch: whether there is a GPU, how many cores are ours.

Knows nothing of models or engines.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib import metadata

from twin.settings import hides_gpus

_MANAGEMENT = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"


def has_gpu() -> bool:
    """Whether there is a GPU that torch as it is installed here can use.

    NVIDIA's management library (NVML) is asked, which takes no memory on the card as torch would.
    """
    if hides_gpus():
        return False
    try:
        return not metadata.version("torch").endswith("+cpu") and _cards() > 0
    except metadata.PackageNotFoundError:
        return False


def cores() -> int:
    """On how many of the CPU's cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cards() -> int:
    count = ctypes.c_uint(0)
    try:
        library = ctypes.CDLL(_MANAGEMENT)
        if library.nvmlInit_v2() != 0:
            return 0
        library.nvmlDeviceGetCount_v2(ctypes.byref(count))
        library.nvmlShutdown()
    except (OSError, AttributeError):
        return 0
    return count.value

"""The heap: memory that a step on the CPU freed goes back to the system.

Knows nothing of tensors or of GPUs, whose memory torch keeps by itself.

Every batch has other lengths, so what one step frees seldom fits what the next one asks for, and glibc keeps the pieces
(up to 32 MiB each, as its threshold for mmap grows by itself): of a process that needs 4 GiB, 6 to 7 stay after some
hundred steps. `malloc_trim` returns whole pages from anywhere in the heap (mallopt(3), malloc_trim(3)).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Return what is free to the system; nothing where the C library is not glibc."""
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None

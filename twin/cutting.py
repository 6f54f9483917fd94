"""Cutting: how a conversation over its budget becomes stretches that fit, the same for training and for serving.

Knows nothing of what turns say; their lengths in tokens are all it sees.

A stretch grows turn by turn until the next one would not fit. Then a new one starts with the latest turns again, up to
a given length, and grows in its turn. So the contexts of one conversation's successive replies begin alike almost
always, and what a model has read of one it need not read again for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """Turns `start` up to `end` (exclusive), of which those before `new` stand in an earlier stretch already."""

    start: int
    new: int
    end: int


def stretches(lengths: Sequence[int], room: int, repeat: int) -> list[Stretch]:
    """Cut turns into stretches, in order; each turn is new in exactly one of them.

    Where it cuts depends on the turns up to there alone, so turns that follow never change it.

    Args:
        lengths: of each turn, in tokens.
        room: the most tokens of a stretch. A turn that is longer has a stretch of its own.
        repeat: the most tokens of earlier turns that a stretch starts with.
    """
    found: list[Stretch] = []
    start = new = used = 0
    for place, length in enumerate(lengths):
        if place > new and used + length > room:
            found.append(Stretch(start, new, place))
            start, used = _repeated(lengths, place, min(repeat, room - length))
            new = place
        used += length
    if lengths:
        found.append(Stretch(start, new, len(lengths)))
    return found


def _repeated(lengths: Sequence[int], end: int, allowed: int) -> tuple[int, int]:
    """Where the latest turns before `end` begin that fit into `allowed` tokens, and how long they are."""
    start, used = end, 0
    while start and used + lengths[start - 1] <= allowed:
        start -= 1
        used += lengths[start]
    return start, used

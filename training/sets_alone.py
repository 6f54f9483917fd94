"""What is held out where there are no dialogs at all: the last rows of every imported set.

Knows nothing of storage. Rows of sets have no times; the order in which they were written is all that is known of
what came later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from training.cuts import SPLITS, Cuts, Split, too_few
from twin.messages import Session
from twin.sections import DatasetSettings

CUTS = Cuts(datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(0, UTC))
"""Says that nothing was cut by time."""


def hold_out(found: Sequence[Session], settings: DatasetSettings) -> dict[Split, list[Session]]:
    """Every set's rows by part: the last for the test part, those before them for validation, all others to learn.

    Held-out rows stand there once, whatever the weight of their set, and in training not at all.

    Args:
        found: a set's rows one after another, in their order, repeated by weight.

    Raises:
        DatasetError: too few rows to learn from and to hold out.
    """
    parts: dict[Split, list[Session]] = {split: [] for split in SPLITS}
    for _, rows in groupby(found, key=lambda session: session.origin):
        its = list(rows)
        distinct = list(dict.fromkeys(its))
        most = settings.max_held_out_turns
        test = _count(settings.test_share, len(distinct), most)
        val = _count(settings.val_share, len(distinct) - test, most)
        held = distinct[len(distinct) - test - val :]
        parts["val"] += held[:val]
        parts["test"] += held[val:]
        gone = set(held)
        parts["train"] += [session for session in its if session not in gone]
    if not all(any(session.supervisable_turns for session in parts[split]) for split in ("train", "val")):
        raise too_few()
    return parts


def _count(share: float, rows: int, most: int) -> int:
    return min(most, max(1, round(share * rows))) if rows > 1 else 0

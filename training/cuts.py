"""Where held-out begins: the moments from which messages choose a checkpoint, or are reported on.

Knows nothing of storage or of what was said; it counts supervised turns and their times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from twin.errors import DatasetError
from twin.messages import Session, Turn
from twin.sections import DatasetSettings

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where validation and test begin, aware UTC: held-out means *later* than everything before it."""

    val_from: datetime
    test_from: datetime

    def split_of(self, moment: datetime) -> Split:
        """Which part a message of this moment belongs to."""
        return "test" if moment >= self.test_from else "val" if moment >= self.val_from else "train"


def find_cuts(found: Sequence[Session], settings: DatasetSettings) -> Cuts:
    """See `cuts_among`, of sessions."""
    starts = [time_of(session.turns[0]) for session in found]
    turns = [time_of(turn) for session in found for turn in session.turns if turn.is_supervisable]
    return cuts_among(starts, turns, settings)


def cuts_among(starts: Sequence[datetime], turns: Iterable[datetime], settings: DatasetSettings) -> Cuts:
    """Where to cut: as set, else so that the latest shares of supervised turns are held out.

    A cut is the start of a session where that comes close to the share, else of a turn.

    Args:
        starts: of all sessions, in any order; `turns` of all supervised turns.

    Raises:
        DatasetError: fewer than three supervised turns, or the cuts are in the wrong order.
    """
    turns = sorted(turns)
    if len(turns) < 3:
        raise too_few()
    limit = settings.max_held_out_turns
    test_from = settings.test_from or _cut(turns, starts, min(settings.test_share * len(turns), limit))
    test_from = _aware(test_from)
    before = [moment for moment in turns if moment < test_from]
    val_from = settings.val_from or _cut(before, starts, min(settings.val_share * len(turns), limit))
    cuts = Cuts(_aware(val_from), test_from)
    if cuts.val_from > cuts.test_from:
        raise DatasetError("dataset.val_from is later than dataset.test_from", "exchange them in twin.toml")
    return cuts


def _cut(turns: Sequence[datetime], starts: Sequence[datetime], wanted: float) -> datetime:
    if len(turns) < 2:
        raise too_few()
    exact = turns[-max(1, round(wanted))]
    earlier = max((start for start in starts if start <= exact), default=exact)
    held_out = sum(moment >= earlier for moment in turns)
    return earlier if held_out <= 2 * wanted + 1 and earlier > turns[0] else exact


def time_of(turn: Turn) -> datetime:
    """When a stored turn began.

    Raises:
        DatasetError: it has no time.
    """
    if turn.started_at is None:
        raise DatasetError("A stored message has no time", "ingest it again")
    return turn.started_at


def too_few() -> DatasetError:
    """There is nothing to train on, or nothing to measure with."""
    return DatasetError(
        "There are too few replies of yours to learn from and to hold out",
        "ingest more dialogs with `twin ingest export`, and check `twin ingest status`",
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""A snapshot as the material of a report: contexts spread evenly over the test part, and what people wrote when.

Knows nothing of models or measures. Only the owner's own dialogs count: what was imported or made is in no report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from training.cuts import SPLITS, Split
from training.fidelity.material import Context, Material, Reply, bubbles_of
from training.snapshot import Snapshot
from twin.errors import DatasetError
from twin.held_out import answered, asked
from twin.messages import Session, Speaker

FULL, QUICK = 400, 100
"""How many contexts a report is made of."""

_Any = TypeVar("_Any")


def gather(snapshot: Snapshot, contexts: int = FULL, part: Literal["val", "test"] = "test") -> Material:
    """Read a snapshot.

    Args:
        contexts: at most so many, spread evenly over the held-out part.
        part: what is held out. With "val", on which settings are tuned so that the test part stays unseen, it stands
            for the test part, and training for validation.

    Raises:
        DatasetError: the held-out part has no reply of the owner to somebody.
    """
    parts = {split: _numbered(snapshot, split) for split in SPLITS}
    if part == "val":
        parts |= {"test": parts["val"], "val": parts["train"]}
    chosen = evenly(_contexts(parts["test"]), contexts)
    if not chosen:
        raise DatasetError(f"The {part} part has no reply of yours", "ingest newer dialogs, then retrain")
    owner = {split: _replies(parts[split], "owner") for split in SPLITS}
    partner = {split: _replies(parts[split], "other") for split in SPLITS}
    return Material(
        tuple(chosen),
        owner_train=owner["train"],
        owner_val=owner["val"],
        owner_test=owner["test"],
        partner_train=partner["train"],
        partner_val=partner["val"],
        partner_test=partner["test"],
        past=tuple(_contexts(parts["train"])),
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A session and its place in its part, by which it is called: the same in every run on one snapshot."""

    session: Session
    place: int

    @property
    def dialog(self) -> int:
        """Its chat; a number of its own where it belongs to none."""
        return self.session.chat_id or -1 - self.place

    def contexts(self) -> list[Context]:
        """Every moment in which the owner answers the other side with words that may be learned."""
        return [self._context(number) for number in answered(self.session)]

    def _context(self, number: int) -> Context:
        name = f"{self.session.chat_id}:{self.place}:{number}"
        reply = Reply(bubbles_of(self.session.turns[number]), self.dialog)
        return Context(name, asked(self.session, number), self.session, number, reply)


def contexts_of(snapshot: Snapshot, split: Split) -> list[Context]:
    """Every moment of a part in which the owner answers."""
    return _contexts(_numbered(snapshot, split))


def evenly(every: Sequence[_Any], count: int) -> list[_Any]:
    """So many of them, or all, spread evenly."""
    count = min(count, len(every))
    return [every[int((place + 0.5) * len(every) / count)] for place in range(count)]


def _numbered(snapshot: Snapshot, split: Split) -> list[Placed]:
    """The owner's own dialogs in a part; in a home that has none, what was imported."""
    every = [Placed(session, place) for place, session in enumerate(snapshot.sessions(split))]
    return [found for found in every if found.session.chat_id] or every


def _contexts(found: Iterable[Placed]) -> list[Context]:
    return [context for placed in found for context in placed.contexts()]


def _replies(found: Iterable[Placed], speaker: Speaker) -> tuple[Reply, ...]:
    return tuple(
        Reply(bubbles_of(turn), placed.dialog)
        for placed in found
        for turn in placed.session.turns
        if turn.speaker == speaker
        and (turn.is_supervisable if speaker == "owner" else any(bubble.authored for bubble in turn.bubbles))
    )

"""The audit: which secrets stand in the owner's messages, by kind and by dialog, told without giving one away.

Knows nothing of tables. It renews the vault, as every build does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from training.gathering import Gathered, Progress, gather
from training.history import History
from training.processes import uncollected
from twin.messages import Session
from twin.privacy import masked
from twin.settings import Settings
from twin.store import Store

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A dialog, or an imported set, in which secrets stand.

    Attributes:
        chat_id: None for a set.
        name: of the other person (None when nobody knows it), or of the set.
        found: by label.
    """

    chat_id: int | None
    name: str | None
    found: dict[str, int]


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found.

    Attributes:
        found: secrets by label, most first.
        examples: by label, up to three as masked previews.
        places: those with most secrets first.
        left_out: messages that training never sees, by reason.
        replaced: messages that training sees with placeholders.
        failed: messages that could not be examined; they are left out.
        dialogs: how many were looked at, and how many not, by reason.
        scrub: whether a build takes out what was found.
    """

    found: dict[str, int]
    examples: dict[str, list[str]]
    places: tuple[Place, ...]
    left_out: dict[str, int]
    replaced: int
    dialogs: dict[str, int]
    scrub: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values for scripts; no secret is among them."""
        return {
            "found": self.found,
            "examples": self.examples,
            "places": [{"chat_id": p.chat_id, "name": p.name, "found": p.found} for p in self.places],
            "left_out": self.left_out,
            "replaced": self.replaced,
            "dialogs": self.dialogs,
            "scrub": self.scrub,
        }


@dataclass(slots=True)
class _Seen:
    """What came by."""

    by_place: defaultdict[tuple[int | None, str | None], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    examples: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def take(self, where: History | Session, label: str, value: str) -> None:
        """See `training.gathering.Find`."""
        place = (where.chat_id, where.name) if isinstance(where, History) else (None, where.origin)
        self.by_place[place][label] += 1
        if len(self.examples[label]) < _EXAMPLES:
            self.examples[label][masked(value)] = None


def audit(
    store: Store, settings: Settings, *, on_progress: Progress = lambda _what, _share: None, workers: int | None = None
) -> Audit:
    """Look at everything that training would see.

    Raises:
        DatasetError: a worker process died.
        StoreError: the vault cannot be read or written.
    """
    seen = _Seen()
    with uncollected():
        gathered = gather(
            store, settings, store.dialogs(), {}, on_progress=on_progress, on_find=seen.take, workers=workers
        )
        return Audit(
            found=dict(gathered.found.most_common()),
            examples={label: list(seen.examples[label]) for label, _ in gathered.found.most_common()},
            places=tuple(
                Place(chat_id, name, dict(found.most_common()))
                for (chat_id, name), found in sorted(seen.by_place.items(), key=lambda item: -item[1].total())
            ),
            left_out=dict(_left_out(gathered).most_common()),
            replaced=_replaced(gathered),
            dialogs=dict(gathered.dialogs),
            scrub=settings.privacy.scrub,
        )


def _left_out(gathered: Gathered) -> Counter[str]:
    return Counter(reason for history in gathered.histories for run in history.runs for reason in run.gone.values())


def _replaced(gathered: Gathered) -> int:
    return sum(
        shown is not raw and place not in run.gone
        for history in gathered.histories
        for run in history.runs
        for place, (raw, shown) in enumerate(zip(run.raw, run.shown, strict=True))
    )

"""Account: what came in, and what did not, under a reason and with its number.

Knows nothing of formats; it never holds a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from twin.messages import Turn

_SHOWN = 10


@dataclass(slots=True)
class Account:
    """Counts of one import, export or recipe.

    Attributes:
        rows: conversations that came through.
        turns: of them, both sides.
        owner_turns, characters: the owner's supervised ones.
        left_out: numbers of the records that did not, by reason; counting starts at 1.
        notes: parts of records that were left out, changed, or are worth knowing, with their counts.
    """

    rows: int = 0
    turns: int = 0
    owner_turns: int = 0
    characters: int = 0
    left_out: dict[str, list[int]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def take(self, turns: Iterable[Turn]) -> None:
        """Count a conversation that came through."""
        found = tuple(turns)
        learned = [turn for turn in found if turn.is_supervisable]
        self.rows += 1
        self.turns += len(found)
        self.owner_turns += len(learned)
        self.characters += sum(turn.characters for turn in learned)

    def leave_out(self, number: int, reason: str) -> None:
        """Count a record that did not."""
        self.left_out.setdefault(reason, []).append(number)

    @property
    def left_out_records(self) -> int:
        """How many records did not come through."""
        return sum(map(len, self.left_out.values()))

    def reasons(self) -> list[str]:
        """Each reason in words: "2 no answer (records 4, 17)"."""
        return [f"{len(numbers):,} {reason} ({_numbers(numbers)})" for reason, numbers in self.left_out.items()]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for scripts; of each reason's numbers the first ten."""
        return {
            "rows": self.rows,
            "turns": self.turns,
            "owner_turns": self.owner_turns,
            "characters": self.characters,
            "left_out": {
                reason: {"count": len(numbers), "records": numbers[:_SHOWN]}
                for reason, numbers in self.left_out.items()
            },
            "notes": dict(self.notes),
        }


def _numbers(numbers: list[int]) -> str:
    more = ", ..." if len(numbers) > _SHOWN else ""
    return f"record{'s' if len(numbers) > 1 else ''} {', '.join(f'{number:,}' for number in numbers[:_SHOWN])}{more}"

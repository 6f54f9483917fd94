"""Sessions on their way into a snapshot: the line that each will be, and what it holds as numbers.

Knows nothing of why a session is changed. It is read again from its line only when it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.sheet import Mask, Sheet
from twin.messages import Session
from twin.session_lines import read_session, write_session


@dataclass(frozen=True, slots=True)
class Drafts:
    """Lines and their sheet, a row of it for each line."""

    lines: list[str]
    sheet: Sheet

    @classmethod
    def of(cls, found: Sequence[Session]) -> Drafts:
        """Of sessions, in their order."""
        return cls([write_session(session) for session in found], Sheet.of(found))

    @classmethod
    def join(cls, parts: Sequence[Drafts]) -> Drafts:
        """Several as one, in their order."""
        if not parts:
            return cls.of([])
        return cls([line for part in parts for line in part.lines], Sheet.join([part.sheet for part in parts]))

    def take(self, chosen: Mask) -> Drafts:
        """Some of them, as a mask."""
        return Drafts([self.lines[row] for row in np.flatnonzero(chosen).tolist()], self.sheet.take(chosen))

    def session(self, row: int) -> Session:
        """One of them."""
        return read_session(self.lines[row])

    def without(self, rows: Iterable[int]) -> Drafts:
        """All but some."""
        kept = np.ones(len(self.lines), dtype=np.bool_)
        kept[list(rows)] = False
        return self.take(kept)

    def withhold(self, reasons: Mapping[int, str]) -> list[str]:
        """The lines with some turns (by their row in the sheet) withheld."""
        by_session: dict[int, dict[int, str]] = {}
        for turn, reason in reasons.items():
            session = int(self.sheet.session_of_turn[turn])
            by_session.setdefault(session, {})[int(self.sheet.place_of_turn[turn])] = reason
        lines = self.lines.copy()
        for row, its in by_session.items():
            lines[row] = write_session(_withheld(self.session(row), its))
        return lines

    def order(self) -> list[int]:
        """The rows by beginning, then by dialog, then as they are."""
        return [int(row) for row in np.lexsort((self.sheet.chat, self.sheet.start))]

    def __iter__(self) -> Iterator[Session]:
        return (read_session(line) for line in self.lines)


def _withheld(session: Session, reasons: Mapping[int, str]) -> Session:
    turns = tuple(
        replace(turn, withheld=reasons[place]) if place in reasons else turn for place, turn in enumerate(session.turns)
    )
    return replace(session, turns=turns)

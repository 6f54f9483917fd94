"""Suggested replies, and what became of each: rows that are written before anything of them is seen.

Knows nothing of Telegram. Every change of a draft counts up its version, and whoever shows drafts notes which version
was shown: so what a killed bot did not come to show is shown at the next start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlite_utils import Database

Outcome = Literal["open", "sent", "edited", "skipped", "answered", "stale", "late", "refused", "none"]
"""open: waits for the owner. sent, edited: said, as suggested or as the owner put it. skipped: by the owner. answered:
the owner wrote themselves. stale: the other wrote again, or took it back. late: it is too late to send anything.
refused: by Telegram. none: nothing could be suggested."""

_COLUMNS = (
    "id, place, update_id, until_id, created_at, adapter, bubbles, outcome, said, note, decided_by, is_asked, card_id,"
    " version"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """One suggested reply.

    Attributes:
        place: the chat it is for; see `twin.places`.
        update_id: the first update that it answers.
        until_id: the row of the history up to which it was thought of.
        adapter: the version that wrote it.
        bubbles: what it suggests.
        said: what the owner said in its stead, if it was edited.
        note: a sentence for the owner.
        decided_by: the update by which it was sent.
        is_asked: whether the owner was asked what to say in its stead.
        card_id: the message that shows it to the owner; None before it was shown.
    """

    id: int
    place: int
    update_id: int | None
    until_id: int
    created_at: float
    adapter: str | None
    bubbles: tuple[str, ...]
    outcome: Outcome
    said: tuple[str, ...]
    note: str | None
    decided_by: int | None
    is_asked: bool
    card_id: int | None
    version: int


class Drafts:
    """Rows of `business_drafts` over one database connection.

    Args:
        clock: gives the time as UTC epoch seconds.

    Attributes:
        changed: called after every change.
    """

    def __init__(self, db: Database, clock: Callable[[], float]) -> None:
        self._db = db
        self._clock = clock
        self.changed: Callable[[], None] = lambda: None

    def add(
        self,
        place: int,
        update_id: int | None,
        until_id: int,
        bubbles: Sequence[str],
        adapter: str | None,
        outcome: Outcome = "open",
        note: str | None = None,
    ) -> int:
        """A new one; returns its id."""
        cursor = self._db.execute(
            "insert into business_drafts (place, update_id, until_id, created_at, adapter, bubbles, outcome, note)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            [place, update_id, until_id, self._clock(), adapter, json.dumps(list(bubbles)), outcome, note],
        )
        self.changed()
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def get(self, draft_id: int) -> Draft | None:
        """One of them."""
        return self._one("id = ?", [draft_id])

    def on_card(self, card_id: int) -> Draft | None:
        """The one that a message of the owner's chat with the bot shows."""
        return self._one("card_id = ?", [card_id])

    def decided_by(self, update_id: int) -> Draft | None:
        """The one that an update of the owner's sent."""
        return self._one("decided_by = ?", [update_id])

    def refused(self, update_id: int) -> Draft | None:
        """What was to be answered to this update by itself, and was refused."""
        return self._one("update_id = ? and outcome = 'refused' and decided_by is null", [update_id])

    def open_at(self, place: int) -> list[Draft]:
        """Those of a chat that wait for the owner."""
        return self._many("place = ? and outcome = 'open'", [place])

    def unshown(self) -> list[Draft]:
        """Those that changed since they were shown last, oldest first."""
        return self._many("shown < version", [])

    def end(self, draft: Draft, outcome: Outcome, note: str | None = None) -> bool:
        """What became of one that was open; returns whether it still was."""
        return self._change(draft.id, {"outcome": outcome, "note": note}, only_open=True)

    def send(self, draft: Draft, update_id: int, said: Sequence[str] = ()) -> bool:
        """The owner has it sent, or something else in its stead; returns whether it was still open."""
        values = {
            "outcome": "edited" if said else "sent",
            "said": json.dumps(list(said)),
            "decided_by": update_id,
            "note": None,
        }
        return self._change(draft.id, values, only_open=True)

    def ask(self, draft: Draft) -> bool:
        """The owner wants to say something else; returns whether it was still open."""
        return self._change(draft.id, {"is_asked": 1, "note": None}, only_open=True)

    def note(self, draft: Draft, note: str | None) -> None:
        """A sentence about one that stays as it is."""
        self._change(draft.id, {"note": note})

    def refuse(self, draft: Draft, note: str, bubbles: Sequence[str] | None = None) -> None:
        """Telegram would not have it; `bubbles`: what it was to be, if that is more than is known."""
        more = {} if bubbles is None else {"bubbles": json.dumps(list(bubbles))}
        self._change(draft.id, {"outcome": "refused", "note": note, **more})

    def shown(self, draft: Draft, card_id: int | None) -> None:
        """A card shows this version of it."""
        self._db.execute(
            "update business_drafts set shown = max(shown, ?), card_id = coalesce(?, card_id) where id = ?",
            [draft.version, card_id, draft.id],
        )

    def forget(self, place: int) -> None:
        """Delete all that was suggested in a chat, for good."""
        self._db.execute("pragma secure_delete = on")
        self._db.execute("delete from business_drafts where place = ?", [place])

    def all(self) -> list[Draft]:
        """Every draft, oldest first."""
        return self._many("1", [])

    def _change(self, draft_id: int, values: dict[str, Any], *, only_open: bool = False) -> bool:
        sets = ", ".join(f"{name} = :{name}" for name in values)
        cursor = self._db.execute(
            f"update business_drafts set {sets}, version = version + 1 where id = :draft"  # noqa: S608 - column names
            f"{' and outcome = :open' if only_open else ''}",
            values | {"draft": draft_id, "open": "open"},
        )
        self.changed()
        return bool(cursor.rowcount)

    def _one(self, where: str, values: list[int]) -> Draft | None:
        return next(iter(self._many(where, values)), None)

    def _many(self, where: str, values: list[int]) -> list[Draft]:
        rows = self._db.execute(
            f"select {_COLUMNS} from business_drafts where {where} order by id",  # noqa: S608 - constants
            values,
        ).fetchall()
        return [_draft(*row) for row in rows]


def _draft(*row: Any) -> Draft:
    fields = dict(zip(Draft.__slots__, row, strict=True))
    bubbles, said = json.loads(fields["bubbles"]), json.loads(fields["said"] or "[]")
    return Draft(**fields | {"bubbles": tuple(bubbles), "said": tuple(said), "is_asked": bool(fields["is_asked"])})

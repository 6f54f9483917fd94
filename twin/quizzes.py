"""Quizzes: who was asked to tell the owner from which version, at which moment, and whether they could. No words.

Knows nothing of what was said at those moments, or of how a question is put.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlite_utils import Database

from twin.shares import wilson

Side = Literal["a", "b"]
NOBODY = 0
"""Whose the answers are of people who wanted to be forgotten."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question.

    Attributes:
        version: whose answer stood beside the owner's.
        side: where the owner's stood.
        is_right: whether that was found; None until somebody said.
    """

    id: int
    version: str
    user_id: int
    side: Side
    is_right: bool | None


@dataclass(frozen=True, slots=True)
class Score:
    """How often the owner was told from a version: so many times of so many."""

    right: int
    count: int

    def as_dict(self) -> dict[str, Any] | None:
        """With the share and the bounds of its 95 % interval (Wilson); None where nobody was asked."""
        if not self.count:
            return None
        share, low, high = wilson(self.right, self.count)
        return {"right": self.right, "count": self.count, "share": share, "low": low, "high": high}


def told_apart(score: Mapping[str, Any]) -> str:
    """A score as a part of a sentence; `score` as `Score.as_dict` has it."""
    share, low, high = (round(100 * score[name]) for name in ("share", "low", "high"))
    return f"told from you in {score['right']:,} of {score['count']:,} quizzes ({share} %; 95 %: {low}-{high})"


class Quizzes:
    """The table `quizzes` over one database connection; times are UTC epoch seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def ask(self, version: str, user_id: int, moment: str, side: Side, at: float) -> int:
        """Write a question down before it is put; returns its id.

        Args:
            moment: a name that tells nothing of what was said.
        """
        row = {"version": version, "user_id": user_id, "moment": moment, "side": side, "asked_at": at}
        number: Any = self._db.table("quizzes").insert(row).last_pk
        return int(number)

    def get(self, number: int) -> Asked | None:
        """A question by its id; None if there is none."""
        row = self._db.execute(
            "select id, version, user_id, side, is_right from quizzes where id = ?", [number]
        ).fetchone()
        if row is None:
            return None
        number, version, asked, side, is_right = row
        return Asked(number, version, asked, side, None if is_right is None else bool(is_right))

    def answer(self, asked: Asked, side: Side, at: float) -> bool:
        """Somebody said where the owner's answer stands: the first word counts. Returns whether it was this one."""
        said = self._db.execute(
            "update quizzes set is_right = ?, answered_at = ? where id = ? and is_right is null",
            [side == asked.side, at, asked.id],
        )
        return bool(said.rowcount)

    def drop(self, number: int) -> None:
        """A question could not be put after all."""
        self._db.execute("delete from quizzes where id = ?", [number])

    def last_asked(self, version: str, user_id: int) -> dict[str, float]:
        """The moments that somebody was asked about beside a version's answers, and when last."""
        rows = self._db.execute(
            "select moment, max(asked_at) from quizzes where version = ? and user_id = ? group by moment",
            [version, user_id],
        )
        return dict(rows.fetchall())

    def score(self, version: str, users: Collection[int] | None = None) -> Score:
        """How often a version was told from the owner, by some people, or by everybody."""
        who = "" if users is None else f" and user_id in ({', '.join('?' * len(users))})"
        row = self._db.execute(
            f"select coalesce(sum(is_right), 0), count(is_right) from quizzes where version = ?{who}",  # noqa: S608
            [version, *(users or ())],
        ).fetchone()
        return Score(*row)

    def forget(self, user_id: int) -> None:
        """Keep of somebody only that an answer was right or wrong, and nothing of questions left open."""
        with self._db.atomic():
            self._db.execute("delete from quizzes where user_id = ? and is_right is null", [user_id])
            self._db.execute("update quizzes set user_id = ? where user_id = ?", [NOBODY, user_id])

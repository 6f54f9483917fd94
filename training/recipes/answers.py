"""Answers: what models were asked for recipes, kept so that nothing is asked twice, whenever a run is killed.

Knows nothing of models, nor of what an answer is good for. Kept under a hash of the question, in the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from twin.sections import Teacher as TeacherSettings


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote.

    Attributes:
        text: without control characters other than newlines; may be empty.
        ended: why it ended, as OpenAI calls it: "stop", "length", "content_filter" ...
        prompt_tokens, completion_tokens: what was counted for it; None when the address does not tell.
    """

    text: str
    ended: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


def key_of(*parts: str) -> str:
    """The key of a question: a hash of all that decides its answer."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Answers:
    """The table of answers over one database connection; each is written at once."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str) -> Answer | None:
        """What was answered, or nothing."""
        row = self._db.execute(
            "select answer, ended, prompt_tokens, completion_tokens from recipe_answers where key = ?", [key]
        ).fetchone()
        return None if row is None else Answer(*row)

    def chats(self, key: str) -> tuple[int, ...]:
        """The dialogs whose words were in the question."""
        row = self._db.execute("select chats from recipe_answers where key = ?", [key]).fetchone()
        return tuple(json.loads(row[0] or "[]")) if row else ()

    def put(self, key: str, answer: Answer, recipe: str, model: str, now: datetime, chats: Sequence[int] = ()) -> None:
        """Keep an answer; `chats` are the dialogs whose words were in the question."""
        self._db.execute(
            "insert or replace into recipe_answers (key, recipe, model, answer, ended, prompt_tokens,"
            " completion_tokens, asked_at, chats) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                key,
                recipe,
                model,
                answer.text,
                answer.ended,
                answer.prompt_tokens,
                answer.completion_tokens,
                now.timestamp(),
                json.dumps(sorted(set(chats))) if chats else None,
            ],
        )

    def total(self, recipe: str) -> Spent:
        """What all the answers of a recipe took that are kept."""
        row = self._db.execute(
            "select count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),"
            " count(*) - count(prompt_tokens + completion_tokens) from recipe_answers where recipe = ?",
            [recipe],
        ).fetchone()
        return Spent(row[0], 0, *row[1:])


@dataclass(slots=True)
class Spent:
    """What answers took, as their addresses count it.

    Attributes:
        asked: questions that were put now.
        kept: answers that were there from earlier runs.
        prompt_tokens, completion_tokens: of those asked now.
        uncounted: answers of those asked now whose tokens nobody told.
    """

    asked: int = 0
    kept: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0

    def add(self, answer: Answer) -> None:
        """Count one that was asked now."""
        self.asked += 1
        self.prompt_tokens += answer.prompt_tokens or 0
        self.completion_tokens += answer.completion_tokens or 0
        self.uncounted += answer.prompt_tokens is None or answer.completion_tokens is None

    def money(self, prices: TeacherSettings) -> float | None:
        """What was asked now cost, in the currency of the prices; None when no price is set."""
        if prices.price_in is None and prices.price_out is None:
            return None
        return (self.prompt_tokens * (prices.price_in or 0) + self.completion_tokens * (prices.price_out or 0)) / 1e6

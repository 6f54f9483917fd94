"""Plain questions and answers: {"question", "answer"} on a line.

Knows nothing of conversations: a record is one question and one answer.
"""

from __future__ import annotations

from typing import Any

from training.recipes.burst import read_burst, unguard
from training.recipes.records import BadRecord, Reading, Record, Said, fields, gather, optional, side, text


class QuestionAnswer:
    """Fulfils `Reader`."""

    name = "qa"
    is_text = False

    def read(self, value: Any, how: Reading) -> Record:
        """See Reader."""
        record = fields(value)
        asked, answered = text(record.get("question"), "question"), text(record.get("answer"), "answer")
        if not asked.strip():
            raise BadRecord("no question")
        if not answered.strip():
            raise BadRecord("no answer")
        said = [
            Said(side("user", how) or "other", read_burst(asked, how.lines)),
            Said(side("assistant", how) or "owner", read_burst(answered, how.lines)),
        ]
        return gather(said, [unguard(optional(record.get("system"), "system text"))])

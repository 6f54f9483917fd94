"""What was measured of adapters: a row a report, numbers only, so that they can be shown later and compared.

Knows nothing of how anything is measured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One row.

    Attributes:
        version: the adapter.
        at: when, as UTC epoch seconds.
        kind: "full", "quick", or "gate".
        numbers: the report without message text; see training/fidelity/report.py.
    """

    id: int
    version: str
    at: float
    kind: str
    numbers: dict[str, Any]


class Evaluations:
    """The table, over one database connection."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, version: str, at: float, kind: str, numbers: dict[str, Any]) -> None:
        """Keep a report's numbers."""
        row = {"version": version, "at": at, "kind": kind, "numbers": json.dumps(numbers, ensure_ascii=False)}
        self._db.table("evaluations").insert(row)

    def latest(self, version: str) -> Evaluation | None:
        """The last report of a version, whatever its kind."""
        return next(iter(self.of(version)), None)

    def of(self, version: str) -> list[Evaluation]:
        """Every report of a version, newest first."""
        rows = self._db.query("select * from evaluations where version = ? order by at desc, id desc", [version])
        return [Evaluation(**row | {"numbers": json.loads(row["numbers"])}) for row in rows]

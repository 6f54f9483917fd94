"""Files that were read before, known by their bytes: their account is given again without reading them.

Knows nothing of formats. Of a file it keeps numbers and ids; names are looked up where dialogs are kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from ingest.pipeline import IngestReport
from ingest.source import Owner, Wishes
from twin.dialogs import Dialog
from twin.store import Written


@dataclass(frozen=True, slots=True)
class Reading:
    """One file, read in one way.

    Attributes:
        sha256: of the file's bytes, hexadecimal.
        part: which part of the file was read; empty for all of it.
        size: of that, in bytes.
        format: the name of its `Format`, and the `version` of that.
    """

    sha256: str
    part: str
    size: int
    format: str
    version: int
    wishes: Wishes


class KnownFiles:
    """The table `ingest_files` over one database connection."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, reading: Reading, owner_id: int | None) -> IngestReport | None:
        """The account of the last time these bytes were read so, as it would be if they were read again.

        None when they never were, or not for this owner, or when the owner has excluded, included or forgotten
        anything of their dialogs since.

        Args:
            owner_id: None when nobody told whose it is.
        """
        rows = self._db.query(
            "select * from ingest_files where (sha256, part, format, version) = (?, ?, ?, ?) order by id desc limit 1",
            [reading.sha256, reading.part, reading.format, reading.version],
        )
        for row in rows:
            is_same = (
                owner_id in (None, row["owner_id"])
                and reading.wishes.me in (None, row["me"])
                and reading.wishes.timezone == row["timezone"]
            )
            if is_same and row["rules"] == self._rules(_chats(told := json.loads(row["report"]))):
                return self._report(told, row)
        return None

    def add(self, reading: Reading, report: IngestReport) -> None:
        """Keep the account of the run that was recorded last."""
        told = {
            "source": report.source,
            "known_from": report.owner.known_from,
            "dialogs": [
                [d.chat_id, d.messages, d.owner_messages, _epoch(d.first_at), _epoch(d.last_at)] for d in report.dialogs
            ],
            "excluded": report.excluded,
            "skipped": report.skipped,
            "skipped_dialogs": report.skipped_dialogs,
            "inexact": report.inexact,
            "remarks": report.remarks,
        }
        self._db.table("ingest_files").insert(
            {
                "sha256": reading.sha256,
                "part": reading.part,
                "size": reading.size,
                "format": reading.format,
                "version": reading.version,
                "owner_id": report.owner.id,
                "me": report.owner.name,
                "timezone": reading.wishes.timezone,
                "run_id": self._db.execute("select max(id) from ingest_runs").fetchone()[0],
                "rules": self._rules(_chats(told)),
                "report": json.dumps(told, ensure_ascii=False),
            }
        )

    def names(self) -> frozenset[str]:
        """What the owner was called in files that know people by names."""
        return frozenset(
            row[0] for row in self._db.execute("select distinct me from ingest_files where me is not null")
        )

    def _report(self, told: dict[str, Any], row: dict[str, Any]) -> IngestReport:
        names = dict(self._db.execute("select chat_id, name from dialogs").fetchall())
        dialogs = [
            Dialog(chat_id, names.get(chat_id), messages, owned, _time(first), _time(last))
            for chat_id, messages, owned, first, last in told["dialogs"]
        ]
        return IngestReport(
            source=told["source"],
            owner=Owner(row["owner_id"], told["known_from"], name=row["me"]),
            dialogs=tuple(dialogs),
            written=Written(unchanged=sum(dialog.messages for dialog in dialogs)),
            skipped=told["skipped"],
            skipped_dialogs=told["skipped_dialogs"],
            inexact=told["inexact"],
            remarks=tuple(told["remarks"]),
            excluded=tuple(told["excluded"]),
        )

    def _rules(self, chats: list[int]) -> str:
        """What the owner has said about these dialogs: another text once they said something else."""
        ids = json.dumps(chats)
        kept = self._db.execute(
            "select chat_id, is_included from dialogs where chat_id in (select value from json_each(?)) order by 1",
            [ids],
        )
        gone = self._db.execute(
            "select chat_id, max(before), count(*) from forgotten where chat_id in (select value from json_each(?))"
            " group by chat_id order by 1",
            [ids],
        )
        return json.dumps([kept.fetchall(), gone.fetchall()])


def _chats(told: dict[str, Any]) -> list[int]:
    """Every dialog of the file, whether it came in or was kept out."""
    return [dialog[0] for dialog in told["dialogs"]] + list(told["excluded"])


def _epoch(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

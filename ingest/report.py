"""The account of a run over files, as tables and as plain values: names, counts and times, never what was said.

Knows nothing of formats or databases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from os.path import commonpath
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ingest.batch import Outcome
from ingest.pipeline import IngestReport
from ingest.source import Owner
from ingest.tables import dialog_as_json, dialog_table, out, totals_as_json
from twin.dialogs import Dialog
from twin.store import Written

_ROWS = 20


def as_json(outcomes: Sequence[Outcome], is_rehearsal: bool) -> dict[str, Any]:
    """All files in one account, then each file's own; times in ISO 8601, UTC.

    `failed` tells which paths and files could not be read, and why; `messages` and what is in `skipped` are together
    all the messages that stand in the others.
    """
    reports = _reports(outcomes)
    owner = _owner(reports) if reports else None
    return {
        "dry_run": is_rehearsal,
        "source": ", ".join(dict.fromkeys(report.source for report in reports)),
        "owner_id": owner.id if owner else None,
        "owner_known_from": owner.known_from if owner else None,
        **_counts_as_json(reports),
        "files": [
            {
                "file": outcome.label,
                "source": outcome.report.source,
                "is_known": outcome.is_known,
                "owner_id": outcome.report.owner.id,
                "owner_known_from": outcome.report.owner.known_from,
                "remarks": list(outcome.report.remarks),
                **_counts_as_json([outcome.report]),
            }
            for outcome in outcomes
            if outcome.report is not None
        ],
        "failed": [
            {"file": outcome.label, "error": str(outcome.error)} for outcome in outcomes if outcome.error is not None
        ],
    }


def print_report(outcomes: Sequence[Outcome], is_rehearsal: bool) -> None:
    """Tables on stdout: the files if there are several, their dialogs, and what was left out."""
    console, reports = out(), _reports(outcomes)
    if not reports:
        return
    if len(reports) > 1:
        console.print(_file_table(outcomes))
    title = f"from {reports[0].source}" if len(reports) == 1 else f"from {len(reports):,} files"
    console.print(dialog_table(_dialogs(reports), title, rows=_ROWS))
    for sentence in _sentences(outcomes, reports, is_rehearsal):
        console.print(sentence, soft_wrap=not console.is_terminal)  # a pipe gets whole lines


def _sentences(outcomes: Sequence[Outcome], reports: Sequence[IngestReport], is_rehearsal: bool) -> Iterator[str]:
    written, owner = _written(reports), _owner(reports)
    would = "would be " if is_rehearsal else ""
    who = f" You are user {owner.id} (known from {owner.known_from})." if owner.id else ""
    yield (
        f"{written.added:,} messages {would}added, {written.updated:,} updated,"
        f" {written.unchanged:,} there already.{who}"
    )
    for title, name in (
        ("Left out, messages", "skipped"),
        ("Left out, whole dialogs", "skipped_dialogs"),
        ("Kept, but not exactly", "inexact"),
    ):
        if counts := _summed(reports, name):
            yield f"{title}: {', '.join(f'{count:,} {reason}' for reason, count in counts.items())}."
    for remark in dict.fromkeys(remark for report in reports for remark in report.remarks):
        yield f"{remark}."
    if known := sum(outcome.is_known for outcome in outcomes):
        which = "This very file was" if len(reports) == 1 else f"{known:,} of these files were"
        yield f"{which} brought in before, byte for byte, and not read again."
    if is_rehearsal:
        yield "Nothing was written: run it without --dry-run to bring this in."


def _file_table(outcomes: Sequence[Outcome]) -> Table:
    """A line a file, by what tells it from the others."""
    brought = [(outcome.label, outcome.report) for outcome in outcomes if outcome.report is not None]
    table = Table("file", title=Text(f"{len(brought):,} files"), title_justify="left")
    for heading in ("messages", "added", "updated", "unchanged", "left out"):
        table.add_column(heading, justify="right")
    folder = commonpath([Path(label).absolute().parent for label, _ in brought])
    for label, report in brought[:_ROWS]:
        shown = str(Path(label).absolute()).removeprefix(folder).removeprefix("/").removesuffix("/result.json")
        table.add_row(Text(shown, overflow="fold"), *_counts(report.messages, report.written, report.skipped))
    if rest := [report for _, report in brought[_ROWS:]]:
        messages = sum(report.messages for report in rest)
        table.add_row(f"... and {len(rest):,} more", *_counts(messages, _written(rest), _summed(rest, "skipped")))
    return table


def _counts(messages: int, written: Written, skipped: dict[str, int]) -> list[str]:
    counts = (messages, written.added, written.updated, written.unchanged, sum(skipped.values()))
    return [f"{count:,}" for count in counts]


def _owner(reports: Sequence[IngestReport]) -> Owner:
    """Whose all of it is, by the first file that tells a user id."""
    return next((report.owner for report in reports if report.owner.id), reports[0].owner)


def _reports(outcomes: Sequence[Outcome]) -> list[IngestReport]:
    return [outcome.report for outcome in outcomes if outcome.report is not None]


def _counts_as_json(reports: Sequence[IngestReport]) -> dict[str, Any]:
    written, dialogs = _written(reports), _dialogs(reports)
    return {
        "added": written.added,
        "updated": written.updated,
        "unchanged": written.unchanged,
        "skipped": _summed(reports, "skipped"),
        "skipped_dialogs": _summed(reports, "skipped_dialogs"),
        "inexact": _summed(reports, "inexact"),
        **totals_as_json(dialogs),
        "dialogs": [dialog_as_json(dialog) for dialog in dialogs],
    }


def _written(reports: Sequence[IngestReport]) -> Written:
    every = [report.written for report in reports]
    return Written(
        sum(one.added for one in every), sum(one.updated for one in every), sum(one.unchanged for one in every)
    )


def _summed(reports: Sequence[IngestReport], name: str) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for report in reports:
        summed.update(getattr(report, name))
    return dict(summed.most_common())


def _dialogs(reports: Sequence[IngestReport]) -> list[Dialog]:
    """Each dialog once; what stands in two files counts twice, as it was read twice."""
    merged: dict[int, Dialog] = {}
    for dialog in (dialog for report in reports for dialog in report.dialogs):
        merged[dialog.chat_id] = _merge(merged[dialog.chat_id], dialog) if dialog.chat_id in merged else dialog
    return sorted(merged.values(), key=lambda dialog: (-dialog.messages, dialog.chat_id))


def _merge(one: Dialog, other: Dialog) -> Dialog:
    firsts = [time for time in (one.first_at, other.first_at) if time is not None]
    lasts = [time for time in (one.last_at, other.last_at) if time is not None]
    return replace(
        other,
        name=other.name or one.name,
        messages=one.messages + other.messages,
        owner_messages=one.owner_messages + other.owner_messages,
        first_at=min(firsts, default=None),
        last_at=max(lasts, default=None),
    )

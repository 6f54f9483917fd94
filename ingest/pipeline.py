"""From a source into the database: all of it or nothing, and an account of what came in.

Knows nothing of formats or of terminals.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ingest.languages import LanguageSample
from ingest.source import Owner, Source
from ingest.stage import Rehearsal, leave_out_excluded, staged_dialogs, strangers_staged
from twin.dialogs import Dialog
from twin.errors import IngestError, StoreError
from twin.messages import Message
from twin.store import Store, Written

BATCH = 2_000
EXCLUDED = "excluded by you"
FORGOTTEN = "forgotten by you"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The account of one run; `dialogs` hold what came in, most messages first, the rest is counted by reason.

    The messages of `dialogs` are those added, updated and unchanged; with `skipped` they are all that the source has.

    Attributes:
        remarks: how it was read where that was not certain.
        excluded: ids of the dialogs in it that the owner keeps out.
    """

    source: str
    owner: Owner
    dialogs: tuple[Dialog, ...]
    written: Written
    skipped: dict[str, int]
    skipped_dialogs: dict[str, int]
    inexact: dict[str, int]
    remarks: tuple[str, ...] = ()
    excluded: tuple[int, ...] = ()

    @property
    def messages(self) -> int:
        """How many messages came in, new or not."""
        return sum(dialog.messages for dialog in self.dialogs)

    @property
    def owner_messages(self) -> int:
        """How many of them the owner sent."""
        return sum(dialog.owner_messages for dialog in self.dialogs)

    @property
    def first_at(self) -> datetime | None:
        """The time of the oldest one."""
        return min((d.first_at for d in self.dialogs if d.first_at is not None), default=None)

    @property
    def last_at(self) -> datetime | None:
        """The time of the newest one."""
        return max((d.last_at for d in self.dialogs if d.last_at is not None), default=None)


def ingest(
    source: Source,
    store: Store,
    rehearsal: Rehearsal | None = None,
    on_record: Callable[[IngestReport], None] = lambda _: None,
) -> IngestReport:
    """Bring everything a source has into the database, in one transaction.

    The source is read first, into a place of its own: nobody waits for it, and the database is locked only while
    what was read is written. Running it again over the same source changes no message.

    Args:
        rehearsal: given, nothing is written: the report tells what would be.
        on_record: called in the transaction, once the run is recorded.

    Raises:
        IngestError: the source broke off, holds no message of the owner, or belongs to somebody else than
            what is stored; the database is as it was.
        StoreError: the database could not be written; it is as it was.
    """
    with as_it_was():
        _refuse_another_owner(store, source.owner)
        with store.staging():
            names, samples = _read(source, store)
            if rehearsal is not None:
                return _settle(source, store, names, {}, lambda _: rehearsal.write_staged())
            languages = {chat_id: sample.guess() for chat_id, sample in samples.items()}
            with store.atomic():
                _refuse_another_owner(store, source.owner)  # another run may have ended meanwhile
                report = _settle(source, store, names, languages, lambda dialogs: _write(dialogs, store))
                store.record_ingest(source.name, source.owner.id, report.written, report.skipped)
                on_record(report)
            return report


def record_again(report: IngestReport, store: Store) -> None:
    """Keep the account of a run that had nothing to read, as everything in its source is known."""
    with store.atomic():
        store.record_ingest(report.source, report.owner.id, report.written, report.skipped)


@contextmanager
def as_it_was() -> Iterator[None]:
    """What the database says against being read or written becomes one sentence.

    Raises:
        StoreError: it said something.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"The database could not be written ({error}), and is as it was",
            "free disk space or stop what else writes to it, then run this again",
        ) from error


def earlier_owner(store: Store) -> int | None:
    """Whose history the database holds, by the last run that knew; None for nobody's."""
    row = store.db.execute("select owner_id from ingest_runs where owner_id <> 0 order by id desc limit 1").fetchone()
    return None if row is None else int(row[0])


def _refuse_another_owner(store: Store, owner: Owner) -> None:
    """A twin is of one person: two people's histories are not mixed by accident."""
    earlier = earlier_owner(store)
    if earlier not in (None, owner.id) and owner.id and not owner.is_asked_for:
        raise IngestError(
            f"The database holds the history of user {earlier}, but this is that of user {owner.id}"
            f" (known from {owner.known_from})",
            f"point TWIN_HOME at another folder, or say that both are you with --owner-id {owner.id}",
        )


def _read(source: Source, store: Store) -> tuple[dict[int, str | None], dict[int, LanguageSample]]:
    """Stage every message; returns the dialogs' names and samples of what is said in them."""
    names: dict[int, str | None] = {}
    samples: dict[int, LanguageSample] = {}
    for dialog in source.dialogs():
        names[dialog.chat_id] = dialog.name or names.get(dialog.chat_id)
        sample = samples.setdefault(dialog.chat_id, LanguageSample())
        for batch in _batches(dialog.messages):
            store.stage(batch)
            sample.look_at(batch)
    return names, samples


def _settle(
    source: Source,
    store: Store,
    names: dict[int, str | None],
    languages: dict[int, str | None],
    write: Callable[[list[Dialog]], Written],
) -> IngestReport:
    """Take out of the stage what the owner keeps out, write the rest, and account for all of it."""
    skipped, skipped_dialogs = Counter(source.tally.messages), Counter(source.tally.dialogs)
    excluded = leave_out_excluded(store)
    skipped[EXCLUDED] += sum(excluded.values())
    skipped_dialogs[EXCLUDED] += len(excluded)
    skipped[FORGOTTEN] += store.leave_out_forgotten()
    dialogs = staged_dialogs(store, names, languages)
    is_own = source.owner.is_marked or any(dialog.owner_messages for dialog in dialogs)
    if not is_own and strangers_staged(store):
        raise IngestError(
            f"No message is by the owner (user id {source.owner.id}, known from {source.owner.known_from})",
            "give your own Telegram user id with --owner-id, or export dialogs you wrote in",
        )
    return IngestReport(
        source=source.name,
        owner=source.owner,
        dialogs=tuple(dialogs),
        written=write(dialogs),
        skipped=_by_count(skipped),
        skipped_dialogs=_by_count(skipped_dialogs),
        inexact=_by_count(source.tally.inexact),
        remarks=tuple(source.tally.remarks),
        excluded=tuple(excluded),
    )


def _write(dialogs: list[Dialog], store: Store) -> Written:
    stored = store.message_count()
    for dialog in dialogs:
        store.dialog_table.add(dialog.chat_id, dialog.name, language=dialog.language)
    changed = store.write_staged()
    added = store.message_count() - stored
    return Written(added, changed - added, sum(dialog.messages for dialog in dialogs) - changed)


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    while batch := list(islice(messages, BATCH)):
        yield batch


def _by_count(counter: Counter[str]) -> dict[str, int]:
    return {reason: count for reason, count in counter.most_common() if count}

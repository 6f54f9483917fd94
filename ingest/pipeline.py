"""From a source into the database: all of it or nothing, and an account of what came in.

Knows nothing of formats or of terminals.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ingest.source import Owner, Source
from twin.dialogs import Dialog
from twin.errors import IngestError, StoreError
from twin.messages import Message
from twin.store import Store, Written

BATCH = 2_000


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The account of one run; `dialogs` hold what the source handed on, the rest is counted by reason."""

    source: str
    owner: Owner
    dialogs: tuple[Dialog, ...]
    written: Written
    skipped: dict[str, int]
    skipped_dialogs: dict[str, int]
    inexact: dict[str, int]

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


def ingest(source: Source, store: Store) -> IngestReport:
    """Bring everything a source has into the database, in one transaction.

    The source is read first, into a place of its own: nobody waits for it, and the database is locked only while
    what was read is written. Running it again over the same source changes no message.

    Raises:
        IngestError: the source broke off, holds no message of the owner, or belongs to somebody else than
            what is stored; the database is as it was.
        StoreError: the database could not be written; it is as it was.
    """
    try:
        _refuse_another_owner(store, source.owner)
        with store.staging():
            dialogs = _read(source, store)
            if not any(dialog.owner_messages for dialog in dialogs):
                raise IngestError(
                    f"No message is by the owner (user id {source.owner.id}, known from {source.owner.known_from})",
                    "give your own Telegram user id with --owner-id, or export dialogs you wrote in",
                )
            skipped = _by_count(source.tally.messages)
            with store.atomic():
                _refuse_another_owner(store, source.owner)  # another run may have ended meanwhile
                written = _write(dialogs, store)
                store.record_ingest(source.name, source.owner.id, written, skipped)
    except sqlite3.Error as error:
        raise StoreError(
            f"The database could not be written ({error}), and is as it was",
            "free disk space or stop what else writes to it, then run this again",
        ) from error
    return IngestReport(
        source=source.name,
        owner=source.owner,
        dialogs=tuple(sorted(dialogs, key=lambda dialog: (-dialog.messages, dialog.chat_id))),
        written=written,
        skipped=skipped,
        skipped_dialogs=_by_count(source.tally.dialogs),
        inexact=_by_count(source.tally.inexact),
    )


def _refuse_another_owner(store: Store, owner: Owner) -> None:
    """A twin is of one person: two people's histories are not mixed by accident."""
    row = store.db.execute("select owner_id from ingest_runs order by id desc limit 1").fetchone()
    if row is not None and row[0] != owner.id and not owner.is_asked_for:
        raise IngestError(
            f"The database holds the history of user {row[0]}, but this is that of user {owner.id}"
            f" (known from {owner.known_from})",
            f"point TWIN_HOME at another folder, or say that both are you with --owner-id {owner.id}",
        )


def _read(source: Source, store: Store) -> list[Dialog]:
    """Stage every message; returns what came in."""
    reports: list[Dialog] = []
    for dialog in source.dialogs():
        count = owned = 0
        first: datetime | None = None
        last: datetime | None = None
        for batch in _batches(dialog.messages):
            store.stage(batch)
            count += len(batch)
            owned += sum(message.is_owner for message in batch)
            times = [message.sent_at for message in batch]
            first = min(times) if first is None else min(first, *times)
            last = max(times) if last is None else max(last, *times)
        reports.append(Dialog(dialog.chat_id, dialog.name, count, owned, first, last))
    return reports


def _write(dialogs: list[Dialog], store: Store) -> Written:
    """Write the dialogs of which something came in, and what was staged of them."""
    stored = store.message_count()
    for dialog in dialogs:
        if dialog.messages:
            store.add_dialog(dialog.chat_id, dialog.name)
    changed = store.write_staged()
    added = store.message_count() - stored
    return Written(added, changed - added, sum(dialog.messages for dialog in dialogs) - changed)


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    while batch := list(islice(messages, BATCH)):
        yield batch


def _by_count(counter: Counter[str]) -> dict[str, int]:
    return {reason: count for reason, count in counter.most_common() if count}

"""A page of a dialog's history into the database: its rows, what is gone, and the cursor, in one transaction.

Knows nothing of networks or of the order in which pages come.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ingest.languages import LanguageSample
from ingest.pipeline import FORGOTTEN
from ingest.source import Skip
from ingest.telegram_account import Page, RemoteDialog
from ingest.telegram_message import read_message
from twin.cursors import Cursor, Cursors
from twin.errors import StoreError
from twin.messages import Message
from twin.presence import Stored, chats_of, correct, gone, newest_of, stored_between, stored_of
from twin.store import Store


@dataclass(slots=True)
class Counts:
    """What became of messages: rows added and changed, rows there already, marked as deleted; the rest by reason."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Counts) -> Counts:
        self.added += other.added
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.deleted += other.deleted
        self.skipped += other.skipped
        return self

    @property
    def changed(self) -> int:
        """How many rows are other than before."""
        return self.added + self.updated + self.deleted


@dataclass(frozen=True, slots=True)
class Move:
    """Of a dialog's cursor: from where it was when the page was asked for, to where the page brings it."""

    before: Cursor | None
    after: Cursor


class Rows:
    """Writes for one account.

    Args:
        since: messages sent before that time are not marked as deleted, however long they have been gone: a history
            that was cleared in Telegram stays part of what the twin knows.
        clock: aware UTC time.
    """

    def __init__(self, store: Store, owner_id: int, since: datetime, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._owner_id = owner_id
        self._since = since
        self._clock = clock
        self.cursors = Cursors(store.db)
        self._samples: dict[int, LanguageSample] = {}

    def write(
        self, dialog: RemoteDialog, page: Page, covered: tuple[int, int] | None = None, move: Move | None = None
    ) -> Counts:
        """Write a page, all of it or nothing.

        Args:
            covered: first and last id between which the page holds everything that there is; None for single messages.

        Raises:
            StoreError: the database refused; it is as it was before the page.
        """
        messages, counts = self._read(dialog, page)
        standing = {message.id: _is_reacted_to(message) for message in page.messages if _stands(message)}
        try:
            with self._store.atomic():
                before = self._before(dialog, page, covered)
                self._write(dialog, messages, before, counts)
                counts.updated += correct(self._store.db, dialog.chat_id, before, standing)
                lost = gone(before, standing, self._since if covered else None)
                counts.deleted += self._store.mark_deleted(dialog.chat_id, lost, self._clock())
                if move is not None and move.before != move.after:
                    self.cursors.move(dialog.chat_id, move.before, move.after, self._owner_id, self._clock())
        except sqlite3.Error as error:
            raise refused(error) from error
        return counts

    def _before(self, dialog: RemoteDialog, page: Page, covered: tuple[int, int] | None) -> dict[int, Stored]:
        if covered is None:
            return stored_of(self._store.db, dialog.chat_id, [message.id for message in page.messages])
        return stored_between(self._store.db, dialog.chat_id, *covered)

    def newest(self, chat_id: int) -> tuple[int, int]:
        """See `twin.presence.newest_of`."""
        return newest_of(self._store.db, chat_id)

    def note_language(self, chat_id: int) -> None:
        """Guess what is spoken in a dialog of which something came in, if nobody has yet."""
        sample = self._samples.pop(chat_id, None)
        known = self._store.db.execute("select language from dialogs where chat_id = ?", [chat_id]).fetchone()
        if sample is None or known is None or known[0] is not None:
            return
        if (language := sample.guess()) is not None:
            self._store.dialog_table.add(chat_id, None, language=language)

    def mark_gone(self, message_ids: list[int]) -> dict[int, int]:
        """Mark messages as deleted that Telegram says are; returns how many in which dialog."""
        found: Counter[int] = Counter()
        try:
            with self._store.atomic():
                for message_id, chat_id in chats_of(self._store.db, message_ids).items():
                    found[chat_id] += self._store.mark_deleted(chat_id, [message_id], self._clock())
        except sqlite3.Error as error:
            raise refused(error) from error
        return {chat_id: count for chat_id, count in found.items() if count}

    def _read(self, dialog: RemoteDialog, page: Page) -> tuple[list[Message], Counts]:
        counts = Counts()
        messages = []
        for raw in reversed(page.messages):
            try:
                messages.append(read_message(raw, dialog.chat_id, self._owner_id, page.names))
            except Skip as verdict:
                counts.skipped[str(verdict)] += 1
        return messages, counts

    def _write(self, dialog: RemoteDialog, messages: list[Message], before: dict[int, Stored], counts: Counts) -> None:
        if not messages:
            return
        with self._store.staging():
            self._store.stage(messages)
            if forgotten := self._store.leave_out_forgotten():
                counts.skipped[FORGOTTEN] += forgotten
            if forgotten < len(messages):
                self._store.add_dialog(dialog.chat_id, dialog.name, dialog.username)
                changed = self._store.write_staged()
                counts.added = sum(message.message_id not in before for message in messages) - forgotten
                counts.updated = changed - counts.added
                counts.unchanged = len(messages) - forgotten - changed
                self._samples.setdefault(dialog.chat_id, LanguageSample()).look_at(messages)


def refused(error: sqlite3.Error) -> StoreError:
    """The database did not take something."""
    return StoreError(
        f"The database could not be written ({error})",
        "free disk space or stop what else writes to it, then run this again; nothing that came in is lost",
    )


def _stands(message: object) -> bool:
    return type(message).__name__ != "MessageEmpty"


def _is_reacted_to(message: object) -> bool:
    return bool(getattr(getattr(message, "reactions", None), "results", None))

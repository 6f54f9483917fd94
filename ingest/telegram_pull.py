"""Dialogs of the live account into the database: what is new, what changed lately, what is older, in that order.

Knows nothing of terminals, logins or Telethon. Every page is one transaction together with the cursor that it moves, so
that whatever ends a run, at whatever moment, the next one goes on with nothing missing and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ingest.telegram_account import Account, NoTakeout, Page, Refused, RemoteDialog
from ingest.telegram_rows import Counts, Move, Rows
from twin.cursors import Cursor


@dataclass(slots=True)
class Pulled:
    """What became of one dialog in a run.

    Attributes:
        read: messages seen, stored or not.
        total: messages that Telegram says it has; 0 while nobody asked.
        is_complete: whether everything up to its beginning has been read, in this run or an earlier one.
        refusal: why Telegram did not give it, None when it did.
    """

    dialog: RemoteDialog
    counts: Counts = field(default_factory=Counts)
    read: int = 0
    total: int = 0
    is_complete: bool = False
    refusal: str | None = None


class Pull:
    """One run over one account.

    Args:
        since: where the window begins in which edits and deletions are looked for again.
        on_page: told after every page.
    """

    def __init__(
        self, account: Account, rows: Rows, since: datetime, on_page: Callable[[Pulled], None] = lambda _: None
    ) -> None:
        self._account = account
        self._rows = rows
        self._since = since
        self._on_page = on_page
        self.pulled: dict[int, Pulled] = {}

    async def run(self, dialogs: Iterable[RemoteDialog], *, takeout: bool = False) -> None:
        """Read every dialog; one that Telegram refuses keeps nobody else waiting.

        Raises:
            NoTakeout: a takeout was asked for, and is not allowed; nothing was read.
            AccountError, StoreError: it broke off; what came in is kept.
        """
        waiting = {dialog.chat_id: dialog for dialog in dialogs}
        if takeout:
            try:
                async with self._account.takeout():
                    await self._each(waiting)
            except NoTakeout as ended:
                if ended.seconds is not None:
                    raise
        await self._each(waiting)

    async def _each(self, waiting: dict[int, RemoteDialog]) -> None:
        """Takes each dialog away when it is done."""
        for dialog in list(waiting.values()):
            try:
                await self.dialog(dialog)
            except Refused as refusal:
                self.of(dialog).refusal = refusal.problem
            del waiting[dialog.chat_id]

    async def dialog(self, dialog: RemoteDialog) -> None:
        """What is new, what changed within the window, and what is older, of one dialog."""
        start = self._rows.cursors.get(dialog.chat_id)
        if start is not None:
            await self.catch_up(dialog)
            await self._rescan(dialog, start)
        await self._backfill(dialog)
        self._rows.note_language(dialog.chat_id)

    async def catch_up(self, dialog: RemoteDialog) -> None:
        """What is newer than the cursor, oldest first, up to the newest that is known of."""
        cursor = self._rows.cursors.get(dialog.chat_id)
        stored, _ = self._rows.newest(dialog.chat_id)
        while cursor is not None and cursor.newest_id < max(dialog.top_id, stored):
            page = await self._account.newer(dialog, cursor.newest_id)
            # Nothing newer: what is stored beyond was deleted, for ids only grow.
            last = max((message.id for message in page.messages), default=max(stored, cursor.newest_id))
            self._write(dialog, page, (cursor.newest_id + 1, last), Move(cursor, replace(cursor, newest_id=last)))
            if not page.messages:
                return
            cursor = self._rows.cursors.get(dialog.chat_id)

    async def refresh(self, dialog: RemoteDialog, message_ids: list[int]) -> None:
        """Single messages as they are now."""
        page = await self._account.by_ids(message_ids)
        here = tuple(message for message in page.messages if _is_of(message, dialog))
        self._write(dialog, replace(page, messages=here), None, None)

    async def _rescan(self, dialog: RemoteDialog, start: Cursor) -> None:
        """What was read before and was sent within the window, once more: edits, deletions, reactions."""
        _, latest = self._rows.newest(dialog.chat_id)
        if latest < self._since.timestamp():
            return
        before = start.newest_id + 1
        while True:
            page = await self._account.older(dialog, before)
            cursor = self._rows.cursors.get(dialog.chat_id) or start
            oldest = min((message.id for message in page.messages), default=0)
            self._write(dialog, page, (oldest, before - 1), Move(cursor, _down_to(cursor, oldest)))
            if not page.messages or oldest <= cursor.oldest_id or _begins_before(page, self._since):
                return
            before = oldest

    async def _backfill(self, dialog: RemoteDialog) -> None:
        """What is older than the cursor, newest first, down to the beginning."""
        cursor = self._rows.cursors.get(dialog.chat_id)
        while cursor is None or not cursor.is_complete:
            before = 0 if cursor is None else cursor.oldest_id
            stored = 0 if before else self._rows.newest(dialog.chat_id)[0]
            page = await self._account.older(dialog, before)
            ids = [message.id for message in page.messages]
            high = before - 1 if before else max([stored, *ids])
            after = cursor or Cursor(max(ids, default=0), max(ids, default=0))
            after = replace(_down_to(after, min(ids, default=0)), is_complete=not ids or (page.is_whole and not before))
            self._write(dialog, page, (min(ids, default=0), high), Move(cursor, after))
            cursor = self._rows.cursors.get(dialog.chat_id)
        self.of(dialog).is_complete = True

    def _write(self, dialog: RemoteDialog, page: Page, covered: tuple[int, int] | None, move: Move | None) -> None:
        pulled = self.of(dialog)
        pulled.counts += self._rows.write(dialog, page, covered, move)
        pulled.read += len(page.messages)
        pulled.total = page.total
        self._on_page(pulled)

    def of(self, dialog: RemoteDialog) -> Pulled:
        """The account of one dialog."""
        return self.pulled.setdefault(dialog.chat_id, Pulled(dialog))


def _is_of(message: Any, dialog: RemoteDialog) -> bool:
    """Whether it stands in this dialog, as far as it tells: what was deleted does not."""
    return getattr(getattr(message, "peer_id", None), "user_id", dialog.chat_id) == dialog.chat_id


def _down_to(cursor: Cursor, oldest: int) -> Cursor:
    return replace(cursor, oldest_id=min(cursor.oldest_id, oldest) if oldest else cursor.oldest_id)


def _begins_before(page: Page, since: datetime) -> bool:
    """Whether its oldest message was sent before that time."""
    dated = [message.date for message in page.messages if getattr(message, "date", None) is not None]
    return bool(dated) and min(dated) < since

"""Following the live account: new messages, edits, deletions and reactions, seconds after they happen.

Knows nothing of Telethon or of terminals. An update is only a hint to look: what is stored is what Telegram answers,
through the same cursors as ever, so that a lost, doubled or late update changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from ingest.telegram_account import PAGE, Account, Refused, RemoteDialog
from ingest.telegram_pull import Pull
from ingest.telegram_rows import Rows
from ingest.telegram_updates import Hint


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between looks that no update asked for.

    Attributes:
        gather: how long hints are collected before they are looked after; people write in bursts.
        missed: how often Telegram is asked for updates that got lost.
        list: how often the list of chats is compared with the cursors.
        rescan: how often the whole window is read again.
    """

    gather: float = 0.3
    missed: float = 60.0
    list: float = 300.0
    rescan: float = 3600.0


class Following:
    """Runs until it is cancelled.

    Args:
        choose: the dialogs that are brought in, as the list of chats stands now.
        on_round: told after every look.
        clock: seconds that only grow, for the rhythm.
    """

    def __init__(
        self,
        account: Account,
        pull: Pull,
        rows: Rows,
        choose: Callable[[], Awaitable[Iterable[RemoteDialog]]],
        on_round: Callable[[], None],
        rhythm: Rhythm | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._account = account
        self._pull = pull
        self._rows = rows
        self._choose = choose
        self._on_round = on_round
        self._rhythm = rhythm or Rhythm()
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._dialogs: dict[int, RemoteDialog] = {}
        self._others: set[int] = set()

    async def run(self, hints: asyncio.Queue[Hint], dialogs: Iterable[RemoteDialog]) -> None:
        """Look after hints as they come, and after nothing in particular now and then.

        Args:
            hints: of an account that was listened to before `dialogs` were last read.
        """
        self._dialogs = {dialog.chat_id: dialog for dialog in dialogs}
        rhythm = self._rhythm
        now = self._clock()
        due = {"missed": now + rhythm.missed, "list": now + rhythm.list, "rescan": now + rhythm.rescan}
        while True:
            batch = await self._gather(hints, min(due.values()) - self._clock())
            if batch:
                await self._look_after(batch)
            for task, every in (("missed", rhythm.missed), ("list", rhythm.list), ("rescan", rhythm.rescan)):
                if self._clock() >= due[task]:
                    due[task] = self._clock() + every
                    await getattr(self, f"_{task}")()
            self._on_round()

    async def _gather(self, hints: asyncio.Queue[Hint], seconds: float) -> list[Hint]:
        """The next hints; none when the time is up."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                batch = [await hints.get()]
        except TimeoutError:
            return []
        await asyncio.sleep(self._rhythm.gather)
        while not hints.empty():
            batch.append(hints.get_nowait())
        return batch

    async def _look_after(self, batch: list[Hint]) -> None:
        newest: dict[int, int] = {}
        changed: dict[int, set[int]] = defaultdict(set)
        for hint in batch:
            if hint.chat_id is not None:
                newest[hint.chat_id] = max(newest.get(hint.chat_id, 0), hint.new)
                changed[hint.chat_id].update(hint.changed)
        if any(hint.missed for hint in batch):
            await self._missed()
        if any(hint.lost for hint in batch):
            await self._list()
            await self._rescan()
        if newest.keys() - self._dialogs.keys() - self._others:
            await self._list()
        for chat_id, top_id in newest.items():
            if (dialog := self._dialogs.get(chat_id)) is None:
                self._others.add(chat_id)
                continue
            if top_id:
                await self._read(replace(dialog, top_id=top_id))
            await self._refresh(dialog, sorted(changed[chat_id]))
        for chat_id, count in self._rows.mark_gone([number for hint in batch for number in hint.gone]).items():
            if chat_id in self._dialogs:
                self._pull.of(self._dialogs[chat_id]).counts.deleted += count

    async def _read(self, dialog: RemoteDialog) -> None:
        self._dialogs[dialog.chat_id] = dialog
        try:
            if self._rows.cursors.get(dialog.chat_id) is None:
                await self._pull.dialog(dialog)
            else:
                await self._pull.catch_up(dialog)
        except Refused as refusal:
            self._pull.of(dialog).refusal = refusal.problem

    async def _refresh(self, dialog: RemoteDialog, message_ids: list[int]) -> None:
        try:
            for start in range(0, len(message_ids), PAGE):
                await self._pull.refresh(dialog, message_ids[start : start + PAGE])
        except Refused as refusal:
            self._pull.of(dialog).refusal = refusal.problem

    async def _missed(self) -> None:
        await self._account.catch_up()

    async def _list(self) -> None:
        """Who is new, who was put away meanwhile, and what came in without a hint."""
        self._dialogs = {dialog.chat_id: dialog for dialog in await self._choose()}
        self._others -= self._dialogs.keys()
        cursors = self._rows.cursors.all()
        for chat_id, dialog in self._dialogs.items():
            cursor = cursors.get(chat_id)
            if cursor is None or cursor.newest_id < dialog.top_id:
                await self._read(dialog)

    async def _rescan(self) -> None:
        await self._pull.run(self._dialogs.values())

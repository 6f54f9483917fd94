"""The kill switch: /pause and /resume work where updates come in, before any queue, and whatever is under way.

Knows nothing of answers. What comes during a pause stays open in the inbox and is handed on, in its order, afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from telegram import Bot, Update

from bot import wording
from bot.access import Access
from bot.bursts import Bursts
from bot.delivery import deliver
from bot.history import History
from bot.inbox import Inbox, read
from bot.order import PerChat
from bot.pacing import Rhythm
from bot.switches import Switches

_PAUSED_AT = "paused_at"


class Pause:
    """The door to the queue of updates.

    Args:
        queue: where updates go that are to be handled.
        bursts: all that waits for answers, or is under way.
        also: tells what else goes on during a pause, beside the owner's commands and buttons.
        hours: after a pause, what came longer ago is not answered any more.

    Attributes:
        left: called with the id of every update that is left unanswered.
    """

    def __init__(
        self,
        bot: Bot,
        queue: asyncio.Queue[object],
        access: Access,
        switches: Switches,
        inbox: Inbox,
        history: History,
        order: PerChat,
        bursts: Sequence[Bursts],
        also: Callable[[Update], bool],
        hours: float,
        rhythm: Rhythm,
    ) -> None:
        self._bot = bot
        self._queue = queue
        self._access = access
        self._switches = switches
        self._inbox = inbox
        self._history = history
        self._order = order
        self._bursts = bursts
        self._also = also
        self._hours = hours
        self._rhythm = rhythm
        self._aside: set[int] = set()
        self._given_up = 0
        self.left: Callable[[int], None] = lambda _: None
        order.hold = self.holds

    @property
    def since(self) -> float | None:
        """Since when nothing is answered, as UTC epoch seconds; None while all is."""
        value = self._switches.get(_PAUSED_AT)
        return float(value) if value is not None else None

    async def accept(self, update: Update) -> None:
        """An update came: it is handed on, unless there is a pause that it has to wait for."""
        if self._is_owners_command(update, "pause"):
            self._begin()
        elif self._is_owners_command(update, "resume"):
            self._end()
        if not self.holds(update):
            await self._queue.put(update)

    def holds(self, update: Update) -> bool:
        """Whether an update has to wait, as there is a pause; it is remembered then."""
        if self.since is None or self._passes(update):
            return False
        self._aside.add(update.update_id)
        return True

    async def pause(self, update: Update, _: Any) -> None:
        """/pause was done when it came in; here it is told."""
        await self._say(update, wording.paused(self._hours))

    async def resume(self, update: Update, _: Any) -> None:
        """/resume: the same."""
        given_up, self._given_up = self._given_up, 0
        await self._say(update, wording.resumed(given_up, self._hours))

    def _begin(self) -> None:
        if self.since is None:
            self._switches.set(_PAUSED_AT, self._rhythm.clock.now())
        waiting = []
        while not self._queue.empty():
            waiting.append(self._queue.get_nowait())
            self._queue.task_done()
        self._aside |= self._order.break_off(lambda update: not self._passes(update))
        for bursts in self._bursts:
            self._aside |= bursts.break_off()
        for update in waiting:
            if not isinstance(update, Update) or not self.holds(update):
                self._queue.put_nowait(update)

    def _end(self) -> None:
        self._switches.clear(_PAUSED_AT)
        late = self._inbox.received_before(self._rhythm.clock.now() - 3600 * self._hours)
        for kept in self._inbox.open_updates():
            update_id = kept["update_id"]
            if update_id not in self._aside:
                continue
            if update_id in late or read(kept) is None:
                self.left(update_id)
                self._history.give_up(update_id)
                self._inbox.close(update_id)
                self._given_up += 1
            else:
                self._queue.put_nowait(Update.de_json(kept, self._bot))
        self._aside.clear()

    def _passes(self, update: Update) -> bool:
        """The owner's commands and buttons work during a pause; and what is turned away anyhow need not be kept."""
        if self._also(update) or self._access.turns_away(update):
            return True
        if not self._access.is_owners(update):
            return False
        return update.callback_query is not None or _command(update) is not None

    def _is_owners_command(self, update: Update, name: str) -> bool:
        return _command(update) == name and self._access.is_owners(update)

    async def _say(self, update: Update, text: str) -> None:
        message = update.message
        assert message is not None
        await deliver(lambda: message.reply_text(text), self._rhythm)


def _command(update: Update) -> str | None:
    """The name of the command that a new message begins with; what is passed on from somebody else has none."""
    message = update.message
    if message is None or message.forward_origin is not None or message.via_bot is not None:
        return None
    words = (message.text or "").split()
    return words[0][1:].split("@")[0].lower() if words and words[0].startswith("/") else None

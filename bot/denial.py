"""What ends when the owner keeps somebody out: the reply to them that is under way, and all of theirs that waits.

Knows nothing of who is kept out, or why, nor of the owner's own chats: see `OwnersChats.stop`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from telegram import Update

from bot.bursts import Bursts
from bot.history import History
from bot.inbox import Inbox, read
from bot.order import PerChat


class Denial:
    """Breaks off over the bot's parts.

    Args:
        settle: closes updates, all at once or none.
    """

    def __init__(
        self,
        order: PerChat,
        bursts: Bursts,
        inbox: Inbox,
        history: History,
        settle: Callable[[Collection[int]], None],
    ) -> None:
        self._order = order
        self._bursts = bursts
        self._inbox = inbox
        self._history = history
        self._settle = settle

    async def of(self, user_id: int) -> None:
        """Answer nothing of somebody's that came so far, and keep none of its words; what is half said ends there."""
        waiting = self._order.break_off(lambda update: _sender(update) == user_id)
        waiting |= await self._bursts.abandon_sender(user_id)
        for kept in self._inbox.open_updates():
            update = read(kept)
            if update is not None and _sender(update) == user_id:
                waiting.add(update.update_id)
        for update_id in waiting:
            self._history.erase(update_id)
        self._settle(waiting)


def _sender(update: Update) -> int | None:
    """Who wrote to the bot, or pressed a button of its; None for what happens in the owner's own chats."""
    if update.message is None and update.edited_message is None and update.callback_query is None:
        return None
    return update.effective_user.id if update.effective_user is not None else None

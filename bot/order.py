"""The order of answers: one after the other within a chat, chats side by side.

Knows nothing of how an update is answered; it tells when one was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from weakref import WeakValueDictionary

from telegram import Update
from telegram.ext import BaseUpdateProcessor

from bot.places import place_of

_ANY_NUMBER = 2**31  # of updates: if there were places for some only, those that wait for one chat would hold up all


class PerChat(BaseUpdateProcessor):
    """An update processor that keeps the order within a chat.

    Args:
        answered: called with the id of every update that was handled to its end.

    Attributes:
        hold: asked before an update is handled: whether it is not to be, as yet.
    """

    def __init__(self, answered: Callable[[int], None]) -> None:
        super().__init__(max_concurrent_updates=_ANY_NUMBER)
        self._answered = answered
        self._chats: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._tasks: dict[asyncio.Task[Any], Update] = {}
        self._stopping = False
        self.hold: Callable[[Update], bool] = lambda _: False

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Wait for the chat's earlier updates, then handle this one; see the base class."""
        assert isinstance(update, Update)
        place = place_of(update)
        assert place is not None
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = update
        try:
            async with self._chats.setdefault(place, asyncio.Lock()):
                if not self._stopping and not self.hold(update):
                    await coroutine
                    self._answered(update.update_id)
        finally:
            self._tasks.pop(task, None)
            if isinstance(coroutine, Coroutine):
                coroutine.close()  # of no effect unless it was never begun

    def break_off(self, which: Callable[[Update], bool]) -> set[int]:
        """Stop handling these updates, wherever they are; returns the ids of those that were not answered."""
        chosen = {task: update.update_id for task, update in self._tasks.items() if which(update)}
        for task in chosen:
            task.cancel()
        return set(chosen.values())

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, wait so long for what is under way, and break off the rest: it stays in the inbox."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def initialize(self) -> None:
        """Nothing to do."""

    async def shutdown(self) -> None:
        """Nothing to do."""

"""Bursts: messages of a chat that come close together get one answer; a chat's bursts are answered one after the other.

Knows nothing of Telegram, of the database, or of how an answer is made.

While an answer is being made, and nobody has seen any of it, further messages still join: what was made is dropped and
made again for all of them, as somebody who reads on before they have written anything would do. That ends `most`
seconds after the first message, so that nobody is put off for ever by writing on. Once an answer is being sent, what
comes is the next burst, which waits until it was sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bot.pacing import Clock
from twin.messages import Message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that came with an update.

    Attributes:
        name: what its sender goes by in Telegram.
        is_called: whether it calls the twin by name, in a group.
    """

    update_id: int
    message: Message
    name: str | None = None
    is_called: bool = False


class Burst:
    """Messages that get one answer.

    Args:
        quiet: how long nothing may come before it counts as over, in seconds; 0: every message is a burst of its own.
        most: how long after its first message further ones may join, in seconds.
        is_planned: its answer was made by an earlier run already; nothing can change it any more.

    Attributes:
        heard: its messages as last edited, in the order in which they came.
        updates: all that is answered with it: its messages', and those of their edits.
    """

    def __init__(self, chat_id: int, clock: Clock, quiet: float, most: float, *, is_planned: bool = False) -> None:
        self.chat_id = chat_id
        self.is_planned = is_planned
        self.heard: list[Heard] = []
        self.updates: set[int] = set()
        self.is_gathering = False
        self._clock = clock
        self._quiet, self._most = quiet, most
        self._has_begun, self._is_closed = False, is_planned
        self._first_at = self._last_at = self._gathered_at = clock.ticks()
        self._changed, self._hurry = asyncio.Event(), asyncio.Event()

    @property
    def silence(self) -> float:
        """Seconds since its last message came."""
        return max(0.0, self._clock.ticks() - self._last_at)

    @property
    def waited(self) -> float:
        """Seconds since nothing more was to be waited for."""
        return max(0.0, self._clock.ticks() - self._gathered_at)

    def accepts(self) -> bool:
        """Whether another message may join."""
        if self._is_closed or not self._quiet:
            return False
        return not self._has_begun or self._clock.ticks() < self._first_at + self._most

    def add(self, heard: Heard) -> None:
        """Another message joins."""
        self.heard.append(heard)
        self._touch(heard.update_id)

    def revise(self, update_id: int, edited: Message) -> bool:
        """One of its messages was edited.

        Returns:
            whether that changes what is answered; not if it is no message of this burst, reads as before, or the
            answer is on its way.
        """
        for place, heard in enumerate(self.heard):
            if heard.message.message_id == edited.message_id and not self._is_closed:
                if _content(heard.message) == _content(edited):
                    return False
                self.heard[place] = replace(heard, message=edited)
                self._touch(update_id)
                return True
        return False

    def drop(self, message_ids: Collection[int]) -> None:
        """Messages of it were deleted; it stays as it was if the answer stands."""
        kept = [heard for heard in self.heard if heard.message.message_id not in message_ids]
        if not self._is_closed and len(kept) < len(self.heard):
            self.heard = kept
            self._changed.set()

    def close(self) -> None:
        """The answer stands: nothing joins or changes any more."""
        self._is_closed = True

    def hurry(self) -> None:
        """Somebody waits for the answer: gather no longer, pause no longer."""
        self._hurry.set()

    async def gathered(self) -> None:
        """Return when nothing more is to be waited for."""
        self._has_begun = self.is_gathering = True
        while not self._hurry.is_set():
            wait = min(self._last_at + self._quiet, self._first_at + self._most) - self._clock.ticks()
            if wait <= 0:
                break
            await self.pause(wait)
        self.is_gathering = False
        self._gathered_at = self._clock.ticks()
        self._changed.clear()

    async def unless_changed(self, making: Awaitable[T]) -> T | None:
        """What was made, or None as soon as the burst changed; making it is then broken off."""
        made = await _first_of(making, self._changed.wait())
        return None if self._changed.is_set() else made

    async def pause(self, seconds: float) -> None:
        """Wait, unless somebody waits for the answer."""
        if seconds > 0 and not self._hurry.is_set():
            await _first_of(self._clock.sleep(seconds), self._hurry.wait())

    def _touch(self, update_id: int) -> None:
        self.updates.add(update_id)
        self._last_at = self._clock.ticks()
        self._changed.set()


class Bursts:
    """Every chat's bursts, and a task for each chat that has any.

    Args:
        answer: answers one burst to its end; raises nothing but what must end its chat's task.
        quiet, most: see `Burst`.
    """

    def __init__(self, answer: Callable[[Burst], Awaitable[None]], quiet: float, most: float, clock: Clock) -> None:
        self._answer = answer
        self._quiet, self._most = quiet, most
        self._clock = clock
        self._chats: dict[int, deque[Burst]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._is_stopping = False

    def add(self, heard: Heard) -> None:
        """A new message: it joins the chat's last burst if that still takes any, else it begins the next."""
        queue = self._chats.get(heard.message.chat_id)
        last = queue[-1] if queue else None
        self._into(heard, last if last is not None and last.accepts() else None)

    def resume(self, heard: Heard) -> None:
        """A message whose answer was made by an earlier run, and is not sent to its end."""
        queue = self._chats.get(heard.message.chat_id)
        first = queue[0] if queue else None
        self._into(heard, first if first is not None and first.is_planned else None, is_planned=True)

    def revise(self, update_id: int, edited: Message) -> bool:
        """A message was edited; returns whether that changes an answer, and is done with when that is sent."""
        return any(burst.revise(update_id, edited) for burst in self._chats.get(edited.chat_id, ()))

    def holds(self, update_id: int) -> bool:
        """Whether an update is waiting for an answer, or its answer is under way."""
        return any(update_id in burst.updates for queue in self._chats.values() for burst in queue)

    async def finish(self, chat_id: int) -> None:
        """Answer what came so far without further waiting, and return when that was done.

        Raises:
            CancelledError: it is not, as the bot stops.
        """
        task = self._tasks.get(chat_id)
        for burst in self._chats.get(chat_id, ()):
            burst.hurry()
        if task is not None:
            await asyncio.wait({task})
        if self._is_stopping:
            raise asyncio.CancelledError

    def break_off(self) -> set[int]:
        """Drop all that waits for an answer, or whose answer is under way; returns the updates that got none."""
        held = {update for queue in self._chats.values() for burst in queue for update in burst.updates}
        for task in self._tasks.values():
            task.cancel()
        self._chats.clear()
        self._tasks.clear()
        return held

    async def abandon(self, chat_id: int) -> set[int]:
        """`break_off` for one chat; returns when what was under way has ended."""
        held = {update for burst in self._chats.pop(chat_id, ()) for update in burst.updates}
        task = self._tasks.pop(chat_id, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        return held

    async def abandon_sender(self, user_id: int) -> set[int]:
        """`abandon` for what one person sent, wherever it is; what others sent with it in a group is still answered."""
        held: set[int] = set()
        for chat_id, queue in list(self._chats.items()):
            theirs = [heard for burst in queue for heard in burst.heard if heard.message.sender_id == user_id]
            if theirs and len(theirs) == sum(len(burst.heard) for burst in queue):
                held |= await self.abandon(chat_id)
            elif theirs:
                self.drop(chat_id, {heard.message.message_id for heard in theirs})
        return held

    def drop(self, chat_id: int, message_ids: Collection[int]) -> None:
        """Messages were deleted: nobody answers them, unless the answer stands already."""
        for burst in self._chats.get(chat_id, ()):
            burst.drop(message_ids)

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, wait so long for answers under way, and break off the rest."""
        self._is_stopping = True
        for chat_id, task in self._tasks.items():
            if self._chats[chat_id][0].is_gathering:
                task.cancel()
        tasks = set(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _into(self, heard: Heard, burst: Burst | None, *, is_planned: bool = False) -> None:
        chat_id = heard.message.chat_id
        if burst is None:
            burst = Burst(chat_id, self._clock, self._quiet, self._most, is_planned=is_planned)
            self._chats.setdefault(chat_id, deque()).append(burst)
        burst.add(heard)
        if chat_id not in self._tasks and not self._is_stopping:
            self._tasks[chat_id] = asyncio.create_task(self._run(chat_id))

    async def _run(self, chat_id: int) -> None:
        queue = self._chats[chat_id]
        while queue and not self._is_stopping:
            await self._answer(queue[0])
            queue.popleft()
        if not queue:  # else it is still held: for the next start
            del self._chats[chat_id]
        del self._tasks[chat_id]


def _content(message: Message) -> tuple[str, str | None, str | None]:
    return message.text, message.media, message.media_note


async def _first_of(wanted: Awaitable[T], other: Awaitable[Any]) -> T | None:
    """What is wanted, if it is there before the other; whatever is not there then is broken off."""
    tasks = asyncio.ensure_future(wanted), asyncio.ensure_future(other)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

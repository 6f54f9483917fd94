"""A bot on a clock and with a chance that only the test moves, and a friend who writes to it.

async with stage(tmp_path, parrot, silence=True) as scene:
    await scene.say("hi")
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import bot.handlers
from bot.bursts import Bursts
from tests.bot_api import FAST, FRIEND, BotApi, Parrot, bot_api, bot_settings, running_bot
from tests.hand_clock import HandClock
from twin.store import Store


class Chance(Random):
    """A Random that says what a test put into `coming`, and 0.5 when that is used up."""

    def __init__(self) -> None:
        super().__init__(1)
        self.coming: list[float] = []

    def random(self) -> float:
        return self.coming.pop(0) if self.coming else 0.5


@dataclass
class Scene:
    """What a test plays with."""

    home: Path
    api: BotApi
    clock: HandClock = field(default_factory=HandClock)
    chance: Chance = field(default_factory=Chance)
    bursts: list[Bursts] = field(default_factory=list)

    async def say(self, text: str, user: int = FRIEND, **fields: Any) -> int:
        """Somebody writes; returns the update's id."""
        return await self.api.write(user, text, **fields)

    async def settled(self, *updates: int) -> None:
        """Wait until nothing is to be done about these any more."""
        await self.api.until(lambda: self.closed() >= set(updates))

    async def met(self, text: str, user: int = FRIEND, **fields: Any) -> list[str]:
        """Somebody writes; what the bot then did in their chat, typing left out."""
        before = len(self.done(user))
        await self.settled(await self.say(text, user, **fields))
        return self.done(user)[before:]

    def done(self, user: int = FRIEND) -> list[str]:
        """What the bot did in a chat: texts it sent, and the requests that sent none."""
        calls = [call for call in self.api.calls if call.chat_id == user and call.method != "sendChatAction"]
        return [call.text or call.method for call in calls]

    def closed(self) -> set[int]:
        """The updates that nothing is to be done about any more."""
        with Store.open(self.home / "twin.db") as store:
            return {row[0] for row in store.db.execute("select update_id from bot_inbox where answered_at is not null")}

    def rows(self) -> list[tuple[str, str]]:
        """What the bot remembers: who or what, and its words."""
        with Store.open(self.home / "twin.db") as store:
            return list(store.db.execute("select speaker, text from bot_messages order by id"))

    async def taken_in(self, *updates: int) -> None:
        """Wait until the bot holds these, or is done with them."""
        await self.api.until(lambda: set(updates) <= self.closed() | self._held())

    def _held(self) -> set[int]:
        return {number for number in range(1, 1_000) if any(bursts.holds(number) for bursts in self.bursts)}

    def undo(self, update_id: int, chat_id: int, text: str, *, is_sent: bool = True) -> None:
        """What a kill leaves that comes after a plan was acted on, and before its update was closed.

        Args:
            is_sent: whether it was noted that the plan was acted on.
        """
        with Store.open(self.home / "twin.db") as store, store.atomic():
            db = store.db
            found = db.execute("select id, message_id from bot_messages where chat_id = ? order by id desc", [chat_id])
            (last, _), (heard, message_id) = found.fetchmany(2)
            sender = {"id": chat_id, "is_bot": False, "first_name": "Somebody"}
            chat = {"id": chat_id, "type": "private", "first_name": "Somebody"}
            message = {"message_id": message_id, "date": 1, "chat": chat, "from": sender, "text": text}
            payload = json.dumps({"update_id": update_id, "message": message})
            db.execute("update bot_inbox set answered_at = null, payload = ? where update_id = ?", [payload, update_id])
            for number in (last, heard):
                db.execute("update bot_messages set update_id = ? where id = ?", [update_id, number])
            if not is_sent:
                db.execute("update bot_messages set message_id = null where id = ?", [last])

    async def pass_time(self, seconds: float) -> None:
        """Let that much time pass once somebody waits for it."""
        await self.api.until(lambda: self.clock.sleepers)
        self.clock.advance(seconds)


@asynccontextmanager
async def running(
    scene: Scene, parrot: Parrot, engine: dict[str, Any] | None = None, **telegram: Any
) -> AsyncIterator[Scene]:
    """A bot at the scene's server, on its clock and chance."""
    settings = bot_settings(scene.home, scene.api, telegram={"pacing": "fast"} | telegram, engine=engine or {})
    rhythm = replace(FAST, clock=scene.clock, random=scene.chance, grace=0.05, close=30)

    class Watched(Bursts):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            scene.bursts.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bot.handlers, "Bursts", Watched)
        async with running_bot(scene.api, settings, lambda: parrot, rhythm):
            yield scene


@asynccontextmanager
async def stage(
    home: Path, parrot: Parrot, engine: dict[str, Any] | None = None, **telegram: Any
) -> AsyncIterator[Scene]:
    """A scene with a bot in it."""
    async with bot_api() as api, running(Scene(home, api), parrot, engine, **telegram) as scene:
        yield scene

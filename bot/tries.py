"""Trying a version: it answers the owner's own chat with the bot, and nobody else, until that ends.

Knows nothing of how versions are listed or shown. What is tried is a switch, so that a restart keeps it; that it ended
by itself is one too, until the owner was told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from telegram import Bot
from telegram.error import TelegramError

from bot import wording
from bot.delivery import deliver
from bot.engine import Engine
from bot.pacing import Rhythm
from bot.switches import Switches
from inference.generator import TwinReply
from inference.server.records import Records
from twin.errors import AdapterError
from twin.manifest import Manifest
from twin.messages import Conversation
from twin.registry import Registry

_TRIED, _TO_TELL = "tried_version", "tried_to_tell"
_log = logging.getLogger(__name__)


class Tries:
    """Which version answers where.

    Args:
        owner: the owner's own chat with the bot.
        records: asked in threads.
    """

    def __init__(
        self,
        bot: Bot,
        owner: int,
        engine: Engine,
        registry: Registry,
        records: Records,
        switches: Switches,
        rhythm: Rhythm,
    ) -> None:
        self._bot = bot
        self._owner = owner
        self._engine = engine
        self._registry = registry
        self._records = records
        self._switches = switches
        self._rhythm = rhythm
        self._telling = asyncio.Lock()

    @property
    def version(self) -> str | None:
        """What the owner tries just now; None for nothing."""
        value = self._switches.get(_TRIED)
        return None if value is None else str(value)

    def at(self, place: int) -> str | None:
        """Which version answers at a place instead of the one that serves; None: that one."""
        return self.version if place == self._owner else None

    async def begin(self, version: str) -> None:
        """Let a version answer the owner's chat from now on.

        Raises:
            AdapterError: there is none of this name, it is damaged or stale, or an audit.
        """
        await asyncio.to_thread(self._records.check, version)
        self._switches.set(_TRIED, version)

    def stop(self) -> str | None:
        """End it, as the owner wishes; returns what was tried."""
        version = self.version
        self._switches.clear(_TRIED)
        return version

    async def reply(
        self, place: int, asked: Callable[[str], Conversation], is_dropped: Callable[[], bool]
    ) -> TwinReply | None:
        """See `Engine.reply`. A version that is tried and cannot answer is tried no more, and what serves answers."""
        await self.look()
        version = self.at(place)
        if version is not None:
            try:
                return await self._engine.reply(asked, is_dropped, version)
            except AdapterError as error:
                self._end(version, wording.cannot_be_tried(version, str(error)))
                await self._tell()
        return await self._engine.reply(asked, is_dropped)

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._rhythm.watch)

    async def look(self) -> None:
        """End what cannot go on, and tell the owner so; once, across restarts."""
        if (version := self.version) is not None and (why := self._against(version)) is not None:
            self._end(version, why)
        await self._tell()

    def _against(self, version: str) -> str | None:
        """Why a version is not to be tried any more, as a sentence."""
        if version == self._registry.current():
            return wording.tried_serves(version)
        try:
            manifest = Manifest.read(self._registry.path(version))
        except AdapterError as error:
            return wording.cannot_be_tried(version, str(error))
        return wording.tried_is_stale(version) if self._registry.is_stale(manifest) else None

    def _end(self, version: str, why: str) -> None:
        if self.version == version:  # nothing else was chosen meanwhile
            self._switches.set(_TO_TELL, why)
            self._switches.clear(_TRIED)

    async def _tell(self) -> None:
        if self._switches.get(_TO_TELL) is None:
            return
        async with self._telling:
            if (why := self._switches.get(_TO_TELL)) is None:
                return
            try:
                await deliver(lambda: self._bot.send_message(self._owner, str(why)), self._rhythm)
            except TelegramError as error:  # they blocked the bot
                _log.warning("The owner could not be told of a trial (%s)", type(error).__name__)
            self._switches.clear(_TO_TELL)

"""What was planned goes out, in its order and at the owner's pace, wherever an earlier run left off.

Knows nothing of how it was decided on.
"""

from __future__ import annotations

import asyncio
import logging

from telegram.error import BadRequest, Forbidden

from bot.bursts import Burst
from bot.engine import Engine
from bot.history import History, Planned
from bot.outlet import Outlet
from bot.pacing import Rhythm
from bot.pauses import Pauses

_log = logging.getLogger(__name__)


class Sending:
    """The plans of all chats, over their history."""

    def __init__(self, history: History, outlet: Outlet, engine: Engine, pauses: Pauses, rhythm: Rhythm) -> None:
        self._history = history
        self._outlet = outlet
        self._engine = engine
        self._pauses = pauses
        self._rhythm = rhythm

    async def send(self, burst: Burst) -> Planned | None:
        """Send what is planned in a chat and not sent yet, with pauses between bubbles.

        Returns:
            an emoji that Telegram does not let the bot give; it is still planned.
        """
        serving = self._engine.serving
        for number, planned in enumerate(self._history.planned(burst.chat_id)):
            if planned.is_sent:
                continue
            seconds = self._pauses.before(serving.adapter if serving else None, planned.text) if number else 0
            if seconds > 0:
                async with self._outlet.typing(burst.chat_id):
                    await burst.pause(seconds)
            sending = asyncio.create_task(self._send_one(burst.chat_id, planned))
            try:
                is_sent = await asyncio.shield(sending)
            except asyncio.CancelledError:  # Telegram may have it: sent again, it would be there twice
                await asyncio.wait({sending}, timeout=self._rhythm.close)
                sending.cancel()
                raise
            if not is_sent and planned.act == "reaction":
                return planned
            if not is_sent:
                self._history.drop(planned)
        return None

    async def _send_one(self, chat_id: int, planned: Planned) -> bool:
        try:
            if planned.act == "reaction":
                assert planned.target is not None
                await self._outlet.react(chat_id, planned.target, planned.text)
                message_id = planned.target
            else:
                message_id = await self._outlet.send(chat_id, planned.text)
        except (BadRequest, Forbidden):
            _log.warning("Telegram refused a bubble or an emoji in chat %d", chat_id)
            return False
        self._history.sent(planned, message_id)
        return True

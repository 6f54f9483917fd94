"""What was planned goes out, in its order and at the owner's pace, wherever an earlier run left off.

Knows nothing of how it was decided on.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from bot.bursts import Burst
from bot.delivery import to_its_end
from bot.history import History, Planned
from bot.outlet import Outlet
from bot.pacing import Rhythm
from bot.pauses import Pauses


class Sending:
    """The plans of all chats, over their history.

    Args:
        send_one: does one thing that is planned in a chat, and notes that; tells whether that is over and done with.
    """

    def __init__(
        self,
        history: History,
        outlet: Outlet,
        pauses: Pauses,
        rhythm: Rhythm,
        send_one: Callable[[int, Planned], Coroutine[Any, Any, bool]],
    ) -> None:
        self._history = history
        self._send_one = send_one
        self._outlet = outlet
        self._pauses = pauses
        self._rhythm = rhythm

    async def send(self, burst: Burst) -> Planned | None:
        """Send what is planned in a chat and not sent yet, with pauses between bubbles.

        Returns:
            what could not be done; it is still planned, and so is what comes after it.
        """
        for number, planned in enumerate(self._history.planned(burst.chat_id)):
            if planned.is_sent:
                continue
            seconds = self._pauses.before(planned.adapter, planned.text) if number else 0
            if seconds > 0:
                async with self._outlet.typing(burst.chat_id):
                    await burst.pause(seconds)
            is_over = await to_its_end(self._send_one(burst.chat_id, planned), self._rhythm.close)
            if not is_over:
                return planned
        return None

"""Whether a bot may write in one of the owner's chats just now: Telegram's rules, kept before Telegram has to.

Knows nothing of what would be written.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.business import wording
from bot.business.connections import Connections
from bot.business.modes import Modes
from twin.places import chat_at

WITHIN_SECONDS = 24 * 3600  # https://core.telegram.org/bots/api#businessbotrights: can_reply


class Leave:
    """The rights of the connection, and the 24 hours after the other's last message.

    Args:
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, connections: Connections, modes: Modes, clock: Callable[[], float]) -> None:
        self._connections = connections
        self._modes = modes
        self._clock = clock

    def obstacle(self, place: int) -> str | None:
        """Why nothing can be sent to a place, as a sentence; None if it can."""
        connection = self._connections.current()
        if connection is None or not connection.is_enabled:
            return wording.NOT_CONNECTED
        if not connection.can_reply:
            return wording.NO_RIGHT
        return wording.TOO_LATE if self.is_late(place) else None

    def is_late(self, place: int) -> bool:
        """Whether the other's last message is so old that no bot may write."""
        heard_at = self._modes.heard_at(chat_at(place))
        return heard_at is None or self._clock() - heard_at > WITHIN_SECONDS

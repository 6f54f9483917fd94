"""/why: which version wrote a message of the twin's, and after what it had learned most of all.

Knows nothing of Telegram. What was learned is read from the version's snapshot, where there are no secrets; the search
is that of the day-0 twin.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot import wording
from bot.history import History
from twin.conversations import latest_session
from twin.errors import TwinError
from twin.manifest import Manifest
from twin.messages import Message, Peer
from twin.session_lines import newest_folder
from twin.settings import Settings

if TYPE_CHECKING:
    from inference.day0 import PastReplies

_MOMENTS = 3

Moments = list[tuple[str, tuple[str, ...]]]


class Why:
    """Answers for messages of one bot; what was read last is kept."""

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history
        self._read: tuple[Path, PastReplies] | None = None
        self._reading = asyncio.Lock()

    async def explain(self, chat_id: int, message_id: int) -> str:
        """What is known of a message in a chat."""
        found = self._history.author(chat_id, message_id)
        if found is None:
            return wording.WHY_USAGE
        adapter, at = found
        before = _before(self._history.messages(chat_id, self._settings.telegram.history_messages), message_id)
        async with self._reading:
            try:
                moments = await asyncio.to_thread(self._moments, adapter, before)
            except TwinError as error:
                return f"{wording.why(adapter, at, None)}\n{error}"
        return wording.why(adapter, at, moments)

    def _moments(self, adapter: str | None, before: list[Message]) -> Moments:
        from inference.day0 import learned_moments

        gap = timedelta(minutes=self._settings.dataset.session_gap_minutes)
        session = latest_session(before, gap, self._settings.owner.language or "en", Peer()) if before else None
        if session is None:
            return []
        folder = self._folder(adapter)
        if self._read is None or self._read[0] != folder:
            self._read = folder, learned_moments(folder)
        return self._read[1].moments(session.turns, _MOMENTS)

    def _folder(self, adapter: str | None) -> Path:
        """The snapshot that a version learned from, if it is still there, else the newest."""
        if adapter is not None:
            try:
                folder = self._settings.datasets / Manifest.read(self._settings.adapters / adapter).dataset
            except TwinError:  # deleted meanwhile
                return newest_folder(self._settings.datasets)
            if folder.is_dir():
                return folder
        return newest_folder(self._settings.datasets)


def _before(messages: list[Message], message_id: int) -> list[Message]:
    """What was said up to a reply: without it, nor its other bubbles before it."""
    places = [place for place, said in enumerate(messages) if said.is_owner and said.message_id == message_id]
    before = messages[: places[0]] if places else []
    while before and before[-1].is_owner:
        before = before[:-1]
    return before

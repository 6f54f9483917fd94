"""The other commands: /start, /help, /status, /reset.

Knows nothing of generating; it asks the engine and the registry what there is to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from telegram import Update

from bot import wording
from bot.access import Access
from bot.delivery import deliver
from bot.engine import Engine
from bot.history import History
from bot.pacing import Rhythm
from bot.phrases import commands
from bot.speech import Speech
from twin.errors import AdapterError
from twin.jobs import RETRAIN, JobQueue
from twin.registry import Manifest, Registry
from twin.settings import Settings


class Commands:
    """Answers to commands.

    Args:
        clock: gives the time as UTC epoch seconds.
        paused_since: tells since when nothing is answered, if so.
        tried: tells which version the owner tries.
    """

    def __init__(
        self,
        settings: Settings,
        access: Access,
        history: History,
        engine: Engine,
        queue: JobQueue,
        registry: Registry,
        speech: Speech,
        rhythm: Rhythm,
        clock: Callable[[], float],
        paused_since: Callable[[], float | None],
        tried: Callable[[], str | None],
    ) -> None:
        self._speech = speech
        self._access = access
        self._history = history
        self._engine = engine
        self._queue = queue
        self._registry = registry
        self._rhythm = rhythm
        self._clock = clock
        self._paused_since = paused_since
        self._tried = tried

    async def start(self, update: Update, _: Any) -> None:
        """/start: what this is."""
        await self._say(update, self._phrase(update, "greeting"))

    async def help(self, update: Update, _: Any) -> None:
        """/help, and every command that does not exist."""
        assert update.effective_user is not None
        sender = update.effective_user.id
        shown = wording.OWNER_COMMANDS if sender == self._access.owner else commands(self._speech.language(sender))
        await self._say(update, wording.help_text(shown))

    async def status(self, update: Update, _: Any) -> None:
        """/status: which version answers, its held-out metrics, what was refused, where training stands."""
        serving = await self._engine.look(self._rhythm.look)
        metrics: dict[str, Any] = {}
        if serving is not None and serving.adapter is not None:
            with suppress(AdapterError):  # deleted while it serves: it has no metrics to show any more
                metrics = Manifest.read(self._registry.path(serving.adapter)).metrics
        job = next((job for job in self._queue.latest() if job.kind == RETRAIN), None)
        tried = self._tried() if self._access.is_owners(update) else None
        await self._say(update, wording.status(serving, metrics, job, self._paused_since(), tried))

    async def reset(self, update: Update, _: Any) -> None:
        """/reset: the live conversation starts afresh."""
        assert update.effective_chat is not None
        self._history.reset(update.effective_chat.id, self._clock())
        await self._say(update, self._phrase(update, "reset"))

    def _phrase(self, update: Update, key: str) -> str:
        assert update.effective_user is not None
        return self._speech.say(update.effective_user.id, key)

    async def _say(self, update: Update, text: str) -> None:
        message = update.message
        assert message is not None
        await deliver(lambda: message.reply_text(text), self._rhythm)

"""The daemon: its parts put together, started in order, and stopped in order.

Knows nothing of what the parts do inside; the generator comes in as a factory.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from telegram import Update

from bot.access import owner_of
from bot.connection import application
from bot.inbox import Inbox, read
from bot.order import PerChat
from bot.pacing import Rhythm
from bot.parts import Parts
from bot.polling import Receive, poll, reach
from bot.routes import register
from bot.token import check
from bot.webhook import Webhook
from inference.generator import Generator
from twin.settings import Settings
from twin.store import Store

_log = logging.getLogger(__name__)


async def run_bot(
    settings: Settings,
    token: str,
    build: Callable[[], Generator],
    stop: asyncio.Event,
    rhythm: Rhythm | None = None,
) -> bool:
    """Answer in Telegram until `stop` is set; what is not answered by then stays in the inbox for the next start.

    Args:
        build: makes the generator, in a thread.

    Returns:
        whether the model was freed; if not, its engine is in the middle of something that takes long.

    Raises:
        BotError: no owner is set, the token is no good, or somebody else polls with it.
        ModelError: the generator cannot be built.
    """
    _quieten_library()
    owner_of(settings)
    check(token)
    with Store.of(settings) as store:
        daemon = Daemon(settings, token, build, store, rhythm or Rhythm())
        serving = asyncio.create_task(daemon.serve())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
        finally:
            stopping.cancel()
            serving.cancel()
            await asyncio.gather(serving, stopping, return_exceptions=True)
            is_free = await daemon.close()
    return is_free


class Daemon:
    """One bot: an Application without an updater (updates come by `receive`), and the parts that its updates go to."""

    def __init__(
        self,
        settings: Settings,
        token: str,
        build: Callable[[], Generator],
        store: Store,
        rhythm: Rhythm,
    ) -> None:
        self._rhythm = rhythm
        self._settings = settings
        self._inbox = Inbox(store.db, rhythm.clock.now)
        order = self._order = PerChat(lambda update_id: self._parts.answered(update_id))
        self._app = application(token, settings.telegram, self._inbox, order)
        bot, queue = self._app.bot, self._app.update_queue
        self._parts = Parts(settings, build, store, rhythm, bot, queue, self._inbox, order)
        register(self._app, self._parts)

    async def serve(self) -> None:
        """Run until cancelled: messages are taken in, and wait, from before the model is loaded.

        Raises:
            TwinError: see `run_bot`.
        """
        if self._settings.telegram.webhook_url is None:
            await self._serve(poll)
        else:
            with Webhook(self._settings, self._inbox) as webhook:
                await self._serve(webhook.receive)

    async def _serve(self, receive: Receive) -> None:
        self._inbox.prune()
        await reach(self._app.initialize, self._rhythm)
        await self._app.start()
        _log.info("Listening in Telegram as @%s", self._app.bot.username)
        for update in self._inbox.open_updates():
            await self._again(update)
        self._parts.retraining.resume()
        loading = asyncio.create_task(self._parts.engine.load())
        receiving = asyncio.create_task(receive(self._app.bot, self._parts.pause.accept, self._rhythm))
        telling = asyncio.create_task(self._parts.notices.run())
        trying, showing = asyncio.create_task(self._parts.tries.watch()), asyncio.create_task(self._parts.cards.run())
        menus = asyncio.create_task(self._parts.menus.run())
        arrivals = asyncio.create_task(self._parts.guests.tell_arrivals())
        tasks = (loading, receiving, telling, trying, showing, menus, arrivals)
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in ended:
                task.result()
        finally:  # each is cancelled once: a second time would break off how it ends
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> bool:
        """Finish the replies under way if that is soon, leave the others to the inbox, free the model."""
        await self._parts.retraining.close()
        grace = self._rhythm.grace if self._parts.engine.serving is not None else 0
        await asyncio.gather(*(bursts.drain(grace) for bursts in self._parts.bursts), self._order.drain(grace))
        if self._app.running:
            await self._app.stop()
        await self._app.shutdown()
        await self._app.bot.shutdown()  # open even if `initialize` broke off
        return await self._parts.engine.close(self._rhythm.close)

    async def _again(self, kept: dict[str, Any]) -> None:
        """Handle an update that an earlier run did not come to answer."""
        if read(kept) is None:
            self._inbox.close(kept["update_id"])
            return
        update = Update.de_json(kept, self._app.bot)
        await self._parts.pause.accept(update)


def _quieten_library() -> None:
    """No warning of its own deprecations at every 429, no log lines that quote updates; what matters
    of its errors is logged here, by kind."""
    os.environ["PTB_TIMEDELTA"] = "true"
    logging.getLogger("telegram").setLevel(logging.CRITICAL + 1)

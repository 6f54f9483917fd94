"""The daemon: its parts put together, started in order, and stopped in order.

Knows nothing of what the parts do inside; the generator comes in as a factory.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Collection
from typing import Any

from telegram import Update
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, MessageHandler, TypeHandler, filters
from telegram.request import HTTPXRequest

from bot.access import Access, Handler, owner_of
from bot.commands import Commands
from bot.desk import FORGET_PREFIX, Desk
from bot.disclosure import Disclosure
from bot.engine import Engine
from bot.guests import Guests
from bot.handlers import Conversations, log_failure
from bot.history import History
from bot.inbox import Inbox, InboxRequest, read
from bot.invites import Invites
from bot.limits import Limits
from bot.notices import Notices
from bot.order import AT_ONCE, PerChat
from bot.pacing import Rhythm
from bot.pause import Pause
from bot.people import People
from bot.polling import connect, poll
from bot.retrain import Retraining
from bot.switches import Switches
from bot.token import check
from bot.tuning import Tuning
from bot.versions import PREFIX as VERSION_PREFIX
from bot.versions import Versions
from bot.welcome import Welcome
from bot.why import Why
from inference.generator import Generator
from inference.server.records import Records
from twin.errors import BotError
from twin.jobs import JobQueue
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

App = Application[Any, Any, Any, Any, Any, Any]
_NEW = filters.UpdateType.MESSAGE
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
    """One bot: an Application without an updater (see bot.polling), and what its handlers need."""

    def __init__(
        self,
        settings: Settings,
        token: str,
        build: Callable[[], Generator],
        store: Store,
        rhythm: Rhythm,
    ) -> None:
        self._settings = settings
        self._rhythm = rhythm
        self._store = store
        self._inbox = Inbox(store.db, rhythm.clock.now)
        self._history = History(store.db)
        self._order = PerChat(self._answered)
        self._app = _application(token, settings.telegram.bot_api_url, self._inbox, self._order)
        switches = Switches(store.db)
        tuning = Tuning(settings, switches)
        self._engine = Engine(settings, build, tuning.how)
        self._conversations = Conversations(
            settings,
            self._app.bot,
            self._inbox,
            self._history,
            store.dialog_table,
            self._engine,
            rhythm,
            self._settle,
            tuning.pacing,
        )
        self._make_door(switches)
        self._make_commands(tuning)
        self._register(self._conversations)

    def _make_door(self, switches: Switches) -> None:
        """Whatever decides whether an update is answered at all."""
        db, rhythm, telegram, clock = self._store.db, self._rhythm, self._settings.telegram, self._rhythm.clock.now
        people = People(db, owner_of(self._settings), telegram.allowed_ids, clock)
        invites = Invites(db, people, clock)
        self._access = Access(self._settings, people, invites)
        self._guests = Guests(self._app.bot, self._access.owner, people, invites, rhythm)
        self._disclosure = Disclosure(self._settings, db, clock)
        limits = Limits(db, telegram, clock)
        self._welcome = Welcome(self._access, limits, self._disclosure, self._history, rhythm)
        self._pause = Pause(
            self._app.bot,
            self._app.update_queue,
            self._access,
            switches,
            self._inbox,
            self._history,
            self._order,
            self._conversations.bursts,
            telegram.answer_within_hours,
            rhythm,
        )

    def _make_commands(self, tuning: Tuning) -> None:
        """Whatever answers for the twin, and not as it."""
        settings, db, rhythm, clock = self._settings, self._store.db, self._rhythm, self._rhythm.clock.now
        self._retraining = Retraining(self._app.bot, db, rhythm, clock)
        self._notices = Notices(self._app.bot, db, self._access.owner, rhythm)
        registry = Registry(settings.adapters, db)
        self._commands = Commands(
            settings,
            self._access,
            self._history,
            self._engine,
            JobQueue(db),
            registry,
            rhythm,
            clock,
            lambda: self._pause.since,
        )
        versions = Versions(Records(settings, clock))
        why = Why(settings, self._history)
        self._desk = Desk(versions, why, tuning, self._history, self._disclosure, rhythm)

    async def serve(self) -> None:
        """Run until cancelled: messages are taken in, and wait, from before the model is loaded.

        Raises:
            TwinError: see `run_bot`.
        """
        self._inbox.prune()
        await connect(self._app, self._rhythm)
        await self._app.start()
        _log.info("Listening in Telegram as @%s", self._app.bot.username)
        for update in self._inbox.open_updates():
            await self._again(update)
        self._retraining.resume()
        loading = asyncio.create_task(self._engine.load())
        polling = asyncio.create_task(poll(self._app.bot, self._pause.accept, self._rhythm))
        telling = asyncio.create_task(self._notices.run())
        tasks = (loading, polling, telling, asyncio.create_task(self._guests.tell_arrivals()))
        try:
            await self._commands.show_menus(self._app.bot)
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> bool:
        """Finish the replies under way if that is soon, leave the others to the inbox, free the model."""
        await self._retraining.close()
        grace = self._rhythm.grace if self._engine.serving is not None else 0
        await asyncio.gather(self._conversations.bursts.drain(grace), self._order.drain(grace))
        if self._app.running:
            await self._app.stop()
        await self._app.shutdown()
        await self._app.bot.shutdown()  # open even if `initialize` broke off
        return await self._engine.close(self._rhythm.close)

    def _register(self, conversations: Conversations) -> None:
        add = self._app.add_handler
        add(TypeHandler(Update, self._access.gate), group=-2)
        add(TypeHandler(Update, self._welcome.gate), group=-1)
        add(CommandHandler("start", self._start, filters=_NEW))
        for name in ("help", "status"):
            add(CommandHandler(name, getattr(self._commands, name), filters=_NEW))
        add(CommandHandler("forget", self._desk.forget, filters=_NEW))
        add(CommandHandler("reset", conversations.after_answers(self._commands.reset), filters=_NEW))
        for name, handler in self._owners().items():
            add(CommandHandler(name, self._access.owner_only(handler), filters=_NEW))
        owners_button = self._access.owner_only(self._desk.version_button)
        add(CallbackQueryHandler(owners_button, pattern=f"^{VERSION_PREFIX}"))
        forgetting = conversations.after_answers(self._desk.forget_button)
        add(CallbackQueryHandler(forgetting, pattern=f"^{FORGET_PREFIX}"))
        add(CallbackQueryHandler(self._desk.unknown_button))
        add(MessageHandler(_NEW & filters.COMMAND, self._commands.help))
        add(MessageHandler(_NEW, conversations.answer))
        add(MessageHandler(filters.UpdateType.EDITED_MESSAGE, conversations.revise))
        self._app.add_error_handler(log_failure)

    def _owners(self) -> dict[str, Handler]:
        """The commands that only the owner may give."""
        return {
            "retrain": self._retraining.command,
            "allow": self._guests.allow,
            "deny": self._guests.deny,
            "versions": self._desk.versions,
            "rollback": self._desk.rollback,
            "why": self._desk.why,
            "settings": self._desk.settings,
            "pause": self._pause.pause,
            "resume": self._pause.resume,
        }

    async def _start(self, update: Update, context: Any) -> None:
        await self._commands.start(update, context)
        await self._guests.tell_arrivals()

    async def _again(self, kept: dict[str, Any]) -> None:
        """Handle an update that an earlier run did not come to answer."""
        if read(kept) is None:
            self._inbox.close(kept["update_id"])
            return
        update = Update.de_json(kept, self._app.bot)
        await self._pause.accept(update)

    def _answered(self, update_id: int) -> None:
        """An update went through its handler; one that waits for an answer stays open until that is sent."""
        if not self._conversations.bursts.holds(update_id):
            self._settle([update_id])

    def _settle(self, update_ids: Collection[int]) -> None:
        with self._store.atomic():
            for update_id in update_ids:
                self._inbox.close(update_id)
                self._history.settle(update_id)


def _quieten_library() -> None:
    """No warning of its own deprecations at every 429, no log lines that quote updates; what matters
    of its errors is logged here, by kind."""
    os.environ["PTB_TIMEDELTA"] = "true"
    logging.getLogger("telegram").setLevel(logging.CRITICAL + 1)


def _application(token: str, url: str | None, inbox: Inbox, order: PerChat) -> App:
    builder = Application.builder().token(token).updater(None).job_queue(None).concurrent_updates(order)
    builder = builder.request(HTTPXRequest(connection_pool_size=AT_ONCE)).get_updates_request(InboxRequest(inbox))
    if url is not None:
        if not re.match("https?://", url):
            raise BotError(
                "telegram.bot_api_url is no address of a server", "write it as http://host:port, without the token"
            )
        address = url.rstrip("/")
        builder = builder.base_url(f"{address}/bot").base_file_url(f"{address}/file/bot")
    return builder.build()

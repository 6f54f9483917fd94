"""What the twin does with messages: gather bursts, generate while typing, send bubble by bubble.

Knows nothing of who may write, or of commands.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from telegram import Bot, Update
from telegram import Message as TelegramMessage
from telegram.error import BadRequest, Forbidden, TelegramError

from bot import wording
from bot.access import Handler
from bot.bursts import Burst, Bursts, Heard
from bot.delivery import pieces
from bot.engine import Engine
from bot.groups import without_call
from bot.history import History, Planned
from bot.inbox import Inbox
from bot.incoming import as_message
from bot.outlet import Outlet
from bot.pacing import Rhythm
from bot.pauses import Pauses
from bot.speech import Speech
from bot.tries import Tries
from inference.generator import TwinReply
from twin.conversations import fate, latest_session
from twin.dialogs import Dialogs
from twin.messages import Conversation, Message, Peer
from twin.places import is_owners_own
from twin.settings import Settings

_log = logging.getLogger(__name__)


class Conversations:
    """The live chats of the twin.

    Args:
        dialogs: where the owner's own chats with the same people are known by name and relation.
        settle: closes updates that are answered, all at once or none.
        pacing: what `telegram.pacing` is just now; default: as the settings say.

    Attributes:
        bursts: what waits for an answer, and the answers under way.
    """

    def __init__(
        self,
        settings: Settings,
        bot: Bot,
        outlet: Outlet,
        inbox: Inbox,
        history: History,
        dialogs: Dialogs,
        engine: Engine,
        tries: Tries,
        speech: Speech,
        rhythm: Rhythm,
        settle: Callable[[Collection[int]], None],
        pacing: Callable[[], str] | None = None,
    ) -> None:
        self._owner = settings.bot_owner
        self._telegram = settings.telegram
        self._gap = timedelta(minutes=settings.dataset.session_gap_minutes)
        self._bot = bot
        self._outlet = outlet
        self._inbox = inbox
        self._history = history
        self._dialogs = dialogs
        self._engine = engine
        self._tries = tries
        self._speech = speech
        self._rhythm = rhythm
        self._pauses = Pauses(settings, rhythm.random, pacing)
        self._settle = settle
        quiet, most = settings.telegram.debounce_seconds, settings.telegram.debounce_most_seconds
        self.bursts = Bursts(self._answer, quiet, most, rhythm.clock)

    async def answer(self, update: Update, _: Any) -> None:
        """A message came: it is answered with the burst that it belongs to, after this has returned."""
        message = update.message
        assert message is not None
        name = message.from_user.full_name if message.from_user else None
        heard = Heard(update.update_id, self._read(message), name)
        if fate(heard.message) != "shown" or not self._inbox.is_open(update.update_id):
            return
        is_begun = update.update_id in self._history.unsettled(message.chat_id)
        if is_begun and self._history.planned(message.chat_id):
            self.bursts.resume(heard)
        else:
            self.bursts.add(heard)

    async def revise(self, update: Update, _: Any) -> None:
        """A message was edited: it is remembered, and if it is not answered yet, answered as it reads now."""
        message = update.edited_message
        assert message is not None
        edited = self._read(message)
        if fate(edited) == "shown":
            self._history.revise(edited)
            self.bursts.revise(update.update_id, edited)

    def _read(self, message: TelegramMessage) -> Message:
        read = as_message(message)
        is_private = message.chat.type == message.chat.PRIVATE
        return read if is_private else replace(read, text=without_call(message, self._bot))

    def after_answers(self, handler: Handler) -> Handler:
        """The same handler of commands, after all that came before it in that chat is answered."""

        async def waiting(update: Update, context: Any) -> None:
            assert update.effective_chat is not None
            await self.bursts.finish(update.effective_chat.id)
            await handler(update, context)

        return waiting

    async def _answer(self, burst: Burst) -> None:
        """Answer a burst to its end. Interrupted anywhere and called again, it goes on where it was."""
        with _survived():
            await self._say(burst)
        with _survived():
            self._settle(burst.updates | self._history.unsettled(burst.chat_id))

    async def _say(self, burst: Burst) -> None:
        if self._history.planned(burst.chat_id):  # by an earlier run, or before a failure
            await self._send(burst)
            self._settle(self._history.unsettled(burst.chat_id))
        if burst.is_planned:
            return
        reply = await self._reply(burst)
        if isinstance(reply, str):  # the bot's own words, which the twin never said
            await self._outlet.send(burst.chat_id, reply)
            return
        bubbles = [piece for text in reply.bubbles for piece in pieces(text)]
        leader, now = burst.heard[0].update_id, self._rhythm.clock.now()
        self._history.plan(leader, burst.chat_id, bubbles, reply.adapter, now)
        await self._send(burst)

    async def _reply(self, burst: Burst) -> TwinReply | str:
        """The answer to all of a burst, however it changed meanwhile; from now on it does not."""
        reply = None
        while reply is None:
            await burst.gathered()
            for heard in burst.heard:
                self._history.hear(heard.update_id, heard.message)
            reply = await burst.unless_changed(self._think(burst))
        burst.close()
        return reply

    async def _think(self, burst: Burst) -> TwinReply | str:
        """Generate, and let pass what is left of the time that the owner would take."""
        asked_at = self._rhythm.clock.now() - burst.silence
        async with self._outlet.typing(burst.chat_id):
            reply = await self._generate(burst)
            if isinstance(reply, TwinReply):
                await burst.pause(self._pauses.before_first(reply.adapter, asked_at) - burst.silence)
        return reply

    async def _generate(self, burst: Burst) -> TwinReply | str:
        """The twin's reply, or what to say in its place; why generating failed is logged without what was said."""
        chat_id = burst.chat_id
        messages = self._history.messages(chat_id, self._telegram.history_messages)
        peer = self._peer(chat_id, burst.heard[-1].name)
        asked = partial(_conversation, messages, self._gap, peer, self._rhythm.clock.now())
        is_dropped = threading.Event()
        try:
            reply = await self._tries.reply(chat_id, asked, is_dropped.is_set)
        except Exception as error:  # noqa: BLE001 - one bad reply must not end the bot
            _log.error("The reply to update %d failed (%s)", burst.heard[-1].update_id, type(error).__name__)
            return self._speech.say(self._reader(chat_id), "apology")
        finally:
            is_dropped.set()
        if reply is not None:
            return reply
        serving = self._engine.serving
        if self._reader(chat_id) == self._owner:
            return wording.untrained(serving.refused if serving else None)
        return self._speech.say(chat_id, "untrained")

    def _reader(self, place: int) -> int | None:
        """Who reads what the bot itself says of a place: a private chat has the id of the person in it."""
        return self._owner if is_owners_own(place) else place

    def _peer(self, chat_id: int, name: str | None) -> Peer:
        """Who that is: as the owner's own dialog with them calls them, which training saw, else as they do."""
        known = self._dialogs.peer(chat_id)
        return Peer(known.name or name, known.relation)

    async def _send(self, burst: Burst) -> None:
        """Send what is planned and not sent yet, with pauses between bubbles."""
        for number, planned in enumerate(self._history.planned(burst.chat_id)):
            if planned.is_sent:
                continue
            seconds = self._pauses.before(planned.adapter, planned.text) if number else 0
            if seconds > 0:
                async with self._outlet.typing(burst.chat_id):
                    await burst.pause(seconds)
            sending = asyncio.create_task(self._send_one(burst.chat_id, planned))
            try:
                await asyncio.shield(sending)
            except asyncio.CancelledError:  # Telegram may have it: sent again, it would be there twice
                await asyncio.wait({sending}, timeout=self._rhythm.close)
                sending.cancel()
                raise

    async def _send_one(self, chat_id: int, planned: Planned) -> None:
        try:
            message_id = await self._outlet.send(chat_id, planned.text)
        except (BadRequest, Forbidden):
            _log.warning("Telegram refused a bubble in chat %d", chat_id)
            self._history.drop(planned)
        else:
            self._history.sent(planned, message_id)


def _conversation(messages: Sequence[Message], gap: timedelta, peer: Peer, now: float, language: str) -> Conversation:
    """The live conversation, cut and written as the sessions that the twin learned from."""
    at = datetime.fromtimestamp(now, UTC)
    session = latest_session(messages, gap, language, peer)
    return Conversation.of(session, at) if session is not None else Conversation((), peer, at=at)


@contextmanager
def _survived() -> Iterator[None]:
    """One failure must not end a chat."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it was
        _note(error)


async def log_failure(_: object, context: Any) -> None:
    """The application's error handler."""
    _note(context.error)


def _note(error: Exception) -> None:
    """Log the kind of error and its place, never its text (URLs hold the token)."""
    if isinstance(error, TelegramError):
        _log.warning("Telegram refused a request (%s)", type(error).__name__)
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
    _log.error("An update could not be handled (%s at %s)", type(error).__name__, place)

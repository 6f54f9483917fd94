"""What the twin does with a message: remember it, generate while typing, send bubble by bubble.

Knows nothing of who may write, or of commands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from telegram import Bot, Update
from telegram.error import BadRequest, Forbidden, TelegramError

from bot import wording
from bot.delivery import deliver, pieces
from bot.engine import Engine
from bot.history import History
from bot.incoming import as_message
from bot.pacing import Rhythm, typing
from inference.generator import TwinReply
from twin.conversations import fate, latest_session
from twin.dialogs import Dialogs
from twin.messages import Conversation, Message, Peer
from twin.settings import Settings

APOLOGY = "Sorry, I can't answer right now. Try again in a moment."
_log = logging.getLogger(__name__)


class Conversations:
    """The live chats of the twin.

    Args:
        dialogs: where the owner's own chats with the same people are known by name and relation.
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(
        self,
        settings: Settings,
        history: History,
        dialogs: Dialogs,
        engine: Engine,
        rhythm: Rhythm,
        clock: Callable[[], float],
    ) -> None:
        self._owner = settings.bot_owner
        self._telegram = settings.telegram
        self._gap = timedelta(minutes=settings.dataset.session_gap_minutes)
        self._history = history
        self._dialogs = dialogs
        self._engine = engine
        self._rhythm = rhythm
        self._clock = clock

    async def answer(self, update: Update, context: Any) -> None:
        """Answer one message. Interrupted anywhere and called again, it goes on where it was."""
        message = update.message
        assert message is not None
        heard = as_message(message)
        if fate(heard) != "shown":
            return
        self._history.hear(update.update_id, heard)
        if not self._history.planned(update.update_id):
            name = message.from_user.full_name if message.from_user else None
            reply = await self._generate(context.bot, update.update_id, message.chat_id, name)
            if isinstance(reply, str):  # the bot's own words, which the twin never said
                await deliver(partial(context.bot.send_message, message.chat_id, reply), self._rhythm)
                return
            bubbles = [piece for text in reply.bubbles for piece in pieces(text)]
            self._history.plan(update.update_id, message.chat_id, bubbles, reply.adapter, self._clock())
        await self._send(context.bot, update.update_id, message.chat_id)

    async def _generate(self, bot: Bot, update_id: int, chat_id: int, name: str | None) -> TwinReply | str:
        """The twin's reply, or what to say in its place; why generating failed is logged without what was said."""
        messages = self._history.messages(chat_id, self._telegram.history_messages)
        asked = partial(_conversation, messages, self._gap, self._peer(chat_id, name), self._clock())
        try:
            async with typing(bot, chat_id, self._rhythm.typing):
                reply = await self._engine.reply(asked)
        except Exception as error:  # noqa: BLE001 - one bad reply must not end the bot
            _log.error("The reply to update %d failed (%s)", update_id, type(error).__name__)
            return APOLOGY
        if reply is not None:
            return reply
        serving = self._engine.serving
        is_owner = chat_id == self._owner  # a private chat has the id of the person in it
        return wording.untrained(serving.refused if serving else None, for_owner=is_owner)

    def _peer(self, chat_id: int, name: str | None) -> Peer:
        """Who that is: as the owner's own dialog with them calls them, which training saw, else as they do."""
        known = self._dialogs.peer(chat_id)
        return Peer(known.name or name, known.relation)

    async def _send(self, bot: Bot, update_id: int, chat_id: int) -> None:
        """Send what is planned and not sent yet, with pauses between bubbles."""
        for number, planned in enumerate(self._history.planned(update_id)):
            if planned.is_sent:
                continue
            if number:
                await asyncio.sleep(self._telegram.bubble_pause_seconds)
            try:
                message = await deliver(partial(bot.send_message, chat_id, planned.text), self._rhythm)
            except (BadRequest, Forbidden):
                _log.warning("Telegram refused a bubble in reply to update %d", update_id)
                self._history.drop(planned)
            else:
                self._history.sent(planned, message.message_id)


def _conversation(messages: Sequence[Message], gap: timedelta, peer: Peer, now: float, language: str) -> Conversation:
    """The live conversation, cut and written as the sessions that the twin learned from."""
    at = datetime.fromtimestamp(now, UTC)
    session = latest_session(messages, gap, language, peer)
    return Conversation.of(session, at) if session is not None else Conversation((), peer, at=at)


async def log_failure(_: object, context: Any) -> None:
    """The application's error handler: the kind of error and its place, never its text (URLs hold the token)."""
    error = context.error
    if isinstance(error, TelegramError):
        _log.warning("Telegram refused a request (%s)", type(error).__name__)
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
    _log.error("An update could not be handled (%s at %s)", type(error).__name__, place)

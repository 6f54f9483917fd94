"""What the twin does with messages: gather bursts, generate while typing, send bubble by bubble.

Knows nothing of who may write, or of commands.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from telegram import Bot, Update
from telegram import Message as TelegramMessage
from telegram.error import BadRequest, Forbidden

from bot import wording
from bot.access import Handler
from bot.bursts import Burst, Bursts, Heard
from bot.busy import Busy
from bot.delivery import pieces
from bot.engine import Engine
from bot.failures import survived
from bot.groups import is_called, without_call
from bot.history import History, Planned
from bot.inbox import Inbox
from bot.incoming import as_message
from bot.outlet import Outlet
from bot.pacing import Rhythm
from bot.pauses import Pauses
from bot.sending import Sending
from bot.speech import Speech
from bot.temper import Reaction, Temper
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
        self._busy = Busy(settings, history, outlet, rhythm)
        self._inbox = inbox
        self._history = history
        self._dialogs = dialogs
        self._engine = engine
        self._tries = tries
        self._speech = speech
        self._rhythm = rhythm
        self._pauses = Pauses(settings, rhythm.random, pacing)
        self._temper = Temper(settings.telegram, self._pauses.paces, rhythm.random)
        self._sending = Sending(history, outlet, self._pauses, rhythm, self._send_one)
        self._settle = settle
        quiet, most = settings.telegram.debounce_seconds, settings.telegram.debounce_most_seconds
        self.bursts = Bursts(self._answer, quiet, most, rhythm.clock)

    async def answer(self, update: Update, _: Any) -> None:
        """A message came: it is answered with the burst that it belongs to, after this has returned."""
        message = update.message
        assert message is not None
        name = message.from_user.full_name if message.from_user else None
        heard = Heard(update.update_id, self._read(message), name, is_called(message, self._bot))
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
        with survived():
            await self._say(burst)
        with survived():
            self._settle(burst.updates | self._history.unsettled(burst.chat_id))

    async def _say(self, burst: Burst) -> None:
        if self._history.planned(burst.chat_id):  # by an earlier run, or before a failure
            await self._send(burst)
            self._settle(self._history.unsettled(burst.chat_id))
        if burst.is_planned:
            return
        met = await self._meet(burst)
        if not burst.heard:  # who wrote it all was kept out meanwhile
            return
        if isinstance(met, TwinReply):
            last_act = self._history.last_act(burst.chat_id)
            met = self._temper.as_reaction(met.adapter, burst.heard, last_act, met.bubbles) or met
        self._plan(burst, met)
        await self._send(burst)

    async def _meet(self, burst: Burst) -> TwinReply | Reaction | str:
        """What all of a burst is met with, however it changed meanwhile; from now on it does not."""
        met = None
        while met is None:
            await burst.gathered()
            for heard in burst.heard:
                self._history.hear(heard.update_id, heard.message)
            met = await burst.unless_changed(self._think(burst))
        burst.close()
        return met

    async def _think(self, burst: Burst) -> TwinReply | Reaction | str:
        """Decide, generate if it is to be words, and let pass what is left of the time that the owner would take."""
        if not burst.heard:
            return ""
        asked_at = self._rhythm.clock.now() - burst.silence
        reaction = await self._decide(burst)
        pause = self._pauses.before_first(self._version(burst.chat_id), asked_at)
        if reaction is not None:
            if reaction.emoji:
                await burst.pause(pause - burst.silence)
            return reaction
        async with self._outlet.typing(burst.chat_id):
            async with self._busy.watching(burst, pause - burst.silence):
                reply = await self._generate(burst)
            if isinstance(reply, TwinReply):
                await burst.pause(pause - burst.silence)
        return reply

    async def _decide(self, burst: Burst) -> Reaction | None:
        """Whether there are to be no words, as the owner would have none; in the owner's own chats there always are."""
        if not self._temper.is_moody or is_owners_own(burst.chat_id):
            return None
        await self._engine.loaded()
        version = self._version(burst.chat_id)
        if version is None:
            return None
        return self._temper.draw(version, burst.heard, self._history.last_act(burst.chat_id))

    def _version(self, place: int) -> str | None:
        """Which answers there just now, as far as is known."""
        serving = self._engine.serving
        return self._tries.at(place) or (serving.adapter if serving else None)

    def _plan(self, burst: Burst, met: TwinReply | Reaction | str) -> None:
        """Write down what is to be done, before any of it is."""
        leader, chat_id, now = burst.heard[0].update_id, burst.chat_id, self._rhythm.clock.now()
        match met:
            case TwinReply():
                bubbles = [piece for text in met.bubbles for piece in pieces(text)]
                self._history.plan(leader, chat_id, bubbles, met.adapter, now)
            case Reaction(emoji=""):
                self._history.plan_act(leader, chat_id, "silence", now)
            case Reaction():
                target = burst.heard[-1].message.message_id
                self._history.plan_act(leader, chat_id, "reaction", now, met.emoji, target)
            case line:  # the bot's own words, which the twin never said
                self._history.plan_act(leader, chat_id, "line", now, line)

    async def _send(self, burst: Burst) -> None:
        """Send what is planned; where no emoji may be given, words are said instead."""
        refused = await self._sending.send(burst)
        if refused is None:
            return
        async with self._outlet.typing(burst.chat_id):
            reply = await self._generate(burst)
        self._history.drop(refused)
        self._plan(burst, reply)
        await self._sending.send(burst)

    async def _generate(self, burst: Burst) -> TwinReply | str:
        """The twin's reply, or what to say in its place; why generating failed is logged without what was said."""
        chat_id = burst.chat_id
        messages = self._history.messages(chat_id, self._telegram.history_messages)
        peer = self._peer(chat_id, burst.heard[-1].name)
        asked = partial(_conversation, messages, self._gap, peer, self._rhythm.clock.now())
        is_dropped = threading.Event()
        try:
            with self._busy.load.reply(asked) as begun:
                reply = await self._tries.reply(chat_id, begun, is_dropped.is_set)
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

    async def _send_one(self, chat_id: int, planned: Planned) -> bool:
        """Do one thing that is planned; whether that is over: an emoji that is refused is not."""
        try:
            if planned.act == "reaction":
                message_id = planned.target or 0
                await self._outlet.react(chat_id, message_id, planned.text)
            else:
                message_id = await self._outlet.send(chat_id, planned.text)
        except (BadRequest, Forbidden):
            _log.warning("Telegram refused a bubble or an emoji in chat %d", chat_id)
            if planned.act == "reaction":
                return False
            self._history.drop(planned)
        else:
            self._history.sent(planned, message_id)
        return True


def _conversation(messages: Sequence[Message], gap: timedelta, peer: Peer, now: float, language: str) -> Conversation:
    """The live conversation, cut and written as the sessions that the twin learned from."""
    at = datetime.fromtimestamp(now, UTC)
    session = latest_session(messages, gap, language, peer)
    return Conversation.of(session, at) if session is not None else Conversation((), peer, at=at)

"""/quiz: "the owner or the twin?": at a moment later than all that was learned, two answers, and a button for each.

Knows nothing of how a question reads, or of who may talk. A guest is asked about their own dialog with the owner only,
and a question is a row without words, so that it can be answered after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, Update
from telegram.error import BadRequest, Forbidden

from bot.buttons import Screen, acknowledge, change
from bot.delivery import deliver
from bot.engine import Engine
from bot.outlet import Outlet
from bot.pacing import Rhythm
from bot.quiz_sheet import Answer, answer_of, are_alike, is_fit, is_fit_moment, sheet
from bot.speech import Speech
from bot.tries import Tries
from twin.dialogs import Dialogs
from twin.errors import AdapterError, DatasetError
from twin.held_out import HeldOut, held_out
from twin.manifest import Manifest
from twin.quizzes import Asked, Quizzes, Side
from twin.registry import Registry
from twin.settings import Settings

PREFIX = "quiz:"
_ANOTHER = f"{PREFIX}another"
_CHOICE = re.compile(rf"{PREFIX}(\d{{1,18}}):(a|b)", re.ASCII)
_ATTEMPTS = 4  # moments, until the twin's answer to one can stand beside the owner's
_log = logging.getLogger(__name__)


class _NoQuiz(Exception):
    """There is nothing to ask; the phrase says why."""


class Quiz:
    """The command and its buttons."""

    def __init__(
        self,
        settings: Settings,
        bot: Bot,
        owner: int,
        outlet: Outlet,
        engine: Engine,
        tries: Tries,
        registry: Registry,
        dialogs: Dialogs,
        quizzes: Quizzes,
        speech: Speech,
        rhythm: Rhythm,
    ) -> None:
        self._settings = settings
        self._bot = bot
        self._owner = owner
        self._outlet = outlet
        self._engine = engine
        self._tries = tries
        self._registry = registry
        self._dialogs = dialogs
        self._quizzes = quizzes
        self._speech = speech
        self._rhythm = rhythm

    async def command(self, update: Update, _: Any) -> None:
        """/quiz: a question, or why there is none."""
        assert update.effective_user is not None
        await self._ask(update.effective_user.id)  # a private chat has the id of the person in it

    async def button(self, update: Update, _: Any) -> None:
        """An answer to a question, or the wish for another one."""
        query = update.callback_query
        assert query is not None
        user_id = query.from_user.id
        if query.data == _ANOTHER:
            await acknowledge(update, self._rhythm)
            await self._ask(user_id)
            return
        chosen = _CHOICE.fullmatch(query.data or "")
        asked = self._quizzes.get(int(chosen[1])) if chosen else None
        if chosen is None or asked is None:
            await acknowledge(update, self._rhythm, self._speech.say(user_id, "quiz_old"))
        elif asked.user_id != user_id:
            await acknowledge(update, self._rhythm, self._speech.say(user_id, "quiz_not_yours"))
        else:
            await self._answered(update, asked, "a" if chosen[2] == "a" else "b")

    async def _answered(self, update: Update, asked: Asked, side: Side) -> None:
        query = update.callback_query
        assert query is not None and query.message is not None
        is_first = self._quizzes.answer(asked, side, self._rhythm.clock.now())
        told = None if is_first else self._speech.say(asked.user_id, "quiz_answered")
        await acknowledge(update, self._rhythm, told)
        verdict, buttons = self._verdict(asked.id)
        before = getattr(query.message, "text", None) or ""
        if verdict.partition("\n")[0] not in before:  # not told yet: also after a crash between the two
            await change(update, (f"{before}\n\n{verdict}".strip(), buttons), self._rhythm)

    def _verdict(self, number: int) -> Screen:
        asked = self._quizzes.get(number)
        assert asked is not None
        say = partial(self._speech.say, asked.user_id)
        mine = self._quizzes.score(asked.version, [asked.user_id])
        lines = [
            say("quiz_right" if asked.is_right else "quiz_wrong", side=asked.side.upper()),
            say("quiz_score", right=mine.right, count=mine.count),
        ]
        if asked.user_id == self._owner:
            all_of_them = self._quizzes.score(asked.version)
            lines.append(say("quiz_everybody", right=all_of_them.right, count=all_of_them.count))
        another = InlineKeyboardButton(say("quiz_another"), callback_data=_ANOTHER)
        return "\n".join(lines), InlineKeyboardMarkup([[another]])

    async def _ask(self, user_id: int) -> None:
        async with self._outlet.typing(user_id):
            try:
                version, moment, answers = await self._question(user_id)
            except _NoQuiz as none:
                key = str(none)
            except Exception as error:  # noqa: BLE001 - one bad question must not end the bot
                _log.error("A quiz failed (%s)", type(error).__name__)
                key = "apology"
            else:
                await self._put(user_id, version, moment, answers)
                return
        await self._send(user_id, (self._speech.say(user_id, key), None))

    async def _put(self, user_id: int, version: str, moment: HeldOut, answers: tuple[Answer, Answer]) -> None:
        side: Side = "a" if self._rhythm.random.random() < 0.5 else "b"
        number = self._quizzes.ask(version, user_id, moment.id, side, self._rhythm.clock.now())
        say = partial(self._speech.say, user_id)
        you, name = say("quiz_you"), self._speech.owner(user_id)
        other = self._dialogs.peer(moment.conversation.chat_id).name or say("quiz_other")
        people = (you, other) if user_id == self._owner else (name, you)
        buttons = [InlineKeyboardButton(side.upper(), callback_data=f"{PREFIX}{number}:{side}") for side in ("a", "b")]
        text = sheet(moment.conversation, *people, answers, side, say("quiz_question"))
        try:
            await self._send(user_id, (text, InlineKeyboardMarkup([buttons])))
        except (BadRequest, Forbidden):
            self._quizzes.drop(number)
            raise

    async def _question(self, user_id: int) -> tuple[str, HeldOut, tuple[Answer, Answer]]:
        """The version that is asked about, a moment, and two answers: the owner's, and that version's.

        Raises:
            _NoQuiz: there is none to be had.
        """
        version = await self._version(user_id)
        moments = await self._moments(version, user_id)
        for moment in self._in_turn(moments, version, user_id)[:_ATTEMPTS]:
            real, written = answer_of(moment.answer), await self._written(version, moment)
            if written is not None and is_fit(written) and not are_alike(real, written):
                self._snapshot(version)  # it may have been forgotten meanwhile
                return version, moment, (real, written)
        raise _NoQuiz("quiz_same")

    async def _version(self, user_id: int) -> str:
        serving = await self._engine.look(self._rhythm.look)
        version = self._tries.at(user_id) or (serving.adapter if serving is not None else None)
        if version is None:
            raise _NoQuiz("apology" if serving is None else "untrained")  # the model still loads
        return version

    async def _moments(self, version: str, user_id: int) -> list[HeldOut]:
        """What somebody may be asked about: the owner about everything, a guest about their own dialog."""
        snapshot = self._snapshot(version)
        try:
            found = await asyncio.to_thread(held_out, self._settings.datasets / snapshot)
        except DatasetError:
            raise _NoQuiz("quiz_no_dataset") from None
        is_owner, excluded = user_id == self._owner, self._dialogs.excluded()
        theirs = [
            moment
            for moment in found
            if (is_owner or moment.conversation.chat_id == user_id)
            and moment.conversation.chat_id not in excluded
            and is_fit_moment(moment)
        ]
        if not theirs:
            raise _NoQuiz("quiz_none_owner" if is_owner else "quiz_none")
        return theirs

    def _snapshot(self, version: str) -> str:
        """The fingerprint of what a version learned from, if that is still there and may be."""
        try:
            manifest = Manifest.read(self._registry.path(version))
        except AdapterError:
            raise _NoQuiz("quiz_no_dataset") from None
        if self._registry.is_stale(manifest):
            raise _NoQuiz("quiz_stale")
        if not (self._settings.datasets / manifest.dataset).is_dir():
            raise _NoQuiz("quiz_no_dataset")
        return manifest.dataset

    def _in_turn(self, moments: Sequence[HeldOut], version: str, user_id: int) -> list[HeldOut]:
        """Fresh ones first, in any order; then the others, those first that were asked about longest ago."""
        last = self._quizzes.last_asked(version, user_id)
        mixed = self._rhythm.random.sample(list(moments), len(moments))
        return sorted(mixed, key=lambda moment: last.get(moment.id, 0.0))

    async def _written(self, version: str, moment: HeldOut) -> Answer | None:
        """What a version answers at a moment now; None if it came to no end."""
        is_dropped = threading.Event()
        try:
            reply = await self._engine.reply(lambda _: moment.conversation, is_dropped.is_set, version)
        finally:
            is_dropped.set()
        return answer_of(reply.bubbles) if reply is not None and reply.ended != "length" else None

    async def _send(self, user_id: int, screen: Screen) -> None:
        text, keyboard = screen
        quiet = LinkPreviewOptions(is_disabled=True)
        send = partial(self._bot.send_message, user_id, text, reply_markup=keyboard, link_preview_options=quiet)
        await deliver(send, self._rhythm)

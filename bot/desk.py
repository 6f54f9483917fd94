"""What has buttons, or answers for the twin: /versions, /rollback, /why, /settings, /forget, and what the buttons do.

Knows nothing of who may press what: bot/access.py lets only the owner's commands and buttons through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update

from bot import wording
from bot.buttons import Screen, acknowledge, change
from bot.delivery import deliver, pieces
from bot.disclosure import Disclosure
from bot.history import History
from bot.pacing import Rhythm
from bot.speech import Speech
from bot.tuning import Tuning
from bot.versions import Versions
from bot.why import Why
from twin.quizzes import Quizzes

FORGET_PREFIX = "forget:"
_YES, _NO = f"{FORGET_PREFIX}yes", f"{FORGET_PREFIX}no"


class Desk:
    """Commands and buttons.

    Args:
        elsewhere: deletes what is kept of the owner's own chat with somebody; returns how many messages that were.
    """

    def __init__(
        self,
        versions: Versions,
        why: Why,
        tuning: Tuning,
        history: History,
        disclosure: Disclosure,
        quizzes: Quizzes,
        speech: Speech,
        rhythm: Rhythm,
        elsewhere: Callable[[int], Awaitable[int]],
    ) -> None:
        self._versions = versions
        self._why = why
        self._tuning = tuning
        self._history = history
        self._disclosure = disclosure
        self._quizzes = quizzes
        self._speech = speech
        self._rhythm = rhythm
        self._elsewhere = elsewhere

    async def versions(self, update: Update, _: Any) -> None:
        """/versions: the list."""
        await self._show(update, await self._versions.listing())

    async def rollback(self, update: Update, _: Any) -> None:
        """/rollback: the version before serves again."""
        await self._show(update, await self._versions.rollback())

    async def version_button(self, update: Update, _: Any) -> None:
        """A button under the list, or under a version."""
        assert update.callback_query is not None
        await self._change(update, await self._versions.pressed(update.callback_query.data or ""))

    async def why(self, update: Update, _: Any) -> None:
        """/why: as an answer to a message of the twin's."""
        message = update.message
        assert message is not None
        asked = message.reply_to_message
        told = await self._why.explain(message.chat_id, asked.message_id) if asked else wording.WHY_USAGE
        await self._show(update, (told, None))

    async def settings(self, update: Update, context: Any) -> None:
        """/settings: shows and turns."""
        await self._show(update, (self._tuning.command(context.args or []), None))

    async def forget(self, update: Update, _: Any) -> None:
        """/forget: asks first."""
        assert update.effective_user is not None
        say = partial(self._speech.say, update.effective_user.id)
        delete = InlineKeyboardButton(say("delete"), callback_data=_YES)
        keep = InlineKeyboardButton(say("keep"), callback_data=_NO)
        await self._show(update, (say("forget"), InlineKeyboardMarkup([[delete, keep]])))

    async def forget_button(self, update: Update, _: Any) -> None:
        """The answer to that: deletes the chat of whoever pressed it, and no other."""
        query = update.callback_query
        assert query is not None
        chat_id = query.from_user.id  # a private chat has the id of the person in it
        text = self._speech.say(chat_id, "kept")
        if query.data == _YES:
            count = self._history.forget(chat_id) + await self._elsewhere(chat_id)
            text = self._speech.say(chat_id, "forgotten", count=count)
            self._disclosure.forget(chat_id)
            self._quizzes.forget(chat_id)
        await self._change(update, (text, None))

    async def unknown_button(self, update: Update, _: Any) -> None:
        """A button of nobody's: Telegram stops waiting for it."""
        assert update.callback_query is not None
        await acknowledge(update, self._rhythm)

    async def _show(self, update: Update, screen: Screen) -> None:
        message = update.message
        assert message is not None
        text, keyboard = screen
        await deliver(partial(message.reply_text, pieces(text)[0], reply_markup=keyboard), self._rhythm)

    async def _change(self, update: Update, screen: Screen) -> None:
        await acknowledge(update, self._rhythm)
        await change(update, screen, self._rhythm)

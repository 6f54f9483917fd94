"""/allow and /deny: the owner decides from within Telegram who may talk to the twin.

Knows nothing of how it is decided who may: see bot/people.py and bot/invites.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from telegram import Bot, MessageOriginHiddenUser, MessageOriginUser, Update
from telegram.error import TelegramError
from telegram.helpers import create_deep_linked_url

from bot import wording
from bot.delivery import deliver, pieces
from bot.invites import Invites
from bot.menus import Menus
from bot.pacing import Rhythm
from bot.people import People

_ID_DIGITS = 19
_log = logging.getLogger(__name__)


class Guests:
    """Commands over the people and the invites; whoever calls them is the owner.

    Args:
        break_off: ends what is under way for somebody, and drops what waits.
    """

    def __init__(
        self,
        bot: Bot,
        owner: int,
        people: People,
        invites: Invites,
        menus: Menus,
        rhythm: Rhythm,
        break_off: Callable[[int], Awaitable[None]],
    ) -> None:
        self._bot = bot
        self._owner = owner
        self._people = people
        self._invites = invites
        self._menus = menus
        self._rhythm = rhythm
        self._break_off = break_off
        self._telling = asyncio.Lock()

    async def allow(self, update: Update, context: Any) -> None:
        """/allow: an id, a forwarded message that it replies to, "link" for an invite, or nothing for the list."""
        words = [word.lower() for word in context.args or []]
        if words == ["link"]:
            link = create_deep_linked_url(self._bot.username, self._invites.create())
            await self._say(update, wording.invite(link))
            return
        who = self._meant(update, words)
        if isinstance(who, str):
            await self._say(update, f"{who}\n\n{wording.people(self._people.listed())}")
            return
        self._people.allow(*who)
        self._menus.offer(who[0])
        await self._say(update, wording.allowed(who[0]))

    async def deny(self, update: Update, context: Any) -> None:
        """/deny: an id, or a forwarded message that it replies to; from then on they get no answer, nor the rest of
        one that is under way."""
        who = self._meant(update, context.args or [])
        if isinstance(who, str):
            await self._say(update, who)
        elif who[0] == self._owner:
            await self._say(update, wording.NOT_YOURSELF)
        else:
            self._people.deny(*who)
            await self._break_off(who[0])
            await self._say(update, wording.denied(who[0]))
            await self._menus.withdraw(who[0])

    async def tell_arrivals(self) -> None:
        """Tell the owner who came in with an invite; each arrival once, also after a restart."""
        async with self._telling:
            for user_id in self._invites.arrivals():
                name = next((person.name for person in self._people.listed() if person.user_id == user_id), None)
                try:
                    await deliver(
                        partial(self._bot.send_message, self._owner, wording.arrived(user_id, name)), self._rhythm
                    )
                except TelegramError as error:  # they never wrote to the bot, or blocked it
                    _log.warning("The owner could not be told of an arrival (%s)", type(error).__name__)
                self._invites.told(user_id)

    @staticmethod
    def _meant(update: Update, words: list[str]) -> tuple[int, str | None] | str:
        """Whom a command means: id and name; a sentence if that cannot be told."""
        if len(words) == 1 and words[0].isascii() and words[0].isdecimal() and len(words[0]) < _ID_DIGITS:
            return int(words[0]), None
        original = update.message.reply_to_message if update.message is not None else None
        if words or original is None:
            return wording.WHO
        match original.forward_origin:
            case MessageOriginUser(sender_user=user):
                return user.id, user.full_name
            case MessageOriginHiddenUser():
                return wording.HIDDEN
            case _:
                return wording.WHO

    async def _say(self, update: Update, text: str) -> None:
        message = update.message
        assert message is not None
        for piece in pieces(text):
            await deliver(partial(message.reply_text, piece), self._rhythm)

"""The menus of commands that Telegram shows: strangers see /start, whoever may talk theirs, the owner all.

Knows nothing of what commands do. All of it is cosmetic: a request that fails is let be.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database
from telegram import Bot, BotCommandScopeChat, Update
from telegram.error import TelegramError

from bot import wording
from bot.access import sender_and_message
from bot.phrases import commands, languages, phrase
from bot.speech import Speech
from twin.language import FALLBACK

_EVERYBODY = 0
_START = "start"


class Menus:
    """Shows each menu once as long as it reads the same, which a database row remembers.

    Args:
        owner: the owner's user id.
    """

    def __init__(self, bot: Bot, db: Database, owner: int, speech: Speech) -> None:
        self._bot = bot
        self._db = db
        self._owner = owner
        self._speech = speech
        self._waiting: asyncio.Queue[int] = asyncio.Queue()
        self._in_vain: set[tuple[int, str]] = set()
        self._here: set[int] = set()  # wrote since the bot started

    async def gate(self, update: Update, _: Any) -> None:
        """A handler of every update of those who may talk: they are to have their menu, which keeps nothing waiting."""
        found = sender_and_message(update)
        if found is not None and found[1].chat.id == found[0].id:
            self._here.add(found[0].id)
            self.offer(found[0].id)

    def offer(self, user_id: int) -> None:
        """Somebody may talk: they get the menu, unless they have it."""
        menu = self._menu(user_id)
        if self._shown(user_id) != _mark(menu) and (user_id, _mark(menu)) not in self._in_vain:
            self._waiting.put_nowait(user_id)

    async def withdraw(self, user_id: int) -> None:
        """Somebody may not talk any more: they see what strangers see."""
        self._db.execute("delete from bot_menus where chat_id = ?", [user_id])
        try:
            await self._bot.delete_my_commands(BotCommandScopeChat(user_id))
        except TelegramError:
            return

    async def run(self) -> None:
        """Show menus, one after the other, until cancelled."""
        await self._show_everybodys()
        self.offer(self._owner)
        while True:
            await self._show(await self._waiting.get())

    async def _show_everybodys(self) -> None:
        menus = {code: {_START: phrase(code, f"command_{_START}")} for code in sorted(languages())}
        mark = _mark({code: menu[_START] for code, menu in menus.items()})
        if self._shown(_EVERYBODY) == mark:
            return
        try:
            await self._bot.set_my_commands(list(menus[FALLBACK].items()))
            for code, menu in menus.items():
                await self._bot.set_my_commands(list(menu.items()), language_code=code)
        except TelegramError:
            return
        self._remember(_EVERYBODY, mark)

    async def _show(self, user_id: int) -> None:
        menu = self._menu(user_id)
        mark = _mark(menu)
        if self._shown(user_id) == mark or (user_id, mark) in self._in_vain:  # asked for several times
            return
        try:
            await self._bot.set_my_commands(list(menu.items()), scope=BotCommandScopeChat(user_id))
        except TelegramError:
            if user_id in self._here:  # else they never wrote to the bot, and may yet
                self._in_vain.add((user_id, mark))
            return
        self._remember(user_id, mark)

    def _menu(self, user_id: int) -> dict[str, str]:
        return wording.OWNER_COMMANDS if user_id == self._owner else commands(self._speech.language(user_id))

    def _shown(self, user_id: int) -> str | None:
        row = self._db.execute("select mark from bot_menus where chat_id = ?", [user_id]).fetchone()
        return row[0] if row else None

    def _remember(self, user_id: int, mark: str) -> None:
        self._db.execute("insert or replace into bot_menus (chat_id, mark) values (?, ?)", [user_id, mark])


def _mark(menu: Mapping[str, str]) -> str:
    """What tells one menu from another."""
    return hashlib.sha256(json.dumps(dict(menu)).encode()).hexdigest()[:16]

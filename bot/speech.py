"""In which language the bot itself speaks to somebody.

Knows nothing of what is said, or when. Telegram tells with every update what its sender's app speaks; nothing of
that is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from telegram import Update

from bot.phrases import languages, phrase
from twin.language import FALLBACK, of_owner
from twin.sections import UNNAMED
from twin.settings import Settings
from twin.store import Store

AUTO = "auto"
_OTHERWISE_CALLED = {"iw": "he", "in": "id"}  # in old apps


class Speech:
    """Finds words for people.

    Args:
        chosen: what `telegram.language` is just now.
    """

    def __init__(self, settings: Settings, chosen: Callable[[], str]) -> None:
        self._settings = settings
        self._chosen = chosen
        self._theirs: dict[int, str] = {}
        self._owners: str | None = None

    async def gate(self, update: Update, _: Any) -> None:
        """A handler of every update, before all that answer: learns what its sender speaks.

        The owner's own language may have to be found in the database, which is done in a thread, once, when it matters.
        """
        user = update.effective_user
        if user is not None and user.language_code:
            self._theirs[user.id] = user.language_code.lower().replace("_", "-").split("-")[0]
        if self._chosen() == AUTO and self._owners is None and (user is None or self._spoken(user.id) is None):
            self._owners = await asyncio.to_thread(self._of_owner)

    def language(self, user_id: int | None) -> str:
        """What to speak to somebody (or in a group), as ISO 639-1."""
        chosen = self._chosen()
        return chosen if chosen != AUTO else self._spoken(user_id) or self._owners or FALLBACK

    def say(self, user_id: int | None, key: str, **facts: Any) -> str:
        """A phrase for somebody."""
        return phrase(self.language(user_id), key, self._settings.owner.name, **facts)

    def owner(self, user_id: int) -> str:
        """What the owner is called when somebody is spoken to."""
        name = self._settings.owner.name
        return phrase(self.language(user_id), "owner") if name == UNNAMED else name

    def _spoken(self, user_id: int | None) -> str | None:
        code = self._theirs.get(user_id, "") if user_id is not None else ""
        code = _OTHERWISE_CALLED.get(code, code)
        return code if code in languages() else None

    def _of_owner(self) -> str:
        with Store.of(self._settings) as store:
            return of_owner(store.db, self._settings)

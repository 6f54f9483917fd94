"""The webhook: Telegram brings updates to a server of the bot's own, which keeps each before it says so.

Knows nothing of updates' contents, nor of how one request is judged: see bot/posted.py. What stands between the public
address and this server (TLS, a name) is somebody else's: see docs/running.md.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import socket
from typing import Any, Self
from urllib.parse import urlsplit

from telegram import Bot, Update, WebhookInfo
from telegram.error import BadRequest

from bot.inbox import KINDS, Inbox
from bot.pacing import Rhythm
from bot.polling import Accept, reach
from twin.errors import BotError
from twin.secret_files import keep_secret
from twin.settings import Settings, secret

SECRET_FILE = "webhook-secret"
_SHAPE = re.compile(r"[A-Za-z0-9_-]{16,256}")
_AT_ONCE = 1  # one connection brings one update after the other: the order within a chat is kept
_DRAIN_SECONDS = 1
_log = logging.getLogger(__name__)


class Webhook:
    """A socket that listens from now on, and what it takes to receive updates by it.

    Raises:
        BotError: the port is taken, or not this machine's; a package is missing; the secret's file is spoilt.
        SettingsError: others can read the secret.
    """

    def __init__(self, settings: Settings, inbox: Inbox) -> None:
        assert settings.telegram.webhook_url is not None
        self._url = settings.telegram.webhook_url
        self._inbox = inbox
        self._secret = _secret(settings)
        self._socket = _listen(settings.telegram.webhook_host, settings.telegram.webhook_port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._socket.close()

    async def receive(self, bot: Bot, accept: Accept, rhythm: Rhythm) -> None:
        """Have updates brought, and hand each on once, for ever; afterwards they wait at Telegram.

        Raises:
            BotError: the token or the address is rejected, or the server ended.
        """
        from bot.posted import posted_updates
        from inference.server.sockets import QuietServer

        waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        app = posted_updates(urlsplit(self._url).path, self._secret, self._inbox, waiting.put_nowait)
        server = QuietServer(app, _DRAIN_SECONDS)
        serving = asyncio.create_task(server.serve([self._socket]))
        handing = asyncio.create_task(_hand_on(waiting, bot, accept))
        tasks = [serving, handing]
        try:
            await self._tell_telegram(bot, rhythm)
            watching = asyncio.create_task(self._watch(bot, rhythm))
            tasks.append(watching)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task is not serving and task.done():
                    task.result()
            raise BotError("The webhook's server ended by itself", "its log tells more; start the bot again")
        finally:
            server.should_exit = True
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_telegram(self, bot: Bot, rhythm: Rhythm) -> None:
        """Telegram brings what is new here from now on."""

        async def tell() -> None:
            try:
                await bot.set_webhook(
                    self._url, secret_token=self._secret, allowed_updates=KINDS, max_connections=_AT_ONCE
                )
            except BadRequest as error:  # a NetworkError by inheritance only
                if "resolve" in error.message:  # names come and go; Telegram keeps the one that it knew
                    raise
                raise BotError(
                    "Telegram refuses the address in telegram.webhook_url",
                    "see that its name leads to this machine, and that it begins with https://",
                ) from error

        await reach(tell, rhythm)
        host, port = self._socket.getsockname()[:2]
        _log.info("Telegram brings messages to %s port %d", host, port)

    async def _watch(self, bot: Bot, rhythm: Rhythm) -> None:
        """Whoever is brought nothing hears of no trouble, so it is asked for: a rejected token, another program that
        took the messages, an address at which Telegram finds nobody.

        Raises:
            BotError: the token is rejected, or another program takes the messages again and again.
        """
        is_taken, told = False, None
        while True:
            await asyncio.sleep(rhythm.check)
            info = await self._ask_telegram(bot, rhythm)
            if info.url != self._url:
                if is_taken:
                    raise BotError(
                        "Another program receives this bot's messages", "stop it, or make this twin a bot of its own"
                    )
                _log.warning("Somebody ended the webhook; it is set again")
                await self._tell_telegram(bot, rhythm)
            elif info.last_error_date is not None and info.last_error_date != told:
                told = info.last_error_date
                _log.warning("Telegram could not bring messages here: look at what answers telegram.webhook_url")
            is_taken = info.url != self._url

    @staticmethod
    async def _ask_telegram(bot: Bot, rhythm: Rhythm) -> WebhookInfo:
        found: list[WebhookInfo] = []

        async def ask() -> None:
            found.append(await bot.get_webhook_info())

        await reach(ask, rhythm)
        return found[0]


async def _hand_on(waiting: asyncio.Queue[dict[str, Any]], bot: Bot, accept: Accept) -> None:
    while True:
        await accept(Update.de_json(await waiting.get(), bot))


def _secret(settings: Settings) -> str:
    """What only Telegram and this bot know; made at the first use, and kept in the home for its owner alone."""
    file = settings.home / SECRET_FILE
    if (kept := secret(settings, "", SECRET_FILE)) is not None:
        if not _SHAPE.fullmatch(kept):
            raise BotError(f"{file} holds no secret that Telegram takes", "delete it; the next start makes another")
        return kept
    made = secrets.token_urlsafe(32)
    try:
        keep_secret(settings.home, SECRET_FILE, made)
    except OSError as error:
        raise BotError(f"{file} cannot be written ({error.strerror})", "make room for it, or set TWIN_HOME") from error
    return made


def _listen(host: str, port: int) -> socket.socket:
    try:
        from inference.server.sockets import bind
    except ImportError as error:
        raise BotError(
            f"A webhook needs the Python package {error.name}", "install twin with `pip install '.[serve]'`"
        ) from error
    try:
        return bind(host, port)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0  # of what a look-up says it is negative
        why = os.strerror(number) if number > 0 else "no such host"
        raise BotError(
            f"The webhook cannot listen at {host or 'every address'} port {port} ({why})",
            "stop what listens there, or change telegram.webhook_host or telegram.webhook_port",
        ) from error

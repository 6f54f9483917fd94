"""The way to the Bot API: Telegram's own or a self-hosted server, straight or through a proxy.

Knows nothing of what is asked there. A proxy's address may hold a password: it stands in no error.
"""

from __future__ import annotations

import re
from typing import Any

import httpx
from telegram.ext import Application

from bot.inbox import Inbox, InboxRequest
from bot.limited import LimitedRequest
from bot.order import PerChat
from twin.errors import BotError
from twin.sections import Telegram

App = Application[Any, Any, Any, Any, Any, Any]
_CONNECTIONS = 256  # at most; whoever needs one more waits for one


def application(token: str, telegram: Telegram, inbox: Inbox, order: PerChat) -> App:
    """An Application without an updater, all of whose requests go the way that the settings say.

    Raises:
        BotError: an address on that way is none.
    """
    builder = Application.builder().token(token).updater(None).job_queue(None).concurrent_updates(order)
    usual, polling = _requests(telegram, inbox)
    builder = builder.request(usual).get_updates_request(polling)
    if (url := telegram.bot_api_url) is not None:
        if not re.match("https?://", url):
            raise BotError(
                "telegram.bot_api_url is no address of a server", "write it as http://host:port, without the token"
            )
        address = url.rstrip("/")
        builder = builder.base_url(f"{address}/bot").base_file_url(f"{address}/file/bot")
    return builder.build()


def _requests(telegram: Telegram, inbox: Inbox) -> tuple[LimitedRequest, LimitedRequest]:
    """What all requests but getUpdates are made with, and what those are."""
    proxy = telegram.proxy.get_secret_value() if telegram.proxy is not None else None
    try:
        return LimitedRequest(_CONNECTIONS, proxy), InboxRequest(inbox, proxy)
    except (ValueError, httpx.InvalidURL):
        where = "telegram.proxy is" if proxy else "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or NO_PROXY is"
        raise BotError(
            f"What {where} set to is no proxy", "write it as socks5://host:1080 or http://host:3128"
        ) from None

"""The verb `bot`: settings and token in, signals out.

Knows nothing of updates; it runs the daemon until somebody stops it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import click

from bot.app import run_bot
from inference.generator import build_generator
from twin.errors import BotError
from twin.settings import TOKEN_VARIABLE, Settings, bot_token, load_settings


@click.command()
def bot() -> None:
    """Answer in Telegram, in your style, whoever you allowed to ask.

    Runs until it is stopped (Ctrl-C or SIGTERM); messages that come meanwhile are answered at the next start.
    """
    settings = load_settings()
    token = bot_token(settings)
    if token is None:
        raise BotError(
            "There is no bot token",
            f"put the one that @BotFather gave you into {settings.home / 'bot-token'} (chmod 600) or {TOKEN_VARIABLE}",
        )
    if not asyncio.run(_until_stopped(settings, token)):
        logging.shutdown()
        os._exit(0)  # a thread in the middle of a long reply would hold up the exit, and cannot be interrupted


async def _until_stopped(settings: Settings, token: str) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await run_bot(settings, token, lambda: build_generator(settings), stop)

"""The verb `bot`: settings and token in, signals out.

Knows nothing of updates; it runs the daemon until somebody stops it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import click

from bot.app import run_bot
from bot.token import keep
from inference.generator import build_generator
from twin.errors import BotError
from twin.settings import TOKEN_VARIABLE, Settings, bot_token, load_settings


@click.command()
@click.option("--set-token", is_flag=True, help="Ask for the token that @BotFather gave you, and keep it.")
@click.argument("words", nargs=-1, metavar="")
def bot(set_token: bool, words: tuple[str, ...]) -> None:
    """Answer in Telegram, in your style, whoever you allowed to ask.

    Runs until it is stopped (Ctrl-C or SIGTERM); messages that come meanwhile are answered at the next start.
    """
    if words:  # most likely the token, which click would repeat
        raise BotError(
            "`twin bot` takes nothing on its command line, where everybody on this machine could read it",
            "run `twin bot --set-token` and enter the token there; if it was a real one, get a new one from @BotFather",
        )
    settings = load_settings()
    if set_token:
        click.echo(f"The token is in {keep(settings.home, _asked_token())} now; only you can read it.")
        return
    token = bot_token(settings)
    if token is None:
        raise BotError(
            "There is no bot token",
            f"get one from @BotFather and keep it with `twin bot --set-token`, or in {TOKEN_VARIABLE}",
        )
    if not asyncio.run(_until_stopped(settings, token)):
        logging.shutdown()
        os._exit(0)  # a thread that reads a very long prompt, or loads a model, would hold up the exit


def _asked_token() -> str:
    """Typed unseen at a terminal, else the first line of stdin."""
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


async def _until_stopped(settings: Settings, token: str) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await run_bot(settings, token, lambda: build_generator(settings), stop)

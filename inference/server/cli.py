"""The verb `serve`: settings and key in, signals out.

Knows nothing of requests; it runs the server until somebody stops it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from importlib import import_module

import click

from inference.generator import build_generator
from inference.server.key import check, keep, new_key
from twin.errors import ServerError
from twin.settings import Settings, load_settings, server_key

_PACKAGES = ("fastapi", "uvicorn", "prometheus_client", "limits")


@click.command()
@click.option("--host", help="Where to listen instead of serve.host; 0.0.0.0 is everywhere, and needs a key.")
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of serve.port; 0 takes a free one.")
@click.option("--set-key", is_flag=True, help="Ask for the key that clients must show, and keep it.")
def serve(host: str | None, port: int | None, set_key: bool) -> None:
    """Answer over HTTP, in your style: as OpenAI's API at /v1, and with a web page at /.

    Any program that speaks OpenAI's chat API can ask: give it this server's address with /v1 as its base URL, and
    "twin" as the model. Programs on this machine need no key until you set one; to listen anywhere else needs one.
    Runs until it is stopped (Ctrl-C or SIGTERM); replies under way are finished if that takes no more than seconds.
    """
    settings = load_settings()
    if set_key:
        _set_key(settings)
        return
    _check_installed()
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update={"serve": settings.serve.model_copy(update=changes)})
    key = server_key(settings)
    if key is not None:
        check(key)
    if not asyncio.run(_until_stopped(settings, key)):
        logging.shutdown()
        os._exit(0)  # a thread in the middle of loading or writing would hold up the exit, and cannot be interrupted


def _set_key(settings: Settings) -> None:
    """The key typed, or a new one, which is shown this once."""
    typed = _asked_key()
    key = typed or new_key()
    file = keep(settings.home, key)
    click.echo(f"The key is in {file} now; only you can read it. A server that runs takes it at its next start.")
    if not typed:
        click.echo(key)


def _asked_key() -> str:
    """Typed unseen at a terminal, else the first line of stdin; nothing asks for a new one."""
    if sys.stdin.isatty():
        asked = click.prompt("Key (Enter for a new one)", default="", show_default=False, hide_input=True, err=True)
        return str(asked).strip()
    return sys.stdin.readline().strip()


def _check_installed() -> None:
    for name in _PACKAGES:
        try:
            import_module(name)
        except ImportError as error:
            raise ServerError(
                f"This machine has no Python package {error.name or name}",
                "install twin with `pip install '.[serve]'`",
            ) from error


async def _until_stopped(settings: Settings, key: str | None) -> bool:
    from inference.server.running import address_of, listen, run_server

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with listen(settings.serve.host, settings.serve.port, key) as listening:
        address = address_of(listening)
        click.echo(f"Your twin is at {address} (page) and {address}/v1 (OpenAI's API). Ctrl-C stops it.")
        sys.stdout.flush()
        return await run_server(settings, listening, key, lambda: build_generator(settings), stop)

"""The server as it runs: a socket, the application, the model loaded beside it, and an end within seconds.

Knows nothing of signals or of the command line.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from inference.generator import Generator
from inference.server.access import is_loopback, names_of
from inference.server.app import Door, create_app
from inference.server.desk import Desk
from inference.server.metrics import Metrics
from inference.server.records import Records
from inference.server.sockets import QuietServer, bind
from inference.yielding import yielding
from twin.errors import ModelError, ServerError, TwinError
from twin.settings import Settings

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the end may take, in seconds.

    Attributes:
        finish: replies under way may go on for so long after the server was told to stop; then they are cancelled.
        drain: after so long connections are closed whatever is still on them.
        close: and so long the model may take to be freed.
    """

    finish: float = 5.0
    drain: int = 7
    close: float = 2.0


def listen(host: str, port: int, key: str | None) -> socket.socket:
    """Listen at the first address of a host that there is.

    Raises:
        ServerError: others could reach it and there is no key; the host is unknown or not this machine's; the port
            is taken or not allowed.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ServerError(f"There is no address for the host {host!r}", "correct serve.host, or --host") from error
    if key is None and not all(is_loopback(str(address[0])) for *_, address in found):
        raise ServerError(
            f"Others could reach the twin at {host or 'every address'}, and there is no key",
            "make one with `twin serve --set-key`, or listen at 127.0.0.1 alone",
        )
    try:
        return bind(host, port)
    except OSError as error:
        raise ServerError(
            f"The server cannot listen at {host} port {port} ({os.strerror(error.errno or 0)})",
            "stop what listens there, or choose another port with --port",
        ) from error


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def run_server(
    settings: Settings,
    listening: socket.socket,
    key: str | None,
    build: Callable[[], Generator],
    stop: asyncio.Event,
    patience: Patience | None = None,
) -> bool:
    """Answer until `stop` is set. The server listens while the model is still being loaded.

    Args:
        build: makes the generator, in a thread.

    Returns:
        whether the model was freed; if not, a thread is in the middle of something that cannot be interrupted.

    Raises:
        TwinError: the generator cannot be built, or the server fails.
        ImportError: a package that the generator needs is not installed.
    """
    patience = patience or Patience()
    desk = Desk(settings.serve.max_waiting, Metrics())
    door = Door(key, names_of([settings.serve.host, str(listening.getsockname()[0])]))
    app = create_app(desk, Records(settings, time.time), settings, door)
    server = QuietServer(app, patience.drain)
    serving = asyncio.create_task(server.serve([listening]))

    loading = _in_thread(build)
    stopping = asyncio.create_task(stop.wait())
    try:
        waited: set[asyncio.Future[Any]] = {serving, loading, stopping}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if loading.done() and not stop.is_set():
            desk.generator = _loaded(loading)
            desk.engine = getattr(desk.generator, "kind", None)
            with yielding(settings, desk.generator):
                await asyncio.wait(waited - {loading}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done() and not stop.is_set():
            raise ServerError("The server ended by itself", "its log tells more; start it again")
    finally:
        stopping.cancel()
        await _wind_down(server, serving, desk, patience)
    return await _close(loading, patience)


async def _wind_down(server: QuietServer, serving: asyncio.Task[None], desk: Desk, patience: Patience) -> None:
    """Take nothing in any more; give replies under way a moment, then end them."""
    server.should_exit = True
    cancelling = asyncio.get_running_loop().call_later(patience.finish, desk.stop)
    await asyncio.gather(serving, return_exceptions=True)
    cancelling.cancel()
    desk.close()


def _loaded(loading: asyncio.Future[Generator]) -> Generator:
    try:
        generator = loading.result()
    except (TwinError, ImportError):  # of a package that is missing the command line says how to get it
        raise
    except Exception as error:
        raise ModelError(
            f"The model could not be loaded ({type(error).__name__})", "run `twin doctor` for what is missing"
        ) from error
    _log.info("Ready: %s answers", generator.adapter or "the bare base model")
    return generator


async def _close(loading: asyncio.Future[Generator], patience: Patience) -> bool:
    """Free the model, or see that this cannot be done now."""
    await asyncio.wait({loading}, timeout=patience.close)
    if not loading.done():
        return False
    if loading.exception() is not None:
        return True
    closing = _in_thread(loading.result().close)
    await asyncio.wait({closing}, timeout=patience.close)
    return closing.done()


def _in_thread(call: Callable[[], T]) -> asyncio.Future[T]:
    """Like `asyncio.to_thread`, in a thread that nobody waits for at the end."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="model").start()
    return asyncio.wrap_future(future)

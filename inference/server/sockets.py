"""A server in somebody else's event loop: a socket to listen at, and uvicorn without signals or logs of its own.

Knows nothing of what is served, or of who may ask.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn


def bind(host: str, port: int) -> socket.socket:
    """Listen at the first address of a host that there is; an empty host is every address.

    Raises:
        OSError: there is no such host, it is not this machine's, the port is taken or not allowed.
        UnicodeError: the host's name cannot be one.
    """
    failure: OSError | None = None
    for family, *_, address in socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
        try:
            listening = socket.create_server(address[:2], family=family, backlog=128)
        except OSError as error:
            failure = error
        else:
            # Connections inherit it; asyncio sets it only for sockets that name their protocol, which these do not.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listening
    assert failure is not None
    raise failure


class QuietServer(uvicorn.Server):
    """Leaves signals to whoever started it; `should_exit` ends it.

    Access is not logged, for addresses hold versions and secrets; nor is anything that comes with a traceback.

    Args:
        app: an ASGI application.
        drain: after so many seconds connections are closed whatever is still on them.
    """

    def __init__(self, app: object, drain: int) -> None:
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        logging.getLogger("uvicorn.asgi").setLevel(logging.WARNING)
        super().__init__(
            uvicorn.Config(
                app,  # type: ignore[arg-type]
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # anybody could claim another address, and have its limits
                lifespan="off",
                ws="none",
                http="h11",
                timeout_graceful_shutdown=drain,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn."""
        yield

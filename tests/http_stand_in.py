"""An HTTP server on loopback that answers as a test wants: what the stand-ins for somebody's interface are made of."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """Answers JSON, or a text as it is, and says nothing of it."""

    protocol_version = "HTTP/1.1"

    def answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        told = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
        for name, text in told.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def read(self) -> bytes:
        """The request's body."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def listening(handler: type[JsonHandler], state: Any) -> Iterator[str]:
    """A running server; gives its address, up to the version of the interface.

    Args:
        handler: finds what it works with in its attribute `state`.
        state: its event `closing` is set at the end, so that nobody hangs any longer.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"state": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()

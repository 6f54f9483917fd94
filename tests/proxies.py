"""Two tiny proxies in this process, each with a password, and what went through them.

async with http_proxy() as proxy:
    ... # proxy.url is what telegram.proxy should say; proxy.seen is where somebody wanted to go
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

USER, PASSWORD = "somebody", "pr0xy-pass-w0rd"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Proxy:
    """A proxy that listens.

    Attributes:
        seen: first lines of HTTP requests and CONNECTs; of SOCKS the "host:port" asked for.
        is_away: it takes connections and ends them at once.
        is_stuck: it takes connections and says nothing.
    """

    kind: str
    port: int = 0
    seen: list[str] = field(default_factory=list)
    is_away: bool = False
    is_stuck: bool = False
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return f"{self.kind}://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    def fail(self) -> None:
        """Go away, in the middle of everything."""
        self.is_away = True
        for writer in list(self.open):
            writer.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()


async def _http(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Streams | None:
    """One request a connection: CONNECT, or an absolute address whose answer ends with the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split()
    proxy.seen.append(head[0])
    login = f"basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}".lower()
    if f"proxy-authorization: {login}" not in [line.lower() for line in head]:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return None
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return there
    place = urlsplit(target)
    there = await asyncio.open_connection(place.hostname, place.port)
    kept = [line for line in head[1:] if line and not line.lower().startswith(("proxy-", "connection:"))]
    there[1].write(
        "\r\n".join([f"{method} {place.path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")
    )
    return there


async def _socks5(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Streams | None:
    """RFC 1928 with a name or an IPv4 address, and RFC 1929's password."""
    _, methods = await reader.readexactly(2)
    assert 2 in await reader.readexactly(methods), "it offers a password"
    writer.write(b"\x05\x02")
    user = await reader.readexactly((await reader.readexactly(2))[1])
    password = await reader.readexactly((await reader.readexactly(1))[0])
    if (user.decode(), password.decode()) != (USER, PASSWORD):
        writer.write(b"\x01\x01")
        return None
    writer.write(b"\x01\x00")
    *_, kind = await reader.readexactly(4)
    if kind == 1:
        host = ".".join(map(str, await reader.readexactly(4)))
    else:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    port = int.from_bytes(await reader.readexactly(2), "big")
    proxy.seen.append(f"{host}:{port}")
    there = await asyncio.open_connection(host, port)
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    return there


@asynccontextmanager
async def _listening(
    kind: str, greet: Callable[[Proxy, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Streams | None]]
) -> AsyncIterator[Proxy]:
    proxy, tasks = Proxy(kind), set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        proxy.open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if proxy.is_stuck:
                await reader.read()
            there = None if proxy.is_away else await greet(proxy, reader, writer)
            if there is not None:
                proxy.open.add(there[1])
                await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for writer in proxy.open:
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def http_proxy() -> AsyncIterator[Proxy]:
    """A forward proxy for http:// addresses, and tunnels for all others."""
    async with _listening("http", _http) as proxy:
        yield proxy


@asynccontextmanager
async def socks5_proxy() -> AsyncIterator[Proxy]:
    """A SOCKS5 server."""
    async with _listening("socks5", _socks5) as proxy:
        yield proxy

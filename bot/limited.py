"""A connection to the Bot API none of whose requests lasts for ever.

Knows nothing of what is asked. httpx has a limit for each step but one: httpcore 1.0 waits without any for what a SOCKS
proxy says first, so that one which hangs would silence the bot for good.
"""

from __future__ import annotations

import asyncio
from typing import Any

from telegram.error import TimedOut
from telegram.request import HTTPXRequest

SECONDS = 30.0


class LimitedRequest(HTTPXRequest):
    """Python-telegram-bot's own, with a limit for a request as a whole.

    Args:
        connections: how many at most, at the same time.
        proxy: its address; None for what the environment says.
        wait: how many seconds the server may take on purpose, beyond `SECONDS`.
    """

    def __init__(self, connections: int, proxy: str | None, wait: float = 0.0) -> None:
        super().__init__(connection_pool_size=connections, proxy=proxy)
        self._wait = wait

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """See `BaseRequest.do_request`."""
        try:
            async with asyncio.timeout(SECONDS + self._wait):
                return await super().do_request(*args, **kwargs)
        except TimeoutError as error:
            raise TimedOut from error

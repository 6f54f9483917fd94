"""What comes to the webhook: proven to be Telegram's, read, kept in the inbox, and only then confirmed.

Knows nothing of updates' contents, of sockets or of who is answered. Of a request without the secret nothing is read,
logged or kept.

    403  no secret, or another one          413  larger than an update can be
    405  no POST                            415  no JSON by its own account
    408  the body did not come              500  the database failed: Telegram brings it again
    400  no JSON, or no update              200  it is in the inbox, or was before
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bot.inbox import Inbox

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
MOST_BYTES = 1 << 20  # an update has at most some 100 kB
BODY_SECONDS = 10.0
_MOST_ID = 2**63 - 1
_log = logging.getLogger(__name__)


def posted_updates(path: str, secret: str, inbox: Inbox, hand_on: Callable[[dict[str, Any]], None]) -> Starlette:
    """An application that takes updates at one path, and knows nothing else.

    Args:
        hand_on: told each new update once it is in the inbox.
    """

    async def take(request: Request) -> Response:
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode("latin-1"), secret.encode()):
            raise HTTPException(403)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415)
        try:
            update = _read(await asyncio.wait_for(_body(request), BODY_SECONDS))
        except TimeoutError:
            raise HTTPException(408) from None
        except ClientDisconnect:
            raise HTTPException(400) from None
        try:
            is_new = inbox.take(update)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is not kept
            _log.error("An update could not be kept (%s); Telegram brings it again", type(error).__name__)
            raise HTTPException(500) from None
        if is_new:
            hand_on(update)
        return Response()

    return Starlette(routes=[Route(path or "/", take, methods=["POST"])])


async def _body(request: Request) -> bytes:
    """The whole body, given up as soon as it is too large."""
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdecimal() and (len(told) > 15 or int(told) > MOST_BYTES):
        raise HTTPException(413)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413)
    return bytes(body)


def _read(body: bytes) -> dict[str, Any]:
    """An update, whatever it holds."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    number = update.get("update_id") if isinstance(update, dict) else None
    if not isinstance(update, dict) or type(number) is not int or not 0 <= number <= _MOST_ID:
        raise HTTPException(400)
    return update

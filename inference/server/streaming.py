"""Answers that travel: whole or as server-sent events, ended early when the client goes away.

Knows nothing of what is in them; how an event is written is the framework's business.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from inference.generator import TwinReply
from inference.server.answers import Answer, Document
from inference.server.desk import Replied, Replies, Said
from inference.server.problems import UNFORESEEN, Refused

IDLE_SECONDS = 15.0
"""After so long without an event a comment keeps the connection open."""
_CLIENT_WENT_AWAY = 499  # as nginx counts it; nobody reads it
_log = logging.getLogger(__name__)


async def whole(request: Request, replies: Replies, answer: Answer) -> Response:
    """One document, once every reply is there.

    Raises:
        Refused: one of the replies cannot be given.
    """
    leaving = asyncio.create_task(_leave_with_client(request, replies))
    collecting = asyncio.create_task(replies.all())
    try:
        await asyncio.wait({leaving, collecting}, return_when=asyncio.FIRST_COMPLETED)
        return (
            JSONResponse(answer.whole(collecting.result())) if collecting.done() else Response(None, _CLIENT_WENT_AWAY)
        )
    finally:
        replies.leave()
        leaving.cancel()
        collecting.cancel()
        await asyncio.gather(leaving, collecting, return_exceptions=True)


def stream(request: Request, replies: Replies, answer: Answer, *, with_usage: bool) -> Response:
    """A chunk for each bubble, as soon as it may be said; one for each end; "[DONE]"."""
    leaving = asyncio.create_task(_leave_with_client(request, replies))  # even if nobody comes to read the first event
    events = _events(replies, answer, with_usage, leaving)
    return EventSourceResponse(events, headers={"x-accel-buffering": "no", "cache-control": "no-store"})


async def _events(
    replies: Replies, answer: Answer, with_usage: bool, leaving: asyncio.Task[None]
) -> AsyncIterator[bytes]:
    said: Counter[int] = Counter()
    ended: dict[int, TwinReply] = {}
    try:
        async for event in replies.events(IDLE_SECONDS):
            match event:
                case None:
                    yield KEEPALIVE_COMMENT
                case Said(index, text, version):
                    yield _event(answer.bubble(index, said[index], text, version))
                    said[index] += 1
                case Replied(index, reply):
                    ended[index] = reply
                    yield _event(answer.end(index, reply))
        if with_usage:
            yield _event(answer.cost([ended[index] for index in sorted(ended)]))
    except Refused as refused:  # the status is sent already: what went wrong is an event
        yield _event(refused.as_dict())
    except Exception as error:  # noqa: BLE001 - a stream ends with a word, whatever happens
        _log.error("A stream broke off: %s", type(error).__name__)
        yield _event(UNFORESEEN.as_dict())
    finally:
        replies.leave()
        leaving.cancel()
    yield format_sse_event(data_str="[DONE]")


async def _leave_with_client(request: Request, replies: Replies) -> None:
    """Once the client is gone, so is the wish for what is left of its replies."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    replies.leave()


def _event(document: Document) -> bytes:
    return format_sse_event(data_str=json.dumps(document, ensure_ascii=False))

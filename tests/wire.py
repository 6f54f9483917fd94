"""A wire without a network: answers that are laid out beforehand, one a request, as httpx would get them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx

Outcome = int | tuple[int, Any] | tuple[int, Any, dict[str, str]] | Exception | list[Any]


class Wire(httpx.AsyncBaseTransport):
    """Answers in order, with a status, (status, JSON or text), an error of the connection, or the events of a stream.

    Of a stream, texts are sent as they are, other values as events, and an error breaks it off.

    Attributes:
        asked: every request.
        closed: how many streams were closed before they were read to their end.
    """

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[httpx.Request] = []
        self.closed = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        outcome = self.outcomes.pop(0)
        match outcome:
            case Exception():
                raise outcome
            case list():
                return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=_Events(outcome, self))
            case int():
                return httpx.Response(outcome, json={"error": {"message": "no"}})
            case (status, value, *more):
                headers = more[0] if more else {}
                if isinstance(value, str):
                    return httpx.Response(status, text=value, headers=headers)
                return httpx.Response(status, json=value, headers=headers)
        raise AssertionError(outcome)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was sent, as JSON."""
        return [json.loads(request.content) for request in self.asked]


class _Events(httpx.AsyncByteStream):
    def __init__(self, events: Sequence[Any], wire: Wire) -> None:
        self._events = events
        self._wire = wire
        self._is_read = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            if callable(event):
                await event()
                continue
            text = event if isinstance(event, str) else f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
            yield text.encode()
        self._is_read = True

    async def aclose(self) -> None:
        self._wire.closed += not self._is_read


def said(text: str, why: str | None = None, model: str = "base", **more: Any) -> dict[str, Any]:
    """An event that brings a piece of a text."""
    return {"model": model, "choices": [{"index": 0, "text": text, "finish_reason": why}], **more}


DONE = "data: [DONE]\n\n"

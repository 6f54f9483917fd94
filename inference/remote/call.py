"""Texts that one thread waits for, as a server streams them: pieces in, callbacks out, what there is at the end.

Knows nothing of adapters or of how requests are put; a stream's tries and limits are the client's.

Streams live in the client's thread; callbacks are called in the thread that asked, which looks every now and then
whether the texts are still wanted. A text that is complete, or not wanted any more, has its connection closed, and the
server stops writing it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Literal

from inference.engine import OnText, Request, Written
from inference.remote.client import NoSuchModel, RemoteClient
from inference.remote.dialects import Kind, Piece, piece
from twin.errors import ModelError

_LOOK_SECONDS = 0.05


@dataclass(slots=True, eq=False)
class _Text:
    """One text as it comes; fulfils `Sink`, and hands pieces over to the thread that asked."""

    place: int
    request: Request
    asked: dict[str, Any]
    kind: Kind
    model: str
    pieces: SimpleQueue[tuple[int, Piece | None]]
    future: Future[None] | None = None
    is_begun: bool = False
    is_whole: bool = False
    was_missing: bool = False
    text: str = ""
    ids: list[int] = field(default_factory=list)
    count: int = 0
    told: int | None = None
    ended: Literal["turn", "length", "cancelled"] | None = None

    def take(self, value: dict[str, Any]) -> None:
        """In the client's thread."""
        found = piece(self.kind, self.model, value)
        self.is_begun = self.is_begun or bool(found.text)
        self.is_whole = self.is_whole or found.ended is not None
        self.pieces.put((self.place, found))

    def add(self, found: Piece) -> None:
        """In the thread that asked."""
        self.text += found.text
        self.ids += found.ids
        self.count += max(1, len(found.ids)) if found.text or found.ids else 0
        self.told = found.count if found.count is not None else self.told
        self.ended = self.ended or found.ended

    @property
    def result(self) -> Written:
        """What there is of it."""
        ids = tuple(self.ids) if len(self.ids) == (self.told or -1) else ()
        return Written(ids, self.text, math.nan, self.ended or "cancelled", self.told or self.count)


class RemoteCall:
    """The texts that one thread waits for.

    Args:
        model: what is asked for, by its name there.
    """

    def __init__(self, client: RemoteClient, kind: Kind, model: str, on_text: OnText) -> None:
        self._client = client
        self._kind: Kind = kind
        self._model = model
        self._on_text = on_text
        self._pieces: SimpleQueue[tuple[int, Piece | None]] = SimpleQueue()
        self._texts: list[_Text] = []
        self._open: set[int] = set()

    def begin(self, request: Request, asked: dict[str, Any]) -> None:
        """Ask for one more text.

        Args:
            asked: the body of its request.
        """
        place = len(self._texts)
        self._texts.append(_Text(place, request, asked, self._kind, self._model, self._pieces))
        self._open.add(place)
        self._start(self._texts[place])

    def finish(self, is_cancelled: Callable[[], bool], load_again: Callable[[], None]) -> list[Written]:
        """Wait for all of them, in the order they were asked for.

        Args:
            load_again: called once for a text whose model the server does not know; then it is asked for again.

        Raises:
            ModelError: one of them failed.
        """
        try:
            while self._open and not is_cancelled():
                missing = self._step()
                if missing is not None:
                    load_again()
                    missing.was_missing = True
                    self._start(missing)
            return [text.result for text in self._texts]
        finally:
            for text in self._texts:
                self._cancel(text)

    def _step(self) -> _Text | None:
        """Wait for a piece of any text, and tell of it; returns a text whose model is missing."""
        try:
            place, found = self._pieces.get(timeout=_LOOK_SECONDS)
        except Empty:
            return None
        if place not in self._open:
            return None
        text = self._texts[place]
        if found is None:
            return self._close(text)
        text.add(found)
        if found.text:
            self._on_text(place, found.text)
            if text.request.is_complete(text.text):
                text.ended = "turn"
                self._cancel(text)
                self._open.discard(place)
        return None

    def _start(self, text: _Text) -> None:
        place = text.place
        text.future = self._client.stream("/completions", text.asked, text)
        text.future.add_done_callback(lambda _: self._pieces.put((place, None)))  # after its last piece

    def _close(self, text: _Text) -> _Text | None:
        """A stream is done."""
        assert text.future is not None
        if text.future.cancelled():
            self._open.discard(text.place)
            return None
        try:
            text.future.result(0)
        except NoSuchModel as error:
            if text.was_missing:
                raise ModelError(
                    f"The remote server knows no model called {self._model}", "check engine.model, and the server's log"
                ) from error
            return text
        self._open.discard(text.place)
        return None

    def _cancel(self, text: _Text) -> None:
        if text.future is not None:
            text.future.cancel()

"""One decoder for several threads: each asks for texts and waits; whoever waits drives it for all.

Knows nothing of prompts or adapters. There is no thread of its own that could be left behind: of the threads that
wait, one lets the decoder take steps until its own texts are done, then the next one does. A text asked for meanwhile
joins at the next step.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference.decoding import Decoder
from inference.engine import OnText, Request, Written

_NOTHING = Written((), "", 0.0, "cancelled")


@dataclass(slots=True, eq=False)
class _Call:
    """Texts that one thread waits for."""

    requests: Sequence[Request]
    on_text: OnText
    is_cancelled: Callable[[], bool]
    places: dict[int, int] = field(default_factory=dict)  # ticket to place, of what is not done
    written: dict[int, Written] = field(default_factory=dict)
    error: BaseException | None = None
    has_arrived: bool = False

    @property
    def is_done(self) -> bool:
        return self.error is not None or (self.has_arrived and not self.places)


class SharedDecoder:
    """See the module; every method may be called from any thread."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder: Decoder | None = decoder
        self._arrived: deque[_Call] = deque()
        self._calls: dict[int, _Call] = {}  # by ticket
        self._is_driven = False
        self._pauses = 0  # how many want nobody to drive
        self._moved = threading.Condition()

    @property
    def decoder(self) -> Decoder:
        """What is shared; not to be touched while anybody writes."""
        assert self._decoder is not None, "it was let go"
        return self._decoder

    def write(self, requests: Sequence[Request], on_text: OnText, is_cancelled: Callable[[], bool]) -> list[Written]:
        """See `Engine.write`. A callback that raises ends its own call, with that error."""
        call = _Call(requests, on_text, is_cancelled)
        with self._moved:
            self._arrived.append(call)
        while self._becomes_driver(call):
            try:
                while not (call.is_done or self._pauses):
                    self._step()
            except BaseException as error:  # whatever it is, those who wait must not wait for ever
                self._fail(error)
                raise
            finally:
                with self._moved:
                    self._is_driven = False
                    self._moved.notify_all()
        if call.error is not None:
            raise call.error
        return [call.written.get(place, _NOTHING) for place in range(len(requests))]

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """Nobody drives as long as this lasts: the weights' modules may be touched."""
        with self._moved:
            self._pauses += 1
            self._moved.wait_for(lambda: not self._is_driven)
            self._is_driven = True
        try:
            yield
        finally:
            with self._moved:
                self._pauses -= 1
                self._is_driven = False
                self._moved.notify_all()

    def replace(self, decoder: Decoder) -> None:
        """Go on with another decoder, whose tickets are others. Nobody may be writing."""
        self._calls.clear()
        self._decoder = decoder

    def forget(self) -> None:
        """Let go of the decoder, and of its memory; `replace` brings another one. Nobody may be writing."""
        self._calls.clear()
        self._decoder = None

    def _becomes_driver(self, call: _Call) -> bool:
        """Wait until that call is done, or nobody drives: then its thread does."""
        with self._moved:
            self._moved.wait_for(lambda: call.is_done or not (self._is_driven or self._pauses))
            if call.is_done:
                return False
            self._is_driven = True
            return True

    def _step(self) -> None:
        while self._arrived:
            self._take_in(self._arrived.popleft())
        for call in set(self._calls.values()):
            if call.is_cancelled():
                self._cancel(call)
        finished = self.decoder.step(self._tell)
        for ticket, written in finished:
            if call_ := self._calls.pop(ticket, None):
                call_.written[call_.places.pop(ticket)] = written
        for call in set(self._calls.values()):
            if call.error is not None:
                self._cancel(call)
        if any(call.is_done for call in self._calls.values()) or finished:
            with self._moved:
                self._moved.notify_all()

    def _take_in(self, call: _Call) -> None:
        """Texts that begin alike one after another: what they share is then read once."""
        for place in sorted(range(len(call.requests)), key=lambda n: call.requests[n].prompt, reverse=True):
            ticket = self.decoder.submit(call.requests[place], lane=id(call))
            call.places[ticket] = place
            self._calls[ticket] = call
        call.has_arrived = True

    def _cancel(self, call: _Call) -> None:
        for ticket, place in call.places.items():
            call.written[place] = self.decoder.cancel(ticket) or _NOTHING
            self._calls.pop(ticket, None)
        call.places.clear()
        with self._moved:
            self._moved.notify_all()

    def _tell(self, ticket: int, text: str) -> None:
        call = self._calls.get(ticket)
        if call is None:
            return
        try:
            call.on_text(call.places[ticket], text)
        except Exception as error:  # noqa: BLE001 - of one call; the others' texts go on
            call.error = error

    def _fail(self, error: BaseException) -> None:
        """The decoder broke off in the middle of a step: no text under way can go on."""
        with self._moved:
            for call in {*self._calls.values(), *self._arrived}:
                call.error = call.error or error
            self._calls.clear()
            self._arrived.clear()
            self.decoder.clear()
            self._moved.notify_all()

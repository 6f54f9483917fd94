"""Which language a dialog is in: a sample of its messages as they pass by, and a guess at its end.

Knows nothing of where the messages come from or go.
"""

from __future__ import annotations

from collections.abc import Iterable

from twin.language import guess
from twin.messages import Message

_LEAST = 15  # characters; shorter ones say little
_WANTED = 100


class LanguageSample:
    """Some of the messages that somebody wrote themselves, spread evenly, however many come.

    Every `step`-th is kept; when there are twice as many as wanted, every second of them goes and the step doubles.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._step = 1
        self._seen = 0

    def look_at(self, messages: Iterable[Message]) -> None:
        """Take some of these; in the order of the dialog."""
        for message in messages:
            if len(message.text) <= _LEAST or message.forwarded_from is not None or message.via_bot is not None:
                continue
            if self._seen % self._step == 0:
                self._texts.append(message.text)
                if len(self._texts) == 2 * _WANTED:
                    self._texts = self._texts[::2]
                    self._step *= 2
            self._seen += 1

    def guess(self) -> str | None:
        """ISO 639-1; None when there is too little to tell."""
        step = 1 + (len(self._texts) > _WANTED)
        return guess(self._texts[::step]) if self._texts else None

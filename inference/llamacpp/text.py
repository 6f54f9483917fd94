"""One text as llama.cpp writes it: the request for it, and its pieces as they come, until it ends or is not wanted.

Knows nothing of servers, versions or of what a text says.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from inference.engine import OnText, Request, Written
from inference.llamacpp.limits import unmapped
from twin.errors import SettingsError

_SEEDS = 2**32 - 1  # the last one means "any" to llama.cpp


def asked(request: Request) -> dict[str, Any]:
    """As llama.cpp takes it: the same rules in the same order as `inference.sampling`.

    Raises:
        SettingsError: llama.cpp cannot sample in that way.
    """
    how = request.how
    if why := unmapped(how):
        raise SettingsError(*why)
    rules = {"top_k": how.top_k > 0, "top_p": how.top_p < 1, "min_p": how.min_p > 0}
    return {
        "prompt": list(request.prompt),
        "n_predict": how.max_tokens,
        "temperature": how.temperature,
        "top_k": how.top_k,
        "top_p": how.top_p,
        "min_p": how.min_p,
        "samplers": ["temperature", *(name for name, is_on in rules.items() if is_on and how.temperature)],
        "seed": request.seed % _SEEDS,
        "stream": True,
        "cache_prompt": True,
        "return_progress": True,
        "timings_per_token": True,
    }


@dataclass(slots=True)
class Text:
    """A text as it comes, piece by piece."""

    place: int
    request: Request
    ends: tuple[str, ...]
    on_text: OnText
    is_cancelled: Callable[[], bool]
    text: str = ""
    count: int = 0
    ended: Literal["turn", "length", "cancelled"] = "cancelled"
    is_over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def told(self, part: Mapping[str, Any]) -> bool:
        """Take in a part of llama.cpp's answer; True when the text ends there."""
        with self._lock:
            return self._told(part)

    def _told(self, part: Mapping[str, Any]) -> bool:
        if self.is_over:
            return True
        (choice,) = part["choices"]
        piece, why = choice["text"], choice["finish_reason"]
        self.count = max(self.count, int(part.get("timings", {}).get("predicted_n") or 0))
        end = next((end for end in self.ends if piece.endswith(end)), None)
        if end is not None:
            piece, why = piece.removesuffix(end), "stop"
        if piece:
            self.text += piece
            self.on_text(self.place, piece)
        if why is not None or (piece and self.request.is_complete(self.text)):
            self.ended = "length" if why == "length" else "turn"
            self.is_over = True
        elif self.is_cancelled():
            self.is_over = True
        return self.is_over

    def written(self) -> Written:
        """What there is of it."""
        with self._lock:
            return Written((), self.text, math.nan, self.ended, self.count)

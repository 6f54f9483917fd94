"""Trying again: what passes, and how long to wait before the next try, for whoever asks a server over HTTP.

Knows nothing of what is asked or of HTTP clients; tenacity runs the tries, in threads and in coroutines alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tenacity import RetryCallState, retry_if_exception_type, stop_after_attempt


class Passing(Exception):
    """A fault that may be gone by the next try.

    Attributes:
        what: which, without anything private.
        asked: how many seconds the server asks to wait; None if it does not.
    """

    def __init__(self, what: str, asked: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.asked = asked


@dataclass(frozen=True)
class Pause:
    """Seconds before the next try: as many as the server asks for, else doubled each time.

    Attributes:
        first, longest: of those that are not asked for.
        chance: in [0, 1]; how much of a pause's second half is waited, so that many do not come back all at once.
    """

    first: float
    longest: float
    chance: Callable[[], float] = lambda: 1.0

    def __call__(self, state: RetryCallState) -> float:
        """After the try that `state` tells of."""
        fault = state.outcome.exception() if state.outcome is not None else None
        if isinstance(fault, Passing) and fault.asked is not None:
            return fault.asked
        whole = min(self.longest, self.first * 2.0 ** (state.attempt_number - 1))
        return whole / 2 + whole / 2 * self.chance()


def tries(attempts: int, pause: Pause, sleep: Callable[[float], Any]) -> dict[str, Any]:
    """What `tenacity.Retrying` and `AsyncRetrying` are to be made with: the last try's fault is raised as it is."""
    return {
        "stop": stop_after_attempt(attempts),
        "wait": pause,
        "sleep": sleep,
        "retry": retry_if_exception_type(Passing),
        "reraise": True,
    }


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, or that are left until the date it tells (RFC 9110, 10.2.3)."""
    told = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(told)) if told else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())

"""Patience with Telegram: which failures are waited out, for how long, and when it is enough.

Knows nothing of Telethon's errors (ingest/telethon_account.py sorts them) or of terminals: how to wait is passed in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from ingest.telegram_account import Wait
from twin.errors import AccountError

T = TypeVar("T")
KEPT = "nothing that came in is lost"


class Flood(Exception):
    """Telegram asks to wait `seconds` before the same request."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Hiccup(Exception):
    """A failure that may pass: no answer in time, the connection lost, Telegram in trouble. `why` says which."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one request is tried.

    Attributes:
        attempts: tries in a row that may fail; between them 1, 2, 4 ... up to `longest_pause` seconds. With 8 attempts
            that is about two minutes of pauses; None is for ever.
        floods: waits in a row that Telegram may ask for.
        longest_flood: seconds; whoever is asked to wait longer is told so instead.
        advice: the remedy when all attempts failed.
    """

    attempts: int | None = 8
    floods: int = 10
    longest_flood: float = 3600.0
    longest_pause: float = 60.0
    advice: str = f"check the network, then run this again; {KEPT}"

    async def ask(self, request: Callable[[], Awaitable[T]], wait: Wait) -> T:
        """The request's answer, however often it takes.

        Raises:
            AccountError: it did not work out.
        """
        failures = floods = 0
        while True:
            try:
                return await request()
            except Flood as flood:
                floods += 1
                await self._sit_out(flood.seconds, floods, wait)
            except Hiccup as hiccup:
                failures += 1
                await self._pause(hiccup.why, failures, wait)

    async def _sit_out(self, seconds: int, floods: int, wait: Wait) -> None:
        if seconds > self.longest_flood:
            raise AccountError(
                f"Telegram asks to wait {duration(seconds)} before going on",
                f"run this again after that time; {KEPT}",
            ) from None
        if floods > self.floods:
            raise AccountError(
                f"Telegram asked to wait {self.floods} times in a row", f"run this again in some hours; {KEPT}"
            ) from None
        await wait(seconds + 1, "Telegram asks to wait")

    async def _pause(self, why: str, failures: int, wait: Wait) -> None:
        if self.attempts is not None and failures >= self.attempts:
            raise AccountError(f"{why} (tried {failures} times)", self.advice) from None
        of = "" if self.attempts is None else f" of {self.attempts}"
        await wait(min(2.0 ** (failures - 1), self.longest_pause), f"{why} (attempt {failures}{of})")


def duration(seconds: float) -> str:
    """ "23 hours 5 minutes", "40 seconds": the two largest units."""
    left = int(timedelta(seconds=seconds).total_seconds())
    parts = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}{'s' * (count > 1)}")
    return " ".join(parts[:2]) or "0 seconds"

"""What becomes of a failure that must not end the bot: it is logged, by its kind and its place.

Knows nothing of what was being done, and never tells what the failure says: URLs hold the token, values hold words.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telegram.error import TelegramError

_log = logging.getLogger(__name__)


@contextmanager
def survived() -> Iterator[None]:
    """One failure must not end a chat."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it was
        _note(error)


async def log_failure(_: object, context: Any) -> None:
    """The application's error handler."""
    _note(context.error)


def _note(error: Exception) -> None:
    """Log the kind of error and its place, never its text (URLs hold the token)."""
    if isinstance(error, TelegramError):
        _log.warning("Telegram refused a request (%s)", type(error).__name__)
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
    _log.error("An update could not be handled (%s at %s)", type(error).__name__, place)

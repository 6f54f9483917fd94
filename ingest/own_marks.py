"""What our own exports tell of a message beyond Telegram Desktop's shape, so that nothing is lost on the way.

Knows nothing of files. An element of `messages` may have a key "twin" with an object that holds, by the names of a
`Message`'s fields, what the other keys cannot say; times are seconds since 1970. Other programs overlook it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from twin.messages import Message

KEY = "twin"
NOT_UNDERSTOOD = "a mark of twin's own not understood"
_INT64 = 1 << 63
_YEAR_10000 = 253_402_300_800


def marks(message: Message, as_read: Message) -> dict[str, Any]:
    """What has to be told for a message, where the rest of it reads back as `as_read`; empty when nothing has."""
    wrong = [name for name in _READERS if getattr(message, name) != getattr(as_read, name)]
    return {name: _told(getattr(message, name)) for name in wrong}


def with_marks(message: Message, told: Any, inexact: Counter[str]) -> Message:
    """A message with what its marks tell; what is none of ours, or of a wrong type, is left out and counted."""
    if not isinstance(told, dict):
        inexact[NOT_UNDERSTOOD] += 1
        return message
    values: dict[str, Any] = {}
    for name, value in told.items():
        try:
            values[name] = _READERS[name](value)
        except (KeyError, ValueError):
            inexact[NOT_UNDERSTOOD] += 1
    return replace(message, **values)


def _told(value: Any) -> Any:
    return int(value.timestamp()) if isinstance(value, datetime) else value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _number(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64):
        return value
    raise ValueError


def _time(value: Any) -> datetime | None:
    seconds = _number(value)
    if seconds is None:
        return None
    if 0 < seconds < _YEAR_10000:
        return datetime.fromtimestamp(seconds, UTC)
    raise ValueError


def _list(value: Any) -> str | None:
    """Compact JSON of a list, as entities and reactions are kept."""
    if value is None:
        return None
    if not isinstance(value, str) or not isinstance(json.loads(value), list):
        raise ValueError
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "sender_id": _number,
    "is_owner": _flag,
    "reply_to": _number,
    "forwarded_from": _text,
    "via_bot": _text,
    "edited_at": _time,
    "media": _text,
    "media_note": _text,
    "entities": _list,
    "reactions": _list,
    "first_text": _text,
    "first_edited_at": _time,
    "deleted_at": _time,
}

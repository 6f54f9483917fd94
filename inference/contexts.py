"""Conversations from plain JSON values, as scripts and HTTP clients hand them in.

Knows nothing of where the values come from or of how a mistake is told to whoever made it: it raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from twin.messages import Conversation, Peer, Speaker, Turn

Said = tuple[Speaker, str, datetime | None]
"""Who said a bubble, what, and when, aware UTC."""

_YEARS = range(1970, 9999)
"""Of times; beyond these, one cannot be told in every zone."""
_LONGEST_NAME = 200
_IDS = 2**63

ROLES: Mapping[str, Speaker] = {"assistant": "owner", "user": "other"}
"""Roles as the APIs of language models name them: the twin's owner is the "assistant"."""


def conversation_of(said: Iterable[Said], about: Mapping[str, Any]) -> Conversation:
    """A conversation of bubbles, oldest first; consecutive ones of one speaker are one turn.

    Args:
        about: "peer" (a name), "relation", "chat_id" and "at" (the moment of the reply), each of which may be missing.

    Raises:
        ValueError: one of these is of the wrong kind.
    """
    peer = Peer(_name(about.get("peer")), _name(about.get("relation")))
    return Conversation(_turns(said), peer, _id(about.get("chat_id")), moment_of(about.get("at")))


def text_of(content: Any) -> str:
    """Text that says something.

    Raises:
        ValueError: it is none, blank, or not Unicode (UnicodeEncodeError is a ValueError).
    """
    if not isinstance(content, str) or not content.strip():
        raise ValueError("a text is missing or blank")
    content.encode()
    return content


def moment_of(value: Any) -> datetime | None:
    """A time in ISO 8601, as aware UTC; None for None.

    Raises:
        ValueError: it is no time, or one without a zone.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("a time is no text")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time has no zone")
    if moment.year not in _YEARS:
        raise ValueError("a time is out of range")
    return moment.astimezone(UTC)


def _turns(said: Iterable[Said]) -> tuple[Turn, ...]:
    runs = [(speaker, list(run)) for speaker, run in groupby(said, key=lambda bubble: bubble[0])]
    return tuple(
        replace(Turn.of(speaker, [text for _, text, _ in run]), started_at=run[0][2], ended_at=run[-1][2])
        for speaker, run in runs
    )


def _name(value: Any) -> str | None:
    if value is None:
        return None
    if len(text_of(value)) > _LONGEST_NAME:
        raise ValueError("a name is too long")
    return str(value)


def _id(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not -_IDS <= value < _IDS:
        raise ValueError("a chat_id is a whole number of 64 bits")
    return value

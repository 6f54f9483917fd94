"""Messages to turns to sessions: the one grouping, used by the dataset and by the live chat.

Knows nothing of storage, tokens or models; it is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby

from twin.messages import Bubble, Message, Session, Turn

SESSION_GAP = timedelta(minutes=60)


def bubble(message: Message) -> Bubble | None:
    """How one message stands in a conversation; None when it has nothing to show.

    Forwards, messages sent via a bot, and media are shown but are not the sender's own words.
    """
    authored = message.forwarded_from is None and message.via_bot is None and message.media is None
    text = message.text.strip()
    if message.media is not None:
        note = f" {message.media_note}" if message.media_note else ""
        placeholder = f"[{message.media.replace('_', ' ')}{note}]"
        text = f"{placeholder} {text}" if text else placeholder
    elif message.forwarded_from is not None and text:
        text = f"[forwarded] {text}"
    return Bubble(text, authored) if text else None


def turns(messages: Iterable[Message]) -> tuple[Turn, ...]:
    """Group messages (oldest first) into turns: a speaker's whole run is one turn, bubbles kept apart."""
    shown = [(message, part) for message in messages if (part := bubble(message)) is not None]
    return tuple(
        Turn(
            speaker="owner" if is_owner else "other",
            bubbles=tuple(part for _, part in run),
            started_at=run[0][0].sent_at,
            ended_at=run[-1][0].sent_at,
        )
        for is_owner, group in groupby(shown, key=lambda pair: pair[0].is_owner)
        for run in [list(group)]
    )


def split_by_silence(messages: Sequence[Message], gap: timedelta = SESSION_GAP) -> list[list[Message]]:
    """Cut one dialog's messages where nobody spoke for longer than `gap`.

    A message that explicitly replies into the conversation before the silence is stitched to it.

    Args:
        messages: of one dialog, any order.
        gap: the longest silence inside a session.

    Returns:
        runs of messages, each oldest first; every message is in exactly one run.
    """
    runs: list[list[Message]] = []
    ids: set[int] = set()
    for message in sorted(messages, key=lambda m: (m.sent_at, m.message_id)):
        silent = not runs or message.sent_at - runs[-1][-1].sent_at > gap
        if silent and message.reply_to not in ids:
            runs.append([])
            ids = set()
        runs[-1].append(message)
        ids.add(message.message_id)
    return runs


def sessions(messages: Sequence[Message], gap: timedelta = SESSION_GAP) -> list[Session]:
    """One dialog's messages (any order) as sessions, oldest first; empty ones are left out."""
    return [Session(run[0].chat_id, found) for run in split_by_silence(messages, gap) if (found := turns(run))]

"""Messages to turns to sessions: the one grouping, used by the dataset and by the live chat.

Knows nothing of storage, tokens or models; it is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Literal

from twin.messages import NOBODY, Bubble, Message, Peer, Session, Turn
from twin.placeholders import forwarded, placeholder, quoted

SESSION_GAP = timedelta(minutes=60)
Fate = Literal["shown", "empty", "deleted"]
_NOTHING: Mapping[int, Message] = MappingProxyType({})


def fate(message: Message) -> Fate:
    """What becomes of a message: shown in a conversation, or left out because nothing is in it or it was deleted."""
    if message.deleted_at is not None:
        return "deleted"
    return "shown" if message.media is not None or message.text.strip() else "empty"


def bubble(message: Message, language: str = "en") -> Bubble | None:
    """How one message stands in a conversation; None when it is not shown.

    Forwards, messages sent via a bot, and media are shown but are not the sender's own words.

    Args:
        language: of placeholders, as ISO 639-1.
    """
    if fate(message) != "shown":
        return None
    authored = message.forwarded_from is None and message.via_bot is None and message.media is None
    text = message.text.strip()
    if message.media is not None:
        stands = placeholder(message.media, message.media_note, language)
        text = f"{stands} {text}" if text else stands
    elif message.forwarded_from is not None:
        text = forwarded(text, language)
    return Bubble(text, authored)


def turns(
    messages: Iterable[Message], language: str = "en", earlier: Mapping[int, Message] = _NOTHING
) -> tuple[Turn, ...]:
    """Group messages (oldest first) into turns: a speaker's whole run is one turn, bubbles kept apart.

    Args:
        earlier: older messages of the dialog by id. One that is explicitly replied to stands as a quote, which is
            nobody's own words here, directly above the first message that does so, as Telegram shows it.
    """
    shown: list[tuple[Message, list[Bubble]]] = []
    quoted_already: set[int] = set()
    for message in messages:
        if (part := bubble(message, language)) is None:
            continue
        above = earlier.get(message.reply_to) if message.reply_to is not None else None
        if above is None or above.message_id in quoted_already or (quote := bubble(above, language)) is None:
            shown.append((message, [part]))
        else:
            quoted_already.add(above.message_id)
            shown.append((message, [Bubble(quoted(quote.text, language), authored=False), part]))
    return tuple(
        Turn(
            speaker="owner" if is_owner else "other",
            bubbles=tuple(part for _, parts in run for part in parts),
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
    return _cut(sorted(messages, key=lambda m: (m.sent_at, m.message_id)), gap)


def sessions(
    messages: Sequence[Message], gap: timedelta = SESSION_GAP, language: str = "en", peer: Peer = NOBODY
) -> list[Session]:
    """One dialog's messages (any order) as sessions, oldest first; empty ones are left out.

    A message that explicitly replies to something older than its session brings that along as a quote: see `turns`.
    Deleted messages are neither shown nor quoted, and count for no silence.
    """
    return list(sessions_of(split_by_silence(_present(messages), gap), language, peer))


def sessions_of(runs: Iterable[Sequence[Message]], language: str = "en", peer: Peer = NOBODY) -> Iterator[Session]:
    """One dialog's runs of messages (oldest first, none deleted) as sessions; one for each that shows anything."""
    earlier: dict[int, Message] = {}
    previous_at = None
    for run in runs:
        if found := turns(run, language, earlier):
            yield Session(run[0].chat_id, found, peer, previous_at=previous_at)
        earlier.update((message.message_id, message) for message in run)
        previous_at = run[-1].sent_at


def latest_session(
    messages: Sequence[Message], gap: timedelta = SESSION_GAP, language: str = "en", peer: Peer = NOBODY
) -> Session | None:
    """The session that a live chat is in, cut and written as `sessions` does; None when nothing was said.

    Args:
        messages: of one chat, in the order in which they are to be read, which need not be that of their times:
            a reply may be younger than the next question.
    """
    return next(reversed(list(sessions_of(_cut(_present(messages), gap), language, peer))), None)


def _present(messages: Iterable[Message]) -> list[Message]:
    return [message for message in messages if message.deleted_at is None]


def _cut(ordered: Iterable[Message], gap: timedelta) -> list[list[Message]]:
    runs: list[list[Message]] = []
    ids: set[int] = set()
    for message in ordered:
        silent = not runs or message.sent_at - runs[-1][-1].sent_at > gap
        if silent and message.reply_to not in ids:
            runs.append([])
            ids = set()
        runs[-1].append(message)
        ids.add(message.message_id)
    return runs

"""Rendered text read back: who is spoken to, and the turns with their bubbles and marks of time.

The inverse of `twin.prompt`'s rendering as far as text can tell. Own words and placeholders look alike; of times only
the hour and the class of silence are left, so the ones that come back are others that are told the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from twin.marks import zone
from twin.messages import NOBODY, Bubble, Peer, Session, Speaker, Turn
from twin.prompt import PromptSpec, render_head, render_turns
from twin.templates import read_bubble
from twin.tokens import Segment

_MARK = r"(?: \((?:(?P<hour>\d+)h)?(?:, )?(?:after (?P<silence>\w+))?\))?"
_OPENINGS = {
    "plain": re.compile(rf"(?P<speaker>Me|Them){_MARK}:\n"),
    "chatml": re.compile(rf"<\|im_start\|>(?P<speaker>assistant|user){_MARK}\n"),
}
_SPEAKERS: dict[str, Speaker] = {"Me": "owner", "Them": "other", "assistant": "owner", "user": "other"}
_SILENCES = {
    None: timedelta(0),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(days=7),
    "months": timedelta(days=30),
}
_DAY = datetime(2024, 3, 4)


def rendered(spec: PromptSpec, session: Session) -> list[Segment]:
    """A whole session as segments."""
    groups = render_turns(spec, session.turns, session.previous_at)
    return [*render_head(spec, session.peer, session.chat_id), *(part for group in groups for part in group)]


def text_of(segments: Sequence[Segment]) -> str:
    """What they read."""
    return "".join(segment.text for segment in segments)


def read(spec: PromptSpec, text: str) -> Session:
    """A session that renders to this text.

    Raises:
        ValueError: nothing renders to it.
    """
    frame, opening = spec.frame, _OPENINGS[spec.template]
    head = re.compile(
        re.escape(frame.head_open)
        + (re.escape(spec.system + frame.head_break) if spec.system else "")
        + r"\(with (?P<who>[^()\n]+)\)"
        + re.escape(frame.head_close)
    )
    peer = NOBODY
    if found := head.match(text):
        name, _, relation = found["who"].partition(", ")
        peer = Peer(name, relation or None)
    elif spec.system:
        found = re.compile(re.escape(frame.head_open + spec.system + frame.head_close)).match(text)
    place = found.end() if found else 0
    read_turns: list[tuple[Turn, re.Match[str]]] = []
    while place < len(text):
        opened = opening.match(text, place)
        if opened is None:
            raise ValueError(f"no turn opens at {place}")
        end = text.index(frame.close, opened.end())
        lines = text[opened.end() : end].split(frame.bubble_break)
        bubbles = tuple(Bubble(read_bubble(line)) for line in lines)
        read_turns.append((Turn(_SPEAKERS[opened["speaker"]], bubbles), opened))
        place = end + len(frame.close)
    return _timed(spec, read_turns, peer)


def _timed(spec: PromptSpec, found: Sequence[tuple[Turn, re.Match[str]]], peer: Peer) -> Session:
    """Give turns times that are told as the marks tell them."""
    starts = [_start(spec, opened) for _, opened in found]
    before = [
        None if start is None else start - _SILENCES[opened["silence"]]
        for start, (_, opened) in zip(starts, found, strict=True)
    ]
    turns = tuple(
        Turn(turn.speaker, turn.bubbles, start, end)
        for (turn, _), start, end in zip(found, starts, [*before[1:], None], strict=True)
    )
    return Session(0, turns, peer, previous_at=before[0] if before else None)


def _start(spec: PromptSpec, opened: re.Match[str]) -> datetime | None:
    if opened["hour"] is None and opened["silence"] is None:
        return None
    local = _DAY.replace(hour=int(opened["hour"] or 0), tzinfo=zone(spec.timezone))
    return local.astimezone(UTC)

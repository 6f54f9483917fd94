"""Fitting the owner's pace from when messages were sent: see `twin.timing` for what comes of it.

Knows nothing of where messages are stored, and keeps nothing of them but counts and seconds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import groupby, pairwise
from typing import Any

from twin.conversations import SESSION_GAP, fate, split_by_silence
from twin.marks import zone
from twin.messages import Message
from twin.timing import KINDS, LEVELS, USUAL_GAPS, USUAL_LATENCY, Answers, Gap, Kind, Spread, Timing, kind_of

_EDGES = (0, 5, 10, 20, 40, 80, 160)  # characters: the classes of bubbles, while each has enough
_ENOUGH_GAPS = 40  # observations a class must have, else it goes with its neighbour
_LEAST_GAPS = 10  # observations there must be at all, else the usual gaps are taken
_ENOUGH_LATENCIES, _LEAST_LATENCIES = 40, 10  # the same for hours; the former in weights of own and neighbouring hours
_SECOND_THOUGHT = timedelta(minutes=5)  # a longer pause inside a turn is no pace of a burst
_COMES_BACK = timedelta(days=1)


DAYPARTS = (("night", 0, 6), ("morning", 6, 12), ("afternoon", 12, 18), ("evening", 18, 24))
"""Parts of the day and their hours, the latter excluded."""


@dataclass(slots=True)
class _Seen:
    """What was observed: gaps as (characters, seconds), latencies by local hour, answers and emoji by kind."""

    where: tzinfo
    gaps: list[tuple[int, float]] = field(default_factory=list)
    latencies: list[list[float]] = field(default_factory=lambda: [[] for _ in range(24)])
    answers: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    emoji: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    open: list[tuple[datetime, Kind, bool]] = field(default_factory=list)
    newest: datetime | None = None


def fit(
    dialogs: Iterable[Sequence[Message]], *, until: datetime, timezone: str, gap: timedelta = SESSION_GAP
) -> Timing:
    """Fit the pace of an owner on what was sent before `until`.

    A turn of the other's is answered when a message of the owner's comes within `gap`, or replies to it explicitly.
    One that is younger than `gap` when the history ends counts for nothing: nobody knows.

    Args:
        dialogs: each one dialog's messages, in any order; dialogs may come from an iterator.
        until: aware; the end of the training period.
        timezone: IANA name of the owner's clock.
        gap: the longest silence inside a session.

    Raises:
        SettingsError: there is no such time zone.
    """
    seen = _Seen(zone(timezone))
    for messages in dialogs:
        present = [message for message in messages if fate(message) == "shown"]
        if present:
            newest = max(message.sent_at for message in present)
            seen.newest = max(newest, seen.newest or newest)
        _watch(seen, [message for message in present if message.sent_at < until], gap)
    end = min(until, seen.newest or until)
    for last_at, kind, reacted in seen.open:
        if end - last_at > gap:
            _count(seen, kind, unanswered=True, reacted=reacted)
    gaps, latency, answers = _gaps(seen.gaps), _latency(seen.latencies), _answers(seen.answers)
    return Timing(timezone, until, gaps, latency, answers, _emoji(seen.emoji))


def pace(timing: Timing) -> dict[str, Any]:
    """The owner's pace in few numbers: seconds, and chances by kind of the other's last message.

    Returns:
        `median_gap`, and `median_latency` by part of the day, are None where nothing was seen.
    """
    by_part = {part: _middle_of(timing.latency[first:last]) for part, first, last in DAYPARTS}
    return {
        "median_gap": _middle_of([gap.spread for gap in timing.gaps]),
        "median_latency": _middle_of(timing.latency),
        "median_latency_by_part": by_part,
        "no_answer": {kind: timing.no_answer(kind) for kind in KINDS if kind in timing.answers},
        "comes_back": {kind: timing.comes_back(kind) for kind in KINDS if kind in timing.answers},
        "reaction": {kind: timing.reaction(kind) for kind in KINDS if kind in timing.answers},
    }


def _middle_of(spreads: Iterable[Spread]) -> float | None:
    """The median of what several spreads stand for together, each by its count."""
    points = sorted((spread.at(level / 20), spread.count) for spread in spreads for level in range(1, 20))
    half = sum(count for _, count in points) / 2
    reached = 0
    for seconds, count in points:
        reached += count
        if reached > half:
            return round(seconds, 1)
    return None


def _watch(seen: _Seen, messages: Sequence[Message], gap: timedelta) -> None:
    """Take in one dialog; what it ends with is left open, as an answer may be still to come."""
    for message in messages:
        if not message.is_owner:
            seen.emoji.update((kind_of(message.text, message.media), emoji) for emoji in _owners_emoji(message))
    sessions = split_by_silence(messages, gap)
    for number, session in enumerate(sessions):
        runs = [list(run) for _, run in groupby(session, key=lambda message: message.is_owner)]
        for run, after in zip(runs, [*runs[1:], None], strict=True):
            if run[0].is_owner:
                _watch_bubbles(seen, run)
                continue
            asked = run[-1]
            kind = kind_of(asked.text, asked.media)
            if after is not None:
                _count(seen, kind)
                seconds = (after[0].sent_at - asked.sent_at).total_seconds()
                seen.latencies[asked.sent_at.astimezone(seen.where).hour].append(seconds)
                continue
            reacted = any(_reactions(message) for message in run)
            if number + 1 == len(sessions):
                seen.open.append((asked.sent_at, kind, reacted))
                continue
            follower = sessions[number + 1][0]
            later = follower.is_owner and follower.sent_at - asked.sent_at <= _COMES_BACK
            _count(seen, kind, unanswered=True, later=later, reacted=reacted)


def _watch_bubbles(seen: _Seen, run: Sequence[Message]) -> None:
    for above, below in pairwise(run):
        pause = below.sent_at - above.sent_at
        typed = below.media is None and below.forwarded_from is None and below.via_bot is None
        if typed and pause <= _SECOND_THOUGHT:
            text = below.text if below.first_text is None else below.first_text
            seen.gaps.append((len(text.strip()) or 1, pause.total_seconds()))


def _reactions(message: Message) -> list[str]:
    """What the owner reacted to a message with."""
    given = json.loads(message.reactions) if message.reactions is not None else []
    return [str(reaction.get("emoji")) for reaction in given if reaction.get("by_owner")]


def _owners_emoji(message: Message) -> list[str]:
    """Of those, what is nothing but an emoji: words ("custom", "paid") stand for what has none."""
    return [emoji for emoji in _reactions(message) if emoji and not any(sign.isalnum() for sign in emoji)]


def _count(seen: _Seen, kind: Kind, *, unanswered: bool = False, later: bool = False, reacted: bool = False) -> None:
    seen.answers[kind, "turns"] += 1
    seen.answers[kind, "unanswered"] += unanswered
    seen.answers[kind, "later"] += later
    seen.answers[kind, "reacted"] += unanswered and reacted


def _answers(counts: Counter[tuple[Kind, str]]) -> dict[Kind, Answers]:
    names = ("turns", "unanswered", "later", "reacted")
    return {kind: Answers(*(counts[kind, name] for name in names)) for kind in KINDS if counts[kind, "turns"]}


def _emoji(counts: Counter[tuple[Kind, str]]) -> dict[Kind, dict[str, int]]:
    found: dict[Kind, dict[str, int]] = {}
    for (kind, emoji), count in sorted(counts.items()):
        found.setdefault(kind, {})[emoji] = count
    return found


def _gaps(seen: Sequence[tuple[int, float]]) -> tuple[Gap, ...]:
    if len(seen) < _LEAST_GAPS:
        return USUAL_GAPS
    return tuple(
        Gap(
            _quantile([(length, 1) for length, _ in part], 0.5),
            _spread_of([(seconds, 1) for _, seconds in part], len(part)),
        )
        for part in _classes(sorted(seen))
    )


def _classes(seen: Sequence[tuple[int, float]]) -> Iterator[list[tuple[int, float]]]:
    """Observations by length, in classes of at least `_ENOUGH_GAPS`, or all in one."""
    groups = [
        [pair for pair in seen if low <= pair[0] < high]
        for low, high in zip(_EDGES, [*_EDGES[1:], 1 << 62], strict=True)
    ]
    merged: list[list[tuple[int, float]]] = [[]]
    for group in groups:
        if len(merged[-1]) >= _ENOUGH_GAPS and group:
            merged.append([])
        merged[-1] += group
    if len(merged) > 1 and len(merged[-1]) < _ENOUGH_GAPS:
        tail = merged.pop()
        merged[-1] += tail
    yield from merged


def _latency(by_hour: Sequence[Sequence[float]]) -> tuple[Spread, ...]:
    if sum(map(len, by_hour)) < _LEAST_LATENCIES:
        return (USUAL_LATENCY,) * 24
    return tuple(_spread_of(_around(by_hour, hour), len(by_hour[hour])) for hour in range(24))


def _around(by_hour: Sequence[Sequence[float]], hour: int) -> list[tuple[float, int]]:
    """An hour's latencies and, with weights that fall off in a triangle, those of as many neighbours as it takes."""
    for reach in range(1, 13):
        weights = {(hour + off) % 24: reach + 1 - abs(off) for off in range(-reach, reach + 1)}
        found = sum(weight * len(by_hour[other]) for other, weight in weights.items())
        if found >= _ENOUGH_LATENCIES * (reach + 1):
            return [(seconds, weight) for other, weight in weights.items() for seconds in by_hour[other]]
    return [(seconds, 1) for others in by_hour for seconds in others]


def _spread_of(observed: Sequence[tuple[float, int]], count: int) -> Spread:
    ordered = sorted(observed)
    return Spread(count, tuple(round(_quantile(ordered, level), 1) for level in LEVELS))


def _quantile(ordered: Sequence[tuple[float, int]], level: float) -> float:
    """Of weighted values in ascending order, linear between their middles (type 5 of Hyndman and Fan 1996)."""
    wanted = level * sum(weight for _, weight in ordered)
    below, reached = ordered[0][0], 0.0
    position = 0.0
    for value, weight in ordered:
        middle = reached + weight / 2
        if middle >= wanted:
            if middle == position:
                return value
            part = (wanted - position) / (middle - position) if wanted > position else 1.0
            return below + part * (value - below)
        below, position = value, middle
        reached += weight
    return ordered[-1][0]

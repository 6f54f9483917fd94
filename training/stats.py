"""What a training set is like, in numbers: by month, by dialog, languages, style, repetition.

Knows nothing of tables or pictures, and lets no message text out: what it returns is counts, shares and dialogs' names.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import tzinfo
from statistics import quantiles
from typing import Any

from training.timing import pace
from twin.dialogs import Dialog
from twin.language import guess, shares
from twin.messages import Session, Turn
from twin.timing import Timing

_TELEGRAM = Session(0, ()).origin
_SAMPLE = 2048  # texts kept of each side for finding languages; between half of it and all of it
_DIALOG_SAMPLE = 64
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55\u203c\u2049]")
_QUESTION = re.compile("[?？؟]")
_MOST_REPEATED = 10


@dataclass(frozen=True, slots=True)
class Month:
    """Messages of one calendar month ("2024-03")."""

    month: str
    yours: int
    theirs: int


@dataclass(frozen=True, slots=True)
class DialogShare:
    """What one dialog gives to the set.

    Attributes:
        chat_id, name: None when they are not to be told, the latter also when nobody knows it.
        language: ISO 639-1, None when it cannot be told.
        messages, yours: bubbles of both sides, and of the owner.
        replies: turns of the owner that are learned from, or held out.
    """

    chat_id: int | None
    name: str | None
    relation: str | None
    language: str | None
    messages: int
    yours: int
    replies: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Of whole numbers: mean, median, and what nine in ten do not exceed; zeros when there are none."""

    mean: float
    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Style:
    """How the owner writes; shares are between 0 and 1.

    Attributes:
        replies, bubbles: how many of the owner's own words this is measured on.
        lower_case: of the bubbles that begin with a letter that has two cases.
        no_full_stop: of the bubbles that end in a letter, a digit or a full stop.
    """

    replies: int
    bubbles: int
    characters_per_bubble: Summary
    bubbles_per_reply: Summary
    questions: float
    emoji: float
    lower_case: float
    no_full_stop: float


@dataclass(frozen=True, slots=True)
class Repetition:
    """How often the owner says the same: case and punctuation at the ends do not count.

    Attributes:
        distinct: how many different replies there are.
        repeated: share of the replies that occur more than once.
        most: how often the most frequent replies occur, largest first; at most ten.
    """

    distinct: int
    repeated: float
    most: tuple[int, ...]


@dataclass(frozen=True)
class Stats:
    """All of it.

    Attributes:
        months: without a hole, oldest first.
        dialogs: most replies first.
        languages: of messages, "yours" and "theirs": ISO 639-1 (or "und") to share, largest first.
        reply_lengths: characters of a reply to how many have so many.
        bubbles_per_reply: the same for bubbles.
        timing: the owner's pace; None when the set was built without.
    """

    months: tuple[Month, ...]
    dialogs: tuple[DialogShare, ...]
    languages: dict[str, dict[str, float]]
    style: Style
    repetition: Repetition
    reply_lengths: Counter[int]
    bubbles_per_reply: Counter[int]
    timing: Timing | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for scripts."""
        return {
            "by_month": [asdict(month) for month in self.months],
            "by_dialog": [asdict(dialog) for dialog in self.dialogs],
            "languages": self.languages,
            "style": asdict(self.style),
            "repetition": asdict(self.repetition),
            "reply_lengths": dict(sorted(self.reply_lengths.items())),
            "bubbles_per_reply": dict(sorted(self.bubbles_per_reply.items())),
            "timing": None if self.timing is None else self.timing.as_dict() | pace(self.timing),
        }


class _Sample:
    """About evenly spaced ones of any number of texts, without knowing how many will come."""

    def __init__(self, most: int) -> None:
        self.texts: list[str] = []
        self._most, self._every, self._seen = most, 1, 0

    def add(self, text: str) -> None:
        if self._seen % self._every == 0:
            self.texts.append(text)
            if len(self.texts) > self._most:
                self.texts = self.texts[::2]
                self._every *= 2
        self._seen += 1


@dataclass
class _Seen:
    months: defaultdict[tuple[int, int], Counter[bool]] = field(default_factory=lambda: defaultdict(Counter))
    by_dialog: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    samples: defaultdict[int, _Sample] = field(default_factory=lambda: defaultdict(lambda: _Sample(_DIALOG_SAMPLE)))
    yours: _Sample = field(default_factory=lambda: _Sample(_SAMPLE))
    theirs: _Sample = field(default_factory=lambda: _Sample(_SAMPLE))
    reply_lengths: Counter[int] = field(default_factory=Counter)
    bubble_lengths: Counter[int] = field(default_factory=Counter)
    bubbles_per_reply: Counter[int] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    replies: Counter[str] = field(default_factory=Counter)


def describe(sessions: Iterable[Session], dialogs: Mapping[int, Dialog], timing: Timing | None, where: tzinfo) -> Stats:
    """Count through the sessions of a set once; what was imported or made counts for nothing here.

    Args:
        sessions: of all parts, in any order.
        dialogs: what is known of the dialogs now, by id; those of others go without a name.
        timing: saved with the set.
        where: the clock by which months are told.
    """
    seen = _Seen()
    for session in sessions:
        if session.origin == _TELEGRAM:
            for turn in session.turns:
                _take(seen, session.chat_id, turn, where)
    return Stats(
        months=tuple(_months(seen.months)),
        dialogs=tuple(_dialogs(seen, dialogs)),
        languages={"yours": shares(seen.yours.texts), "theirs": shares(seen.theirs.texts)},
        style=_style(seen),
        repetition=_repetition(seen.replies),
        reply_lengths=seen.reply_lengths,
        bubbles_per_reply=seen.bubbles_per_reply,
        timing=timing,
    )


def _take(seen: _Seen, chat_id: int, turn: Turn, where: tzinfo) -> None:
    is_owner = turn.speaker == "owner"
    if turn.started_at is not None:
        at = turn.started_at.astimezone(where)
        seen.months[at.year, at.month][is_owner] += len(turn.bubbles)
    counts = seen.by_dialog[chat_id]
    counts["messages"] += len(turn.bubbles)
    counts["yours"] += len(turn.bubbles) if is_owner else 0
    counts["replies"] += turn.is_supervisable
    said = [bubble.text for bubble in turn.bubbles if bubble.authored and bubble.text]
    for text in said:
        (seen.yours if is_owner else seen.theirs).add(text)
        seen.samples[chat_id].add(text)
    if is_owner and said:
        seen.bubbles_per_reply[len(said)] += 1
        seen.reply_lengths[sum(map(len, said))] += 1
        seen.replies[" ".join(said).casefold().strip(" .,!?…")] += 1
        for text in said:
            seen.bubble_lengths[len(text)] += 1
            seen.marks.update(_marks(text))


def _marks(text: str) -> Iterator[str]:
    yield "bubbles"
    if _QUESTION.search(text):
        yield "questions"
    if _EMOJI.search(text):
        yield "emoji"
    if text[0].lower() != text[0].upper():
        yield "cased"
        if text[0].islower():
            yield "lower"
    if text[-1].isalnum():
        yield "open"
    elif text[-1] in ".。":
        yield "closed"


def _months(found: Mapping[tuple[int, int], Counter[bool]]) -> Iterator[Month]:
    if not found:
        return
    (year, month), last = min(found), max(found)
    while (year, month) <= last:
        counts = found.get((year, month), Counter())
        yield Month(f"{year}-{month:02d}", counts[True], counts[False])
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _dialogs(seen: _Seen, known: Mapping[int, Dialog]) -> Iterator[DialogShare]:
    by_replies = sorted(seen.by_dialog.items(), key=lambda item: (-item[1]["replies"], -item[1]["messages"], item[0]))
    for chat_id, counts in by_replies:
        dialog = known.get(chat_id)
        yield DialogShare(
            chat_id=chat_id,
            name=dialog.name if dialog else None,
            relation=dialog.relation if dialog else None,
            language=guess(seen.samples[chat_id].texts),
            messages=counts["messages"],
            yours=counts["yours"],
            replies=counts["replies"],
        )


def _style(seen: _Seen) -> Style:
    marks = seen.marks
    return Style(
        replies=seen.bubbles_per_reply.total(),
        bubbles=marks["bubbles"],
        characters_per_bubble=summary(seen.bubble_lengths),
        bubbles_per_reply=summary(seen.bubbles_per_reply),
        questions=_share(marks["questions"], marks["bubbles"]),
        emoji=_share(marks["emoji"], marks["bubbles"]),
        lower_case=_share(marks["lower"], marks["cased"]),
        no_full_stop=_share(marks["open"], marks["open"] + marks["closed"]),
    )


def summary(counts: Counter[int]) -> Summary:
    """Of numbers that are counted."""
    values = sorted(counts.elements())
    if not values:
        return Summary(0, 0, 0)
    at = quantiles(values, n=10, method="inclusive") if len(values) > 1 else values * 9
    return Summary(round(sum(values) / len(values), 2), at[4], at[8])


def _repetition(replies: Counter[str]) -> Repetition:
    often = sorted((count for count in replies.values() if count > 1), reverse=True)
    return Repetition(len(replies), _share(sum(often), replies.total()), tuple(often[:_MOST_REPEATED]))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0

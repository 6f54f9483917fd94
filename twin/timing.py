"""How fast the owner texts, as numbers: pauses between bubbles, delay of an answer by the hour, chance of none.

Knows nothing of the messages it was fitted on (training/timing.py does that): no text, id or name is in it. Randomness
comes from the caller.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Literal, get_args

from twin.errors import DatasetError

Kind = Literal["question", "media", "acknowledgement", "statement"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What the last message of the other's turn is, as far as it bears on whether it is answered."""

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""The quantiles that a `Spread` holds: what lies outside is rare, and mostly not about typing."""

_MEDIAN = LEVELS.index(0.5)
_FORMAT = 2
_READABLE = (1, 2)  # the former does not tell which emoji
_PRIOR = 20  # turns of all kinds together that each kind's chances begin with
_URL = re.compile(r"\w+://\S+|www\.\S+")
_STRETCH = re.compile(r"(.)\1{2,}")  # "hahhhh", "哈哈哈哈"
_QUESTION_MARKS = re.compile("[?？؟՞፧\u037e⁇⁉❓❔]")
_ACKNOWLEDGEMENT_LETTERS, _ACKNOWLEDGEMENT_WORDS = 12, 2


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of seconds by its quantiles at `LEVELS`, ascending; `count` is how many observations made it."""

    count: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """In seconds."""
        return self.seconds[_MEDIAN]

    def at(self, level: float) -> float:
        """The quantile at a level from 0 to 1: between the known ones along the logarithm, outside them the nearest."""
        if level <= LEVELS[0]:
            return self.seconds[0]
        for low, high, below, above in zip(LEVELS, LEVELS[1:], self.seconds, self.seconds[1:], strict=False):
            if level <= high:
                part = (level - low) / (high - low)
                return math.expm1((1 - part) * math.log1p(below) + part * math.log1p(above))
        return self.seconds[-1]


@dataclass(frozen=True, slots=True)
class Gap:
    """The pause before a bubble of about so many characters, since the bubble above it."""

    characters: float
    spread: Spread


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of the other's turns of one kind.

    Attributes:
        turns: all of them.
        unanswered: no message of the owner's within the session gap.
        later: of the unanswered, those where the owner's was the next message all the same, within a day.
        reacted: of the unanswered, those that got an emoji of the owner's instead.
    """

    turns: int = 0
    unanswered: int = 0
    later: int = 0
    reacted: int = 0

    def __add__(self, other: Answers) -> Answers:
        return Answers(
            self.turns + other.turns,
            self.unanswered + other.unanswered,
            self.later + other.later,
            self.reacted + other.reacted,
        )


# Quantiles of 118,441 pauses and 131,384 answers in the public chitchat-dataset 0.9.0 (MIT; students in pairs):
# what is taken for an owner of whom next to nothing is known.
USUAL_GAPS = (
    Gap(3, Spread(0, (0.0, 0.0, 1.0, 1.0, 3.0, 7.0, 11.0))),
    Gap(7, Spread(0, (1.0, 1.0, 2.0, 3.0, 6.0, 14.0, 41.0))),
    Gap(15, Spread(0, (2.0, 2.0, 3.0, 5.0, 8.0, 15.0, 29.0))),
    Gap(29, Spread(0, (3.0, 3.0, 5.0, 7.0, 12.0, 21.0, 36.0))),
    Gap(54, Spread(0, (7.0, 8.0, 10.0, 14.0, 20.0, 34.0, 54.0))),
    Gap(103, Spread(0, (13.0, 15.0, 19.0, 26.0, 37.0, 56.0, 78.0))),
    Gap(173, Spread(0, (25.0, 28.0, 34.0, 43.0, 55.0, 83.0, 112.0))),
)
USUAL_LATENCY = Spread(0, (1.0, 3.0, 7.0, 17.0, 41.0, 81.0, 124.0))


@dataclass(frozen=True)
class Timing:
    """One owner's pace.

    Attributes:
        timezone: IANA name of the clock that hours are told by.
        until: aware; nothing later went into it.
        gaps: by length of the bubble that follows, shortest first; the usual ones when too few were seen.
        latency: from the other's last message to the owner's first, by the local hour of the former, 0 to 23; each with
            how many fell into that very hour, although sparse hours lean on their neighbours.
        answers: by kind of the other's last message.
        emoji: by kind of message, which emoji the owner reacted with, and how often; also where words followed.
    """

    timezone: str = "UTC"
    until: datetime | None = None
    gaps: tuple[Gap, ...] = USUAL_GAPS
    latency: tuple[Spread, ...] = (USUAL_LATENCY,) * 24
    answers: Mapping[Kind, Answers] = field(default_factory=dict)
    emoji: Mapping[Kind, Mapping[str, int]] = field(default_factory=dict)

    def sample_gap(self, rng: Random, characters: int) -> float:
        """Seconds to wait before a bubble of so many characters, after the one above it."""
        return self.gap(characters).at(rng.random())

    def sample_latency(self, rng: Random, hour: int) -> float:
        """Seconds until the first bubble of an answer to a message that came at this local hour (0 to 23)."""
        return self.latency[hour].at(rng.random())

    def gap(self, characters: float) -> Spread:
        """How long the pause before a bubble of so many characters is: between the known lengths in proportion."""
        first, last = self.gaps[0], self.gaps[-1]
        if characters <= first.characters:
            return first.spread
        if characters >= last.characters:  # longer than all that was seen: typed at the same speed
            longer = characters / last.characters
            return Spread(last.spread.count, tuple(seconds * longer for seconds in last.spread.seconds))
        above = next(n for n, gap in enumerate(self.gaps) if gap.characters > characters)
        low, high = self.gaps[above - 1], self.gaps[above]
        part = (characters - low.characters) / (high.characters - low.characters)
        pairs = zip(low.spread.seconds, high.spread.seconds, strict=True)
        return Spread(high.spread.count, tuple((1 - part) * a + part * b for a, b in pairs))

    def no_answer(self, kind: Kind) -> float:
        """How likely nothing follows within the session gap; kinds that were rarely seen lean on all together."""
        return self._chance(kind, lambda answers: answers.unanswered)

    def reaction(self, kind: Kind) -> float:
        """How likely an emoji is all that follows; this is a part of `no_answer`."""
        return self._chance(kind, lambda answers: answers.reacted)

    def comes_back(self, kind: Kind) -> float:
        """How likely the owner answers after the session gap, within a day; this is a part of `no_answer`."""
        return self._chance(kind, lambda answers: answers.later)

    def _chance(self, kind: Kind, count: Callable[[Answers], int]) -> float:
        total = sum(self.answers.values(), Answers())
        if not total.turns:
            return 0.0
        mine = self.answers.get(kind, Answers())
        return (count(mine) + _PRIOR * count(total) / total.turns) / (mine.turns + _PRIOR)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: numbers, the time zone's name and the time until which it was fitted."""
        return {
            "format": _FORMAT,
            "timezone": self.timezone,
            "until": None if self.until is None else self.until.isoformat(),
            "levels": list(LEVELS),
            "gaps": [{"characters": gap.characters, **_as_dict(gap.spread)} for gap in self.gaps],
            "latency": [_as_dict(spread) for spread in self.latency],
            "answers": {
                kind: {"turns": a.turns, "unanswered": a.unanswered, "later": a.later, "reacted": a.reacted}
                for kind in KINDS
                if (a := self.answers.get(kind)) is not None
            },
            "emoji": {kind: dict(sorted(self.emoji[kind].items())) for kind in KINDS if self.emoji.get(kind)},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Timing:
        """The inverse of `as_dict`; of an older version's, what was not fitted then is empty.

        Raises:
            DatasetError: these are not values of `as_dict`, or of a newer version.
        """
        try:
            if values["format"] not in _READABLE or tuple(values["levels"]) != LEVELS:
                raise ValueError("another format")
            timing = cls(
                timezone=str(values["timezone"]),
                until=None if values["until"] is None else datetime.fromisoformat(values["until"]),
                gaps=tuple(Gap(float(gap["characters"]), _spread(gap)) for gap in values["gaps"]),
                latency=tuple(_spread(spread) for spread in values["latency"]),
                answers={kind: Answers(**values["answers"][kind]) for kind in KINDS if kind in values["answers"]},
                emoji={kind: _counts(found) for kind, found in values.get("emoji", {}).items() if kind in KINDS},
            )
            lengths = [0.0, *(gap.characters for gap in timing.gaps)]
            if not timing.gaps or sorted(set(lengths)) != lengths or len(timing.latency) != 24:
                raise ValueError("incomplete")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError("The timing data of this dataset cannot be read", "run `twin dataset build`") from error
        return timing


def kind_of(text: str, media: str | None = None) -> Kind:
    """What a message is to its reader, in any language.

    Args:
        text: what it says, or its caption.
        media: kind of media, None for text.

    Returns:
        "question": it has a question mark outside of links; "media": it has none but a picture, a voice ...;
        "acknowledgement": at most two words of at most 12 letters together (4 in Chinese, Japanese or Korean), or emoji
        alone; else "statement".
    """
    words = _STRETCH.sub(r"\1\1", _URL.sub(" ", text))
    if _QUESTION_MARKS.search(words):
        return "question"
    if media is not None:
        return "media"
    letters = sum(3 if "\u2e80" <= letter <= "\uffdc" else 1 for letter in words if letter.isalnum())
    is_short = letters <= _ACKNOWLEDGEMENT_LETTERS and len(words.split()) <= _ACKNOWLEDGEMENT_WORDS
    return "acknowledgement" if is_short and not _URL.search(text) else "statement"


def _as_dict(spread: Spread) -> dict[str, Any]:
    return {"count": spread.count, "seconds": list(spread.seconds)}


def _counts(values: Mapping[str, Any]) -> dict[str, int]:
    counts = {str(emoji): int(count) for emoji, count in values.items()}
    if any(count < 1 for count in counts.values()):
        raise ValueError("not counts")
    return counts


def _spread(values: Mapping[str, Any]) -> Spread:
    seconds: Sequence[float] = [float(value) for value in values["seconds"]]
    if len(seconds) != len(LEVELS) or sorted(seconds) != list(seconds) or not all(0 <= s < math.inf for s in seconds):
        raise ValueError("not a spread")
    return Spread(int(values["count"]), tuple(seconds))

"""The lines of a chat that WhatsApp exported: where an entry begins, when it was, who spoke.

Knows nothing of what the entries say. Phones write dates in the style of their language and tell nowhere which: the
shape is that of the first entry, the order of day and month is inferred over the whole file.

    [05/03/2025, 10:14:33] Anna: iOS                       5/3/25, 10:14 pm - Anna: Android
    [2025/3/5 下午10:14:33] 小雨: iOS                        2025. 3. 5. 오후 10:14, 지수 : Android
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import IO

from ingest.whatsapp_words import AFTER_NOON, BEFORE_NOON, INVISIBLE, NOON, fold

ORDERS = {"day/month/year": (2, 1, 0), "month/day/year": (2, 0, 1), "year/month/day": (0, 1, 2)}
"""Name of an order -> where year, month and day stand in a date."""
_LONGEST = 1 << 20  # bytes; WhatsApp's own limit is 65,536 characters a message
_HEAD = re.compile(
    rf"[{INVISIBLE}]*(?P<open>\[?)[{INVISIBLE}]*"
    r"(?P<one>\d{1,4})\s?(?P<mark>[./年년-])\s?(?P<two>\d{1,2})\s?[./月월-]\s?(?P<three>\d{1,4})[.日일]?"
    r"(?P<between>[^\d\]\n]{1,12}?)"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
    r"(?P<after>[^\d\]\n:–-]{0,10}?)"
    r"(?P<close>\]\s?|\s[–-]\s|,\s)"
)
_SPEAKER = re.compile(rf"(?P<name>[^\n]{{1,100}}?)[{INVISIBLE}]*\s?:(?:\s|$)")
_BUDDHIST = 543


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the file.

    Attributes:
        moment: what the phone's clock showed, without a zone.
        name: who spoke; None for what WhatsApp itself says.
        text: all its lines, without the head.
    """

    moment: datetime
    name: str | None
    text: str


@dataclass(slots=True)
class _Order:
    """One way to read the file's dates, and how likely it makes them."""

    is_possible: bool = True
    is_odd: bool = False
    back_steps: int = 0
    days: int = 0
    last: date | None = None

    def look_at(self, head: re.Match[str], places: tuple[int, int, int]) -> None:
        day = _date(head, places)
        self.is_odd = places[0] == 0 and len(head["one"]) == 2
        if day is None:
            self.is_possible = False
        elif self.last is not None:
            step = (day - self.last).days
            self.back_steps += step < -1  # an hour in the wrong order around midnight is nothing
            self.days += abs(step)
        self.last = day or self.last


@dataclass(slots=True)
class Style:
    """How a file writes its entries, learnt entry by entry.

    Attributes:
        shape: the mark within dates, the one behind the time, whether there are seconds; None before the first entry.
        unclear_halves: entries whose half of the day is named in a way that is not known.
    """

    shape: tuple[str, str, bool] | None = None
    unclear_halves: int = 0
    _is_padded: bool = False
    _has_capitals: bool = False
    _orders: dict[str, _Order] = field(default_factory=lambda: {name: _Order() for name in ORDERS})

    def head(self, line: str) -> re.Match[str] | None:
        """The head of an entry, if the line begins one; a pasted chat in another style begins none."""
        found = _HEAD.match(line)
        if found is None or (found["open"] == "[") != found["close"].startswith("]"):
            return None
        if self.shape is None:
            self.shape = _shape(found)
        return found if _shape(found) == self.shape else None

    def learn(self, head: re.Match[str]) -> None:
        """Take one more entry into account."""
        self.unclear_halves += _half(head) is None and any(letter.isalpha() for letter in head["after"])
        self._is_padded = self._is_padded or any(head[part].startswith("0") for part in ("one", "two"))
        self._has_capitals = self._has_capitals or head["after"].strip() in ("AM", "PM")
        for name, order in self._orders.items():
            if order.is_possible:
                order.look_at(head, ORDERS[name])

    @property
    def order(self) -> str | None:
        """The likeliest order of year, month and day; None when the dates are none.

        Of those that are possible the one with the fewest steps back in time; a year of two digits comes last; then
        the one in which the days lie closest together; then as people do who write in this style: American phones
        write 3/5/25 and PM.
        """
        possible = [name for name, order in self._orders.items() if order.is_possible and order.last is not None]
        is_american = self.shape is not None and self.shape[0] == "/" and self._has_capitals and not self._is_padded
        custom = "month/day/year" if is_american else "day/month/year"
        return min(possible, key=lambda name: (*self._cost(name), name != custom), default=None)

    @property
    def is_certain(self) -> bool:
        """Whether nothing else is as likely."""
        chosen = self.order
        if chosen is None:
            return False
        others = [name for name, order in self._orders.items() if order.is_possible and name != chosen]
        others = [name for name in others if self._orders[name].last != self._orders[chosen].last]
        return self._cost(chosen) not in [self._cost(name) for name in others]

    def _cost(self, name: str) -> tuple[int, bool, int]:
        order = self._orders[name]
        return order.back_steps, order.is_odd, order.days


def entries(file: IO[bytes], style: Style, order: str) -> Iterator[Entry | None]:
    """Every entry in the order of the file; None for one whose time is none.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        OverflowError: a line is longer than any message.
    """
    head: re.Match[str] | None = None
    text: list[str] = []
    for line in lines(file):
        found = style.head(line)
        if found is None:
            text.append(line)
            continue
        if head is not None:
            yield _entry(head, text, order)
        head, text = found, [line[found.end() :]]
    if head is not None:
        yield _entry(head, text, order)


def lines(file: IO[bytes]) -> Iterator[str]:
    """The lines of a text file, without their ends; see `entries`."""
    while line := file.readline(_LONGEST):
        if len(line) == _LONGEST and not line.endswith(b"\n"):
            raise OverflowError("a line is longer than any message")
        yield line.decode("utf-8").removesuffix("\n").removesuffix("\r")


def speaker(text: str) -> tuple[str | None, str]:
    """Who speaks in the first line of an entry, and what; None for what WhatsApp itself says."""
    found = _SPEAKER.match(text)
    return (None, text) if found is None else (clean(found["name"]), text[found.end() :])


def clean(name: str) -> str:
    """A person's name without invisible marks, and without the tilde of those who are no contacts."""
    return " ".join("".join(sign for sign in name if sign not in INVISIBLE).replace("~", " ").split())


def _entry(head: re.Match[str], text: list[str], order: str) -> Entry | None:
    day = _date(head, ORDERS[order])
    hour, minute, second = int(head["hour"]), int(head["minute"]), int(head["second"] or 0)
    half = _half(head)
    if half is not None and hour <= 12:
        hour = hour % 12 + (12 if half else 0)
    if day is None or hour > 23 or minute > 59 or second > 59:
        return None
    name, first = speaker(text[0])
    moment = datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute, seconds=second)
    return Entry(moment, name, "\n".join([first, *text[1:]]))


def _shape(head: re.Match[str]) -> tuple[str, str, bool]:
    return head["mark"], head["close"].strip(), head["second"] is not None


def _date(head: re.Match[str], places: tuple[int, int, int]) -> date | None:
    parts = (head["one"], head["two"], head["three"])
    year, month, day = (parts[place] for place in places)
    if len(year) not in (2, 4) or len(month) > 2 or len(day) > 2:
        return None
    number = int(year) + (2000 if len(year) == 2 else 0)
    if number > 2400:  # Thailand's calendar
        number -= _BUDDHIST
    try:
        return date(number, int(month), int(day)) if number > 2008 else None  # WhatsApp began in 2009
    except ValueError:
        return None


def _half(head: re.Match[str]) -> bool | None:
    """False for the first half of the day, True for the second, None when the clock has 24 hours."""
    for words in (head["after"], head["between"]):
        word = fold(words.strip(",، ")).replace(" ", "")
        if word in BEFORE_NOON:
            return False
        if word in AFTER_NOON:
            return True
        if word == NOON:
            return int(head["hour"]) in (12, 1, 2)
    return None

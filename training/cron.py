"""Cron expressions as cron reads them: five fields, weekday 0 and 7 both Sunday.

Knows nothing of schedulers, clocks or time zones. Written out here because APScheduler's own reader counts
weekdays from Monday (https://github.com/agronholm/apscheduler/issues/286) and ignores what follows a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twin.errors import SettingsError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ITEM = re.compile(r"(?:\*|(?P<first>[a-z0-9]+)(?:-(?P<last>[a-z0-9]+))?)(?:/(?P<step>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Cron:
    """When something happens: each field the values it allows, ascending.

    Attributes:
        weekdays: 0 is Sunday.
        either_day: whether a day of the month *or* a weekday suffices, as crontab(5) has it when both are restricted.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either_day: bool

    @classmethod
    def parse(cls, expression: str, setting: str = "worker.retrain_cron") -> Cron:
        """Read "minute hour day month weekday", as it stands in that setting.

        Raises:
            SettingsError: it is not such an expression, or no date can ever meet it.
        """
        try:
            minute, hour, day, month, weekday = expression.lower().split()
            found = cls(
                minutes=_values(minute, 0, 59),
                hours=_values(hour, 0, 23),
                days=_values(day, 1, 31),
                months=_values(month, 1, 12, _MONTHS),
                weekdays=tuple(sorted({value % 7 for value in _values(weekday, 0, 7, _WEEKDAYS)})),
                either_day=not day.startswith("*") and not weekday.startswith("*"),
            )
        except ValueError as error:
            raise SettingsError(
                f"The setting {setting} ({expression!r}) is no cron expression",
                'write minute, hour, day, month and weekday, for example "0 4 * * mon"',
            ) from error
        if not found.either_day and min(found.days) > max(_LONGEST[month - 1] for month in found.months):
            raise SettingsError(
                f"The setting {setting} ({expression!r}) names a day that its months do not have",
                "choose another day of the month",
            )
        return found


def _values(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    """Every value one field allows; ValueError when it is malformed or out of range."""
    values: set[int] = set()
    for item in field.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(item)
        first, last, step = match["first"], match["last"], int(match["step"] or 1)
        start = low if first is None else _value(first, low, names)
        end = start if first is not None and last is None and match["step"] is None else high
        if last is not None:
            end = _value(last, low, names)
            if end == 0 and start > 0 and names is _WEEKDAYS:
                end = 7  # "fri-sun"
        if step == 0 or not low <= start <= end <= high:
            raise ValueError(item)
        values.update(range(start, end + 1, step))
    return tuple(sorted(values))


def _value(text: str, low: int, names: tuple[str, ...]) -> int:
    return names.index(text) + low if text in names else int(text)

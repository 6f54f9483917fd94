"""Days and times as people type them on the command line.

Knows nothing of what they are for.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import click


def since(_: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """An option's callback: `2024-01-31`, `2024-01-31T18:30`, or with a zone; without one it is local time.

    Raises:
        click.BadParameter: it is no date.
    """
    return None if value is None else _read(value, param)


def until(_: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """As `since`, but a day alone means its end, the following midnight."""
    if value is None:
        return None
    return _read(value, param, timedelta(days=1 if _is_day(value) else 0))


def _read(value: str, param: click.Parameter, later: timedelta = timedelta()) -> datetime:
    try:
        return (datetime.fromisoformat(value.strip()) + later).astimezone()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{value!r} is no date: write it as 2024-01-31 or 2024-01-31T18:30.", param=param
        ) from None


def _is_day(value: str) -> bool:
    try:
        date.fromisoformat(value.strip())
    except ValueError:
        return False
    return True

"""Charts of the report's page, as SVG without anything outside it: a dot and its interval for every system.

Knows nothing of measures; titles, numbers and places on a line come in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT, _LINE, _TOP, _BOTTOM = 480, 206, 56, 24, 10, 22
_MOST_TICKS = 5
_LEAST = 1e-6  # a scale of nothing has no ticks


@dataclass(frozen=True, slots=True)
class Mark:
    """A number on a line: `low` and `high` may be NaN for none; `text` is written at the end of the line."""

    label: str
    value: float
    low: float
    high: float
    text: str
    colour: str
    bold: bool = False


def dots(marks: Sequence[Mark], title: str, percent: bool = False) -> str:
    """One line a mark, on one scale that holds them all; marks without a number say so.

    Args:
        title: told to those who do not see the picture.
        percent: whether the scale is written in percent.
    """
    known = [mark for mark in marks if math.isfinite(mark.value)]
    ends = [end for mark in known for end in (mark.value, mark.low, mark.high) if math.isfinite(end)]
    ticks = _ticks(min([0.0, *ends]), max(ends, default=1.0))
    height = _TOP + _LINE * len(marks) + _BOTTOM
    scale = (_WIDTH - _LEFT - _RIGHT) / (ticks[-1] - ticks[0])

    def at(value: float) -> float:
        return round(_LEFT + (value - ticks[0]) * scale, 1)

    parts = [_tick(at(tick), height, _tick_text(tick, percent), tick == 0) for tick in ticks]
    parts += [_line(mark, _TOP + _LINE * (place + 0.5), at) for place, mark in enumerate(marks)]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _line(mark: Mark, y: float, at: Callable[[float], float]) -> str:
    weight = ' font-weight="600"' if mark.bold else ""
    parts = [f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end"{weight}>{escape(mark.label)}</text>']
    if math.isfinite(mark.value):
        if math.isfinite(mark.low) and math.isfinite(mark.high):
            ends = f'x1="{at(mark.low)}" x2="{at(mark.high)}" y1="{y}" y2="{y}"'
            parts.append(f'<line {ends} stroke="{mark.colour}" stroke-width="3" stroke-linecap="round" opacity=".45"/>')
        parts.append(f'<circle cx="{at(mark.value)}" cy="{y}" r="5" fill="{mark.colour}"/>')
    parts.append(f'<text x="{_WIDTH - 2}" y="{y + 4}" text-anchor="end"{weight}>{escape(mark.text)}</text>')
    return "".join(parts)


def _tick(x: float, height: int, text: str, is_zero: bool) -> str:
    colour = "#999" if is_zero else "#e3e3e3"
    bottom = height - _BOTTOM
    return (
        f'<line x1="{x}" x2="{x}" y1="{_TOP - 4}" y2="{bottom}" stroke="{colour}"/>'
        f'<text x="{x}" y="{bottom + 14}" text-anchor="middle" class="tick">{escape(text)}</text>'
    )


def _tick_text(tick: float, percent: bool) -> str:
    return f"{tick:.0%}" if percent and abs(tick * 100 - round(tick * 100)) < 1e-9 else f"{tick:g}"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`."""
    high = max(high, low + _LEAST)
    span = high - low
    power = 10 ** math.floor(math.log10(span / _MOST_TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= _MOST_TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * place, 10) for place in range(first, max(last, first + 1) + 1)]

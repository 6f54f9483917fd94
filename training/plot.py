"""The picture of `twin dataset stats --plot`: one page of a training set, as PNG.

Knows nothing of how the numbers come about; draws no message text, and no name that was taken out of what it is given.

Colours are Okabe and Ito's (2008, "Color Universal Design"), told apart by colour-blind readers and in grey.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from training.page_style import INK, page_style
from training.stats import DialogShare, Month, Stats, summary
from training.stats_tables import by_share, called, duration, ordered, percent
from twin.errors import DatasetError
from twin.language import name_of
from twin.timing import LEVELS, Timing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_YOURS, _THEIRS, _REST = "#0072B2", "#E69F00", "#999999"
_A4 = (8.27, 11.69)  # inches, portrait
_DPI = 150
_DIALOGS, _LANGUAGES, _MOST_BUBBLES, _LONGEST_NAME = 15, 6, 8, 26
_LENGTHS = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 135, 200, 300, 450, 675, 1000, 1500)
_TICKS = (1, 3, 10, 30, 60, 180, 600, 1800, 3600, 7200, 21600, 43200, 86400)  # seconds, as clocks are read
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def draw(stats: Stats, path: Path, *, title: str) -> None:
    """Draw one A4 page of months, lengths, bubbles, delays, languages and dialogs.

    Args:
        stats: dialogs without a name are numbered.
        path: of the PNG, replaced if it is there.
        title: what the page is called.

    Raises:
        DatasetError: matplotlib is not installed, or the file cannot be written.
    """
    with page_style() as can_draw:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1, rect=(0.02, 0.015, 0.96, 0.935))
        figure = Figure(figsize=_A4, dpi=_DPI, layout=layout)
        figure.text(0.035, 0.975, title, fontsize=12, fontweight="bold", va="center")
        figure.text(0.035, 0.957, _headline(stats), va="center")
        parts = figure.add_gridspec(2, 1, height_ratios=(3, 1.5))
        above, below = (figure.add_subfigure(parts[n]) for n in (0, 1))  # apart: long names below take no room above
        grid = above.add_gridspec(3, 2)
        _draw_months(above.add_subplot(grid[0, :]), stats.months)
        _draw_lengths(above.add_subplot(grid[1, 0]), stats.reply_lengths)
        _draw_bubbles(above.add_subplot(grid[1, 1]), stats.bubbles_per_reply)
        _draw_latency(above.add_subplot(grid[2, 0]), stats.timing)
        _draw_languages(above.add_subplot(grid[2, 1]), stats.languages)
        _draw_dialogs(below.add_subplot(), stats.dialogs, can_draw)
        _save(figure, path)


def _headline(stats: Stats) -> str:
    messages = sum(month.yours + month.theirs for month in stats.months)
    if not stats.months:
        return "no messages"
    first, last = stats.months[0].month, stats.months[-1].month
    when = _month(first, year=True) if first == last else f"{_month(first, year=True)} to {_month(last, year=True)}"
    return f"{messages:,} messages, {stats.style.replies:,} replies of yours in {len(stats.dialogs):,} dialogs, {when}"


def _draw_months(axes: Axes, months: Sequence[Month]) -> None:
    axes.set_title("Messages per month")
    if not months:
        return _say(axes, "There are none.")
    places = range(len(months))
    yours, theirs = [month.yours for month in months], [month.theirs for month in months]
    axes.bar(places, yours, color=_YOURS, label=f"yours ({sum(yours):,})")
    axes.bar(places, theirs, bottom=yours, color=_THEIRS, label=f"theirs ({sum(theirs):,})")
    every = next(step for step in (1, 2, 3, 6, 12, 24, 60, 120, 600) if len(months) <= 13 * step)
    ticks = [n for n in places if (int(months[n].month[-2:]) - 1) % min(every, 12) == 0 or every == 1]
    ticks = ticks[:: max(1, every // 12)]
    axes.set_xticks(
        ticks, [_month(months[n].month, year=n == ticks[0] or months[n].month.endswith("-01")) for n in ticks]
    )
    axes.set_xlim(-0.6, max(len(months), 6) - 0.4)
    axes.set_ylabel("messages")
    _plain_counts(axes)
    axes.grid(False, axis="x")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.1)


def _draw_lengths(axes: Axes, lengths: Counter[int]) -> None:
    axes.set_title("How long your replies are")
    total = lengths.total()
    if not total:
        return _say(axes, "There are none.")
    edges = [*_LENGTHS, max(_LENGTHS[-1] + 1, max(lengths) + 1)]
    counts = [sum(lengths[n] for n in range(low, high)) for low, high in pairwise(edges)]
    used = [n for n, count in enumerate(counts) if count]
    shown = slice(used[0], used[-1] + 1)
    low, high = edges[:-1][shown], edges[1:][shown]
    high = [*high[:-1], min(high[-1], int(low[-1] * 1.5) + 1)]
    heights = [100 * count / total for count in counts[shown]]
    widths = [above - below for below, above in zip(low, high, strict=True)]
    axes.bar(low, heights, widths, align="edge", color=_YOURS, edgecolor="white", linewidth=0.6)
    axes.set_xscale("log")
    ticks = [n for n in (1, 3, 10, 30, 100, 300, 1000) if low[0] <= n <= high[-1]]
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.minorticks_off()
    middle = summary(lengths).median
    axes.axvline(middle, color=INK, linewidth=1, linestyle="--")
    axes.set_xlabel(f"characters, all bubbles together; dashed: the median, {middle:g}")
    axes.set_ylabel(f"% of {total:,} replies")
    axes.grid(False, axis="x")


def _draw_bubbles(axes: Axes, bubbles: Counter[int]) -> None:
    axes.set_title("Bubbles per reply")
    total = bubbles.total()
    if not total:
        return _say(axes, "There are none.")
    most = min(_MOST_BUBBLES, max(bubbles))
    heights = [100 * bubbles[n] / total for n in range(1, most)]
    heights.append(100 * sum(count for n, count in bubbles.items() if n >= most) / total)
    names = [str(n) for n in range(1, most)] + [f"{most}+" if max(bubbles) > most else str(most)]
    bars = axes.bar(range(most), heights, color=_YOURS)
    axes.set_xticks(range(most), names)
    axes.bar_label(bars, [percent(height / 100) if height else "" for height in heights], fontsize=7, padding=1)
    axes.set_xlabel("bubbles")
    axes.set_ylabel(f"% of {total:,} replies")
    axes.set_xlim(-0.7, max(most, 4) - 0.3)
    axes.margins(y=0.12)
    axes.grid(False, axis="x")


def _draw_latency(axes: Axes, timing: Timing | None) -> None:
    axes.set_title("How long you take to answer")
    answers = [spread.count for spread in timing.latency] if timing else []
    if timing is None or not any(answers):
        return _say(axes, "Not known: it was not saved with this dataset,\nor there were no answers.")
    axes.set_xlabel(
        f"hour of the message to you ({timing.timezone})\ndot: median, bars: half and 80% of {sum(answers):,} answers"
    )
    hours = [hour for hour, count in enumerate(answers) if count]
    low, below, middle, above, high = (
        [max(0.5, timing.latency[hour].seconds[LEVELS.index(level)]) for hour in hours]
        for level in (0.1, 0.25, 0.5, 0.75, 0.9)
    )
    axes.vlines(hours, low, high, color=_YOURS, linewidth=1)
    axes.vlines(hours, below, above, color=_YOURS, linewidth=5, alpha=0.4)
    axes.plot(hours, middle, color=_YOURS, marker="o", markersize=3.5, linestyle="none")
    axes.set_yscale("log")
    axes.minorticks_off()
    bottom, top = axes.get_ylim()
    ticks = [tick for tick in _TICKS if bottom <= tick <= top]
    axes.set_yticks(ticks, [duration(tick) for tick in ticks])
    axes.set_xlim(-0.7, 23.7)
    axes.set_xticks(range(0, 24, 3))


def _draw_languages(axes: Axes, languages: dict[str, dict[str, float]]) -> None:
    axes.set_title("Languages")
    yours, theirs = languages["yours"], languages["theirs"]
    codes = by_share(languages)[:_LANGUAGES]
    if not codes:
        return _say(axes, "There are none.")
    for off, shares, colour, whose in ((-0.2, yours, _YOURS, "yours"), (0.2, theirs, _THEIRS, "theirs")):
        widths = [100 * shares.get(code, 0) for code in codes]
        bars = axes.barh([n + off for n in range(len(codes))], widths, 0.38, color=colour, label=whose)
        axes.bar_label(bars, [percent(width / 100) for width in widths], fontsize=7, padding=2)
    axes.set_yticks(range(len(codes)), [name_of(code) for code in codes])
    axes.set_ylim(max(len(codes), 4) - 0.4, -0.6)
    axes.set_xlabel("% of messages")
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 25))
    axes.grid(False, axis="y")
    axes.legend(loc="lower right")


def _draw_dialogs(axes: Axes, dialogs: Sequence[DialogShare], can_draw: Callable[[str], bool]) -> None:
    axes.set_title("Replies of yours by dialog")
    total = sum(dialog.replies for dialog in dialogs)
    if not total:
        return _say(axes, "There are none.")
    first, rest = ordered(tuple(dialogs), _DIALOGS)
    drawn = [_name(dialog, number, can_draw) for number, dialog in enumerate(first, start=1)]
    names = [name or f"dialog {number}" for number, name in enumerate(drawn, start=1)]
    replies = [dialog.replies for dialog in first]
    if rest:
        names.append(f"{len(rest):,} more")
        replies.append(sum(dialog.replies for dialog in rest))
    colours = [_YOURS] * len(first) + [_REST] * bool(rest)
    bars = axes.barh(range(len(names)), replies, color=colours)
    axes.bar_label(bars, [f"{count:,} ({percent(count, total)})" for count in replies], fontsize=7, padding=3)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 5) - 0.4, -0.6)
    axes.margins(x=0.12)
    note = "; names that no font here can write are numbered" if None in drawn else ""
    axes.set_xlabel("replies that are learned from or held out" + note)
    _plain_counts(axes, axis="x")
    axes.grid(False, axis="y")


def _name(dialog: DialogShare, number: int, can_draw: Callable[[str], bool]) -> str | None:
    """What a dialog is called, without emoji that no font here has; None when they are letters."""
    name = "".join(sign for sign in called(dialog, number) if can_draw(sign) or unicodedata.category(sign)[0] in "LMN")
    name = " ".join(name.split())
    if not name or not all(map(can_draw, name)):
        return None
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1].rstrip() + "…"


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="#777777")
    axes.set_xticks([])
    axes.set_yticks([])


def _plain_counts(axes: Axes, axis: str = "y") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    along = axes.yaxis if axis == "y" else axes.xaxis
    along.set_major_locator(MaxNLocator(nbins=6, integer=True))
    along.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _month(month: str, *, year: bool) -> str:
    name = _MONTHS[int(month[-2:]) - 1]
    return f"{name} {month[:-3]}" if year else name


def _save(figure: Figure, path: Path) -> None:
    """Whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        figure.savefig(partial, format="png")
        partial.replace(path)
    except OSError as error:
        raise DatasetError(
            f"The picture cannot be written to {path} ({error.strerror})", "give it a path in a folder of yours"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)

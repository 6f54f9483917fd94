"""The live view of a training in a terminal: how far it is, its loss as a line, what it came to on held-out replies.

Knows nothing of training: progress comes in. Where there is no terminal it writes a line now and then.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from training.progress import Progress

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 40
_PLAIN_SECONDS = 15.0

Say = Callable[[str], None]
Show = Callable[["Progress"], None]


@contextmanager
def live(console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[tuple[Say, Show]]:
    """Show a training on stderr while the context lasts.

    Yields:
        what to call with the name of what is being done, and what to call with progress after every step.
    """
    console = console or Console(stderr=True)
    view = View()
    if not console.is_terminal:
        yield _plain(console, view, clock)
        return
    with Live(view, console=console, refresh_per_second=4, transient=False) as shown:

        def say(text: str) -> None:
            view.doing = text
            shown.refresh()

        def show(progress: Progress) -> None:
            view.add(progress)

        yield say, show
        view.doing = ""


def _plain(console: Console, view: View, clock: Callable[[], float]) -> tuple[Say, Show]:
    last = -_PLAIN_SECONDS

    def say(text: str) -> None:
        console.print(text, markup=False)

    def show(progress: Progress) -> None:
        nonlocal last
        view.add(progress)
        if clock() - last >= _PLAIN_SECONDS:
            last = clock()
            console.print(f"Training: {note(progress)}", markup=False, soft_wrap=True)

    return say, show


class View:
    """What is drawn, and what it remembers of the run.

    Attributes:
        doing: what is being done just now; empty when it is over.
    """

    def __init__(self) -> None:
        self.doing = "Preparing"
        self._losses: list[float] = []
        self._now: Progress | None = None
        self._spinner = Spinner("dots")

    def add(self, progress: Progress) -> None:
        """Take in a step; a run that starts again starts a new line."""
        if self._now is not None and progress.step <= self._now.step:
            self._losses.clear()
        self._losses.append(progress.loss)
        self._now = progress
        self.doing = "Training"

    def __rich__(self) -> RenderableType:
        """See rich."""
        at = self._now
        self._spinner.update(text=Text(f" {self.doing}"))
        head: RenderableType = self._spinner if self.doing else Text("")
        if at is None:
            return head
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column()
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=max(1, at.steps), completed=at.step, width=_WIDTH),
            f"step {at.step:,} of {at.steps:,}, {duration(at.seconds_left)} left",
        )
        grid.add_row("", bar)
        line = Table.grid(padding=(0, 1))
        line.add_row(Text(spark(self._losses, _WIDTH), style="cyan"), f"{at.loss:.3f} nats a token")
        grid.add_row("loss", line)
        grid.add_row("held-out", held_out(at))
        grid.add_row("speed", speed(at))
        return Group(head, grid) if self.doing else grid


def note(at: Progress) -> str:
    """A step in one line, for logs."""
    return (
        f"step {at.step}/{at.steps} · loss {at.loss:.2f} · held-out {at.held_out.bits_per_character:.3f}"
        f" (base {at.base.bits_per_character:.3f}) bits/char · {at.tokens_per_second:.0f} tokens/s"
        f" · {duration(at.seconds_left)} left"
    )


def held_out(at: Progress) -> str:
    """What it came to on later replies, beside the base model."""
    base = at.base.bits_per_character
    if at.held_out == at.base:
        return f"{base:.3f} bits a character for the base model"
    found = at.held_out.bits_per_character
    return f"{found:.3f} bits a character, {found / base - 1:+.1%} against the base model's {base:.3f}"


def speed(at: Progress) -> str:
    """Tokens, the rate of learning, the size of gradients, and the most memory it took so far."""
    parts = [f"{at.tokens_per_second:,.0f} tokens/s", f"{at.point.tokens:,} tokens"]
    parts += [f"rate {at.point.rate:.1e}", f"gradient {at.point.gradient_norm:.2f}"]
    if (peak := peak_gib()) is not None:
        parts.append(f"{peak:.1f} GiB at most")
    return " · ".join(parts)


def peak_gib() -> float | None:
    """The most memory this process had at a time: of the GPU where torch uses one, else resident; None on Windows."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**30
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def spark(values: list[float], width: int) -> str:
    """Numbers as a line of blocks, at most `width`: each the mean of as many neighbours as it takes."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [place * len(values) // count for place in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    span = high - low or 1.0
    return "".join(_BLOCKS[round((mean - low) / span * (len(_BLOCKS) - 1))] for mean in means)


def duration(seconds: float) -> str:
    """Hours only where there are any: "1:02:03", "2:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

"""What somebody at a terminal sees of live ingest while it runs: bars, countdowns, questions; all of it on stderr.

Knows nothing of Telegram. Where there is no terminal, it logs a line for what takes long, without names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from ingest.telegram_patience import duration
from ingest.telegram_pull import Pulled
from ingest.telegram_rows import Counts
from twin.console import printable

log = logging.getLogger(__name__)
_TICK = 1.0


class Display:
    """Shows on a terminal, logs elsewhere.

    Args:
        console: where to; stderr by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        self._read: dict[int, int] = {}
        self._told = 0

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks."""
        return self._console.is_terminal

    def say(self, text: str) -> None:
        """A line or several."""
        click.echo(text, err=True)

    def ask(self, question: str, *, hidden: bool = False) -> str:
        """See `ingest.telegram_login.Terminal.ask`."""
        return str(click.prompt(question, hide_input=hidden, err=True, prompt_suffix=": ")).strip()

    def confirm(self, question: str) -> bool:
        """Yes or no; yes if they just press Enter."""
        return click.confirm(question, default=True, err=True)

    @contextmanager
    def busy(self, what: str, total: int | None = None) -> Iterator[None]:
        """Show that something goes on, with a bar if it is known how much there is to do."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(
            *(columns if total is not None else columns[:2]),
            console=self._console,
            transient=True,
            disable=not self.is_terminal,
        ) as bars:
            self._bars, self._task = bars, bars.add_task(what, total=total)
            try:
                yield
            finally:
                self._bars = self._task = None

    def advance(self, what: str) -> None:
        """One more of those that `busy` counts."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=1, description=what)

    def describe(self, what: str) -> None:
        """Say what goes on just now."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, description=what)

    def on_page(self, pulled: Pulled) -> None:
        """A page came in."""
        if self._bars is None or self._task is None:
            return
        fresh = pulled.read - self._read.get(pulled.dialog.chat_id, 0)
        self._read[pulled.dialog.chat_id] = pulled.read
        name = printable(pulled.dialog.name or "") or f"deleted account {pulled.dialog.chat_id}"
        self._bars.update(self._task, advance=fresh, description=f"{name}: {pulled.read:,} of {pulled.total:,}")

    def on_round(self, counts: Iterable[Counts]) -> None:
        """Something may have come in while following."""
        total = Counts()
        for one in counts:
            total += one
        if total.changed == self._told:
            return
        self._told = total.changed
        told = f"{total.added:,} new, {total.updated:,} edited, {total.deleted:,} deleted"
        self.describe(f"Following: {told} so far; Ctrl-C ends it")
        if not self.is_terminal:
            log.info("Following: %s so far", told)

    async def wait(self, seconds: float, why: str) -> None:
        """Sit something out, with a countdown."""
        if not self.is_terminal:
            if seconds > 1:
                log.info("%s: going on in %s", why, duration(seconds))
            await asyncio.sleep(seconds)
            return
        if self._bars is None:
            with self.busy(why):
                await self._count_down(seconds, why)
        else:
            before = self._bars.tasks[0].description
            await self._count_down(seconds, why)
            self.describe(before)

    async def _count_down(self, seconds: float, why: str) -> None:
        left = seconds
        while left > 0:
            self.describe(f"{why}: going on in {int(left) // 60}:{int(left) % 60:02d}")
            await asyncio.sleep(min(_TICK, left))
            left -= _TICK

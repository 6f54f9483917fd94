"""A run of live ingest once the account is open: choose the dialogs, ask, pull, and follow if that is wanted.

Knows nothing of the command line or of Telethon; whom to ask and what to show is passed in.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.telegram_account import Account, NoTakeout, Person, RemoteDialog
from ingest.telegram_choice import Choice, Wishes, choose
from ingest.telegram_display import Display
from ingest.telegram_follow import Following, Rhythm
from ingest.telegram_pull import Pull
from ingest.telegram_report import LiveReport, print_choice
from ingest.telegram_rows import Rows
from twin.errors import AccountError
from twin.store import Store, Written

SOURCE = "telegram"
_WHAT_COMES = """\
What was written comes in, with its formatting and reactions; of pictures, files
and voice only that they were there. To leave a dialog out, say no and use
--exclude NAME, or `exclude` under [ingest] in twin.toml if it shall stay out.
"""
_EXPORT = """\
Asking Telegram for an export of your own data (a takeout), which it gives out
faster. It may tell your other devices so.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the owner asked for; see the options of `twin ingest telegram`.

    Attributes:
        takeout: None for where it helps, which is the first pull.
        is_interactive: whether somebody can be asked.
    """

    wishes: Wishes
    rescan_days: float = 2.0
    takeout: bool | None = None
    follow: bool = False
    yes: bool = False
    is_interactive: bool = False


class Live:
    """One run over one account.

    Args:
        owner: whose account it is.
        on_report: told the account of what came in: when everything is caught up with, and once more at the end of a
            run that follows.
    """

    def __init__(
        self,
        account: Account,
        owner: Person,
        store: Store,
        options: Options,
        display: Display,
        on_report: Callable[[LiveReport], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        rhythm: Rhythm | None = None,
    ) -> None:
        since = clock() - timedelta(days=options.rescan_days)
        self._account = account
        self._owner = owner
        self._store = store
        self._options = options
        self._display = display
        self._on_report = on_report
        self._rhythm = rhythm
        self._rows = Rows(store, owner.id, since, clock)
        self._pull = Pull(account, self._rows, since, display.on_page)
        self._total: int | None = None
        self.was_stopped = False

    def run(self, runner: asyncio.Runner) -> None:
        """All of it, until it is done or stopped.

        Raises:
            AccountError, StoreError: it broke off; what came in is kept.
        """
        with self._display.busy("Reading the list of your chats"):
            choice: Choice = runner.run(self._choose())
        is_first = not self._has_been_through()
        if is_first and choice.dialogs and not self._is_agreed(runner, choice):
            self._display.say("Nothing was brought in.")
            return
        wanted = is_first if self._options.takeout is None else self._options.takeout
        try:
            self._read(runner, choice, takeout=wanted and bool(choice.dialogs))
        finally:
            if self._pull.pulled:  # it was stopped, or broke off
                self._on_report(self._account_of(choice, is_whole=False))

    def _read(self, runner: asyncio.Runner, choice: Choice, *, takeout: bool) -> None:
        try:
            self._until_stopped(runner, self._work(choice, takeout=takeout))
        except NoTakeout as refusal:
            self._go_on_without(refusal)
            self._until_stopped(runner, self._work(choice, takeout=False))

    async def _choose(self) -> Choice:
        excluded = self._store.dialog_table.excluded()
        return choose(await self._account.dialogs(), self._options.wishes, excluded)

    def _has_been_through(self) -> bool:
        """Whether a run over the live account came to its end before."""
        return bool(self._store.db.execute("select 1 from ingest_runs where source = ?", [SOURCE]).fetchone())

    def _is_agreed(self, runner: asyncio.Runner, choice: Choice) -> bool:
        """Whether the owner wants these: says --yes, says so now, or said so before a first pull that was cut short."""
        if self._options.yes or self._rows.cursors.owner() is not None:
            return True
        if not self._options.is_interactive:
            raise AccountError(
                f"This would be the first pull, of {len(choice.dialogs):,} dialogs",
                "look at the list in a terminal with `twin ingest telegram`, or agree with --yes",
            )
        with self._display.busy("Counting", total=len(choice.dialogs)):
            totals = runner.run(self._count(choice.dialogs))
        print_choice(choice.dialogs, totals, choice.left_out)
        self._total = sum(totals.values())
        self._display.say(_WHAT_COMES)
        return self._display.confirm("Bring these in?")

    async def _count(self, dialogs: Sequence[RemoteDialog]) -> dict[int, int]:
        totals = {}
        for dialog in dialogs:
            totals[dialog.chat_id] = await self._account.total(dialog)
            self._display.advance("Counting")
        return totals

    def _go_on_without(self, refusal: NoTakeout) -> None:
        """Raises the refusal if the owner would rather wait."""
        is_asked = self._options.is_interactive and not self._options.yes
        if self._options.takeout and not is_asked:
            raise refusal
        self._display.say(f"{refusal.problem}.")
        if is_asked:
            self._display.say("Everything comes in without it too; Telegram may just ask to wait now and then.")
            if not self._display.confirm("Go on now, without it?"):
                raise refusal
        else:
            self._display.say("Going on without it.")

    async def _work(self, choice: Choice, *, takeout: bool) -> None:
        async with self._account.listening() as hints:
            if takeout:
                self._display.say(_EXPORT)
            with self._display.busy("Reading", total=self._total):
                await self._pull.run(choice.dialogs, takeout=takeout)
            self._report(choice, by_takeout=takeout)
            if self._options.follow:
                await self._follow(hints, choice)

    async def _follow(self, hints: asyncio.Queue[Any], choice: Choice) -> None:
        async def chosen() -> Sequence[RemoteDialog]:
            return (await self._choose()).dialogs

        self._account.be_patient()
        following = Following(self._account, self._pull, self._rows, chosen, self._tell_round, self._rhythm)
        with self._display.busy("Following; Ctrl-C ends it"):
            try:
                await following.run(hints, choice.dialogs)
            finally:
                if any(pulled.counts.changed for pulled in self._pull.pulled.values()):
                    self._report(choice)
                self._pull.pulled = {}

    def _tell_round(self) -> None:
        self._display.on_round(pulled.counts for pulled in self._pull.pulled.values())

    def _report(self, choice: Choice, *, by_takeout: bool = False) -> None:
        """Record what came in since the last report, and tell it."""
        report = self._account_of(choice, by_takeout=by_takeout)
        self._pull.pulled = {}
        counts = report.counts
        written = Written(counts.added, counts.updated + counts.deleted, counts.unchanged)
        self._store.record_ingest(SOURCE, self._owner.id, written, counts.skipped)
        self._on_report(report)

    def _account_of(self, choice: Choice, *, is_whole: bool = True, by_takeout: bool = False) -> LiveReport:
        pulled = tuple(self._pull.pulled.values())
        return LiveReport(self._owner, pulled, choice.left_out, was_stopped=not is_whole, by_takeout=by_takeout)

    def _until_stopped(self, runner: asyncio.Runner, work: Coroutine[Any, Any, None]) -> None:
        async def watch() -> None:
            task = asyncio.ensure_future(work)

            def stop() -> None:
                self.was_stopped = True
                task.cancel()

            with _on_signals(stop):
                try:
                    await task
                except asyncio.CancelledError:
                    if not self.was_stopped:
                        raise

        runner.run(watch())


@contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal call it; a signal that is ignored (nohup) stays ignored."""
    loop = asyncio.get_running_loop()
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)

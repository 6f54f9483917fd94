"""`twin ingest telegram` and `twin ingest logout`: the live account.

Knows nothing of how it is read; prints names and counts, never what was said. Telethon is imported when it is needed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import click

from ingest.lock import Busy, alone
from ingest.telegram_choice import Wishes
from ingest.telegram_display import Display
from ingest.telegram_live import Live, Options
from ingest.telegram_opening import opened, refuse_another
from ingest.telegram_report import LiveReport, print_report
from ingest.telegram_secrets import SESSION_FILE, forget_session, stored_session
from twin import search_index
from twin.console import echo_json, is_interactive
from twin.errors import AccountError, TwinError
from twin.jobs import JobQueue
from twin.settings import SESSION_VARIABLE, Settings, load_settings
from twin.store import Store

_STOPPED = 130


@click.command("telegram")
@click.option("--only", multiple=True, metavar="WHO", help="Only this dialog: name, username or id. Repeatable.")
@click.option("--exclude", multiple=True, metavar="WHO", help="Not this dialog: name, username or id. Repeatable.")
@click.option("--saved-messages", is_flag=True, help="Your notes to yourself too.")
@click.option(
    "--rescan-days", type=click.FloatRange(min=0), help="How far back to look again for edits and deletions; usually 2."
)
@click.option(
    "--takeout/--no-takeout", default=None, help="Read as an export of your data, or not; usually on the first pull."
)
@click.option("--follow", is_flag=True, help="Keep running, and bring in what happens within seconds.")
@click.option("--qr", is_flag=True, help="Log in by scanning a code with your phone.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.option("--job", "job_id", type=int, hidden=True, help="Report to this row of the job queue.")
def telegram(
    only: tuple[str, ...],
    exclude: tuple[str, ...],
    saved_messages: bool,
    rescan_days: float | None,
    takeout: bool | None,
    follow: bool,
    qr: bool,
    yes: bool,
    as_json: bool,
    job_id: int | None,
) -> None:
    """Bring in your private dialogs from Telegram itself: what is new since the last time, or everything.

    The first run asks for what Telegram wants to know, shows what it would bring in, and asks. It may be stopped at
    any moment, by Ctrl-C or otherwise; the next run goes on where it was.
    """
    settings = load_settings()
    options = Options(
        wishes=Wishes(only, exclude, settings.ingest.only, settings.ingest.exclude, saved_messages),
        rescan_days=settings.ingest.rescan_days if rescan_days is None else rescan_days,
        takeout=takeout,
        follow=follow,
        yes=yes,
        is_interactive=is_interactive() and job_id is None,
    )
    tell: Callable[[LiveReport], None] = _print_json if as_json else print_report
    with Store.of(settings) as store:
        if job_id is not None:
            code = _run_job(settings, store, options, job_id)
        else:
            with alone(settings.home):
                code = _run(settings, store, options, tell, qr=qr)
    click.get_current_context().exit(code)


def _run(
    settings: Settings, store: Store, options: Options, tell: Callable[[LiveReport], None], *, qr: bool = False
) -> int:
    display = Display()
    with (
        asyncio.Runner() as runner,
        opened(runner, settings, display, is_interactive=options.is_interactive, qr=qr) as account,
    ):
        owner = runner.run(account.me())
        refuse_another(store, settings, owner)
        live = Live(account, owner, store, options, display, tell)
        live.run(runner)
    search_index.catch_up(store)
    return _STOPPED if live.was_stopped and not options.follow else 0


def _run_job(settings: Settings, store: Store, options: Options, job_id: int) -> int:
    """The same for the worker: the job gets its end, unless the worker stops us and puts it back into the queue."""
    queue, reports = JobQueue(store.db), list[LiveReport]()
    try:
        with alone(settings.home):
            code = _run(settings, store, options, reports.append)
    except Busy as busy:  # whoever holds the lock does the work
        queue.finish(job_id, time.time(), result={"note": busy.problem})
        return 0
    except TwinError as error:
        queue.finish(job_id, time.time(), error=str(error))
        raise
    if code == 0:
        queue.finish(job_id, time.time(), result=reports[-1].summary() if reports else {})
    return code


def _print_json(report: LiveReport) -> None:
    echo_json(report.as_json())


@click.command("logout")
def logout() -> None:
    """End the session with Telegram and forget it; what was brought in stays."""
    settings = load_settings()
    if stored_session(settings) is None:
        click.echo("Nobody is logged in to Telegram here.")
        return
    with alone(settings.home):
        try:
            _end(settings)
        except AccountError as error:
            raise AccountError(
                f"Telegram could not be told to end the session ({error.problem})",
                f"run this again later, or end it in a Telegram app (Settings > Devices > twin) and delete"
                f" {settings.home / SESSION_FILE}",
            ) from error
        there = forget_session(settings.home)
    click.echo("Logged out: the session is ended, and its file deleted. What was brought in stays.")
    if not there:
        click.echo(f"It stood in {SESSION_VARIABLE} or among the credentials: remove it there.")


def _end(settings: Settings) -> None:
    from ingest.telegram_account import SessionGone
    from ingest.telethon_login import TelethonLogin

    with asyncio.Runner() as runner, opened(runner, settings, Display(), is_interactive=False) as account:
        try:
            runner.run(account.me())
        except SessionGone:
            return
        runner.run(TelethonLogin(account).end())

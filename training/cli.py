"""The verb `train`; `dataset` and `eval` have rooms of their own.

Knows only how to ask and how to show; torch is imported when a verb needs it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

import training.recipes.cli
import training.stats_cli  # noqa: F401 - registers itself with the group `dataset`, as every module listed here
from training.dataset_cli import dataset as dataset
from training.dataset_cli import progress
from training.launch import processes_here, start
from training.live import live
from twin.console import echo_json
from twin.errors import TwinError
from twin.jobs import JobQueue
from twin.processes import StopRequest
from twin.registry import Registry
from twin.settings import Settings, load_settings
from twin.store import Store

if TYPE_CHECKING:
    from training.progress import Progress as TrainProgress
    from training.ranks import Ranks
    from training.run import Trained

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


@click.command()
@click.option("--max-seconds", type=click.FloatRange(min=10), help="End within about this time, whatever is learned.")
@click.option("--fresh", is_flag=True, help="Start anew, even if a training was broken off and could go on.")
@click.option("--force", is_flag=True, help="Let it serve in any case, whatever the gate says of it.")
@click.option("--job", "job_id", type=int, hidden=True, help="Report to this row of the job queue.")
@click.option("--part-of", type=click.Path(path_type=Path), hidden=True, help="Be one process of several.")
@_JSON
def train(
    max_seconds: float | None, fresh: bool, force: bool, job_id: int | None, part_of: Path | None, as_json: bool
) -> None:
    """Fine-tune an adapter on your replies, publish it, and let it serve if it proves itself.

    It proves itself on conversations later than everything it learned from, beside the base model and the adapter that
    serves: loss, how much it sounds like you, what it copies, what it lets out.

    A training that was broken off, by Ctrl-C or by a crash, goes on where it was.
    """
    settings = load_settings()
    if max_seconds is not None:
        settings = settings.model_copy(update={"train": settings.train.model_copy(update={"max_seconds": max_seconds})})
    if part_of is not None:
        _take_part(settings, part_of, job_id, fresh=fresh, force=force, as_json=as_json)
    elif (here := processes_here(settings.train)) * settings.train.machines > 1:
        arguments = [*(["--max-seconds", str(max_seconds)] if max_seconds is not None else []), *["--fresh"] * fresh]
        arguments += [*["--force"] * force, *["--json"] * as_json]
        _train_in_several(settings, here, arguments, job_id)
    else:
        _train_here(settings, job_id, fresh=fresh, force=force, as_json=as_json)


def _train_in_several(settings: Settings, here: int, arguments: list[str], job_id: int | None) -> None:
    """The front of several processes, which are given our arguments."""
    if job_id is not None:
        arguments = [*arguments, "--job", str(job_id)]
    with StopRequest().on_signals() as stop:
        try:
            code = start(settings, here, arguments, stop)
        except TwinError as error:
            if job_id is not None and not stop.requested:
                with Store.of(settings) as store:
                    JobQueue(store.db).finish(job_id, time.time(), error=str(error))
            raise
    raise SystemExit(code)


def _take_part(
    settings: Settings, folder: Path, job_id: int | None, *, fresh: bool, force: bool, as_json: bool
) -> None:
    """One process of several: the first does what it would do alone, the others follow."""
    from torch.cuda import is_available

    from training.following import follow, part_of, too_little

    with part_of(folder, cpu=not is_available()) as ranks:
        if not ranks.is_first:
            follow(settings, ranks)
            return
        if note := too_little(settings, ranks.count):
            click.echo(note, err=True)
        _train_here(settings, job_id, fresh=fresh, force=force, as_json=as_json, ranks=ranks)


def _train_here(
    settings: Settings, job_id: int | None, *, fresh: bool, force: bool, as_json: bool, ranks: Ranks | None = None
) -> None:
    """Train in this process, the first of several if it is given ranks; show what it came to."""
    with Store.of(settings) as store:
        queue = JobQueue(store.db)
        try:
            trained = _train(settings, store, queue, job_id, ranks, fresh=fresh, force=force, quiet=as_json)
        except TwinError as error:
            if job_id is not None and ranks is None and not _STOP.is_set():
                queue.finish(job_id, time.time(), error=str(error))
            raise
        summary = _summary(trained)
        if job_id is not None and not trained.interrupted:
            queue.finish(job_id, time.time(), result=summary)
    if as_json:
        echo_json(summary)
    else:
        _show_trained(trained)
    if trained.interrupted:
        raise SystemExit(130)


_STOP = threading.Event()


def _train(
    settings: Settings,
    store: Store,
    queue: JobQueue,
    job_id: int | None,
    ranks: Ranks | None,
    *,
    fresh: bool,
    force: bool,
    quiet: bool,
) -> Trained:
    from training.dataset import build
    from twin.overhearing import overhear

    with progress() if not quiet and job_id is None else nullcontext(lambda _what, _share: None) as on_build:
        snapshot = build(store, settings, on_progress=on_build)
        on_build("Noting what only others wrote", 1.0)
        overhear(store.db, settings.home)  # no adapter serves that learned from more than the guard of replies knows
    if not snapshot.account.scrub:
        click.secho("Secrets are NOT taken out: privacy.scrub is false.", err=True, fg="red", bold=True)
    silent = nullcontext(((lambda _: None), (lambda _: None)))
    with _stoppable(_STOP), silent if quiet or job_id is not None else live() as (say, show):
        say("Importing torch, transformers and peft")
        from training.identity import begun_with
        from training.run import train as run

        if not fresh:
            newest, snapshot = snapshot, begun_with(settings, snapshot, time.time())
            if snapshot.fingerprint != newest.fingerprint:
                say("Going on with the messages of the training that was broken off; newer ones are learned next time")

        def on_progress(progress: TrainProgress) -> None:
            show(progress)
            if job_id is not None:
                queue.report(job_id, progress.as_dict())

        registry = Registry(settings.adapters, store.db)
        return run(
            settings,
            snapshot,
            registry,
            say=say,
            on_progress=on_progress,
            stop=_STOP,
            keep_interrupted=job_id is None,  # a job goes back into the queue and goes on
            fresh=fresh,
            force=lambda: force or (job_id is not None and bool(queue.get(job_id).options.get("force"))),
            ranks=ranks,
        )


@contextmanager
def _stoppable(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends training at the next step; a second Ctrl-C ends it at once."""

    def handle(number: int, _: Any) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGINT:
            click.echo("\nStopping after this step; Ctrl-C again ends it at once.", err=True)
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _summary(trained: Trained) -> dict[str, Any]:
    return {
        "version": trained.manifest.version,
        "promoted": trained.promoted,
        "reason": trained.reason,
        "interrupted": trained.interrupted,
        "dataset": trained.manifest.dataset,
        "metrics": trained.manifest.metrics,
    }


def _show_trained(trained: Trained) -> None:
    console = Console()
    if cut := trained.manifest.metrics["truncated_turns"]:
        console.print(f"{cut:,} turns are longer than dataset.context_tokens and were read in part.")
    console.print(f"Published adapter [bold]{trained.manifest.version}[/bold].")
    if trained.promoted:
        console.print(f"It serves from now on: {trained.reason}.")
    else:
        console.print(f"It does not serve: {trained.reason}.")
        console.print(f"`twin adapters promote {trained.manifest.version}` lets it serve all the same.")
    if trained.interrupted:
        console.print("`twin train` goes on where it was stopped, `twin train --fresh` starts anew.")

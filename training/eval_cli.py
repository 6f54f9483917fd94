"""`twin eval`: how much a version sounds like the person, in a table, as JSON, as a page; and twins of other makes.

Knows only how to ask and how to show; torch is imported when a model has to speak.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from twin.console import echo_json
from twin.errors import AdapterError, ModelError
from twin.evaluations import Evaluations
from twin.registry import Registry
from twin.settings import Settings, load_settings
from twin.store import Store

if TYPE_CHECKING:
    from training.fidelity.context_fit import Embed
    from training.fidelity.evaluation import Asked, Written
    from training.fidelity.report import Report
    from training.snapshot import Snapshot

_SHOWN = 5
_OUT = click.Path(path_type=Path, dir_okay=False)


@click.command("eval")
@click.argument("version", required=False)
@click.option("--quick", is_flag=True, help="100 moments instead of 400, and the base model does not speak.")
@click.option("--contexts", type=click.IntRange(min=1), help="So many moments instead.")
@click.option("--samples", type=click.IntRange(0, 20), help="Replies side by side; default: 5, with --json none.")
@click.option("--html", type=_OUT, metavar="OUT.html", help="Also write a page with plots and samples.")
@click.option("--contexts-out", type=_OUT, metavar="C.jsonl", help="Only write the moments, for another system.")
@click.option(
    "--replies", "sources", multiple=True, metavar="[NAME=]R.jsonl", help="Also measure what another system replied."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of sampling and resampling.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def evaluate(
    version: str | None,
    quick: bool,
    contexts: int | None,
    samples: int | None,
    html: Path | None,
    contexts_out: Path | None,
    sources: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Measure how much a twin sounds like you, on conversations later than all it learned from.

    Beside it stand the base model, your nearest and any past reply, somebody else and you yourself. With --replies and
    no adapter yet, only those replies and the past are measured, which needs no model.
    """
    settings = load_settings()
    from training.fidelity.evaluation import Asked

    with Store.of(settings) as store:
        registry = Registry(settings.adapters, store.db)
        asked = Asked(version or registry.current(), "quick" if quick else "full", contexts, seed=seed)
        if asked.version is None and not (sources or contexts_out):
            raise AdapterError("There is no adapter to measure yet", "run `twin train`")
        snapshot = _snapshot(settings, registry, asked.version)
        if contexts_out is not None:
            _hand_out(snapshot, asked, contexts_out)
            return
        written = _hand_in(snapshot, asked, sources)
        found = _measure(settings, registry, snapshot, asked.with_written(written))
        if found.version is not None:
            Evaluations(store.db).add(found.version, time.time(), found.kind, found.as_dict())
    if html is not None:
        from training.fidelity.page import write_page

        write_page(found, html)
    if as_json:
        echo_json(found.as_dict(samples or 0))
        return
    from training.fidelity.tables import show

    show(found, Console(), _SHOWN if samples is None else samples)
    if html is not None:
        click.echo(f"Written to {html}; it holds messages, and only you can read it.")


def _snapshot(settings: Settings, registry: Registry, version: str | None) -> Snapshot:
    """What the version learned from, so that its test part is later than all that; without one, the newest."""
    from training.snapshot import load, newest

    if version is None:
        return newest(settings.datasets)
    return load(settings.datasets, registry.verify(version).dataset)


def _hand_out(snapshot: Snapshot, asked: Asked, path: Path) -> None:
    from training.fidelity.gather import gather
    from training.fidelity.handing import write_contexts

    count = write_contexts(path, gather(snapshot, asked.count).contexts)
    click.echo(
        f"{count:,} moments written to {path}, which only you can read. Let another system answer them, a line each:"
        ' {"id": "...", "bubbles": ["...", ...]}; then `twin eval --replies` measures it.'
    )


def _hand_in(snapshot: Snapshot, asked: Asked, sources: tuple[str, ...]) -> tuple[Written, ...]:
    if not sources:
        return ()
    from training.fidelity.gather import contexts_of, gather
    from training.fidelity.handing import read_replies

    contexts, held_out = gather(snapshot, asked.count).contexts, contexts_of(snapshot, "test")
    written: list[Written] = []
    for source in sources:
        found = read_replies(source, contexts, held_out, [its.name for its in written])
        written.append(found.written)
        if found.missing:
            lacks = f"{found.written.name}: {found.missing:,} of {len(contexts):,} moments have no reply"
            click.secho(f"{lacks} and count as silence.", err=True, fg="yellow")
        if found.unasked:
            click.secho(f"{found.written.name}: {found.unasked:,} replies to other moments are left out.", err=True)
    return tuple(written)


def _measure(settings: Settings, registry: Registry, snapshot: Snapshot, asked: Asked) -> Report:
    from training.fidelity.evaluation import evaluate as run

    with _bar() as on_progress:
        on_progress("Importing torch and transformers", 0)
        embed = _encoder()
        return run(settings, registry, snapshot, asked, embed=embed, on_progress=on_progress)


def _encoder() -> Embed | None:
    """The sentence encoder; without it everything else can be measured all the same."""
    from training.fidelity.sentences import Encoder

    try:
        return Encoder.open()
    except ModelError as error:
        click.secho(f"How well replies fit is not measured. {error}", err=True, fg="yellow")
        return None


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr with the time that is left, gone when done; nothing where there is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"))
    clocks = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *clocks, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("Preparing", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)

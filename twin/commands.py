"""The verbs of the core: `twin init`, `twin adapters`, `twin jobs`.

Knows nothing of training, models or Telegram.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from twin.console import OpenGroup, echo_json
from twin.errors import AdapterError, SettingsError
from twin.evaluations import Evaluations
from twin.jobs import Job, JobQueue
from twin.quizzes import Quizzes, told_apart
from twin.registry import Manifest, Registry
from twin.secret_files import write_private
from twin.settings import default_home, default_toml, load_settings, settings_file
from twin.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

_STALE = "Stale: it learned from messages that you wanted forgotten, and cannot be promoted any more. Retrain."
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@click.command()
@click.option("--force", is_flag=True, help="Overwrite a twin.toml that is there already.")
def init(force: bool) -> None:
    """Make the home folder (only you can read it) and write a commented twin.toml into it."""
    home = default_home()
    file = settings_file(home)
    if file.exists() and not force:
        raise SettingsError(f"{file} exists already", "edit it, or overwrite it with `twin init --force`")
    try:
        for folder in (home, home / "adapters", home / "datasets"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, default_toml())
    except OSError as error:
        raise SettingsError(f"{file} cannot be written ({error.strerror})", "choose another TWIN_HOME") from error
    click.echo(
        f"Wrote {file}; every setting stands at its default.\n"
        "Next:\n"
        "  twin doctor              checks this machine and says what is missing\n"
        "  twin ingest export PATH  brings in a Telegram Desktop export (result.json)\n"
        "  twin train               makes the first adapter\n"
        "  twin up                  answers in Telegram and retrains by itself"
    )


@contextmanager
def _registry() -> Iterator[Registry]:
    settings = load_settings()
    with Store.of(settings) as store:
        yield Registry(settings.adapters, store.db)


@click.group(
    cls=OpenGroup,
    elsewhere={"merge": "inference.export_cli:merge_command", "gguf": "inference.export_cli:gguf_command"},
)
def adapters() -> None:
    """List, show, promote, roll back and take along adapters: the versions of your twin."""


@adapters.command("list")
@_JSON
def list_adapters(as_json: bool) -> None:
    """Every version, newest first; damaged ones with the reason."""
    with _registry() as registry:
        rows = [_adapter_row(registry, version) for version in reversed(registry.versions())]
    if as_json:
        echo_json(rows)
    elif not rows:
        click.echo("There is no adapter yet: `twin train` makes the first.")
    else:
        _print_adapters(rows)


@adapters.command()
@click.argument("version")
@_JSON
def show(version: str, as_json: bool) -> None:
    """Everything the manifest of one version says, and what `twin eval` found last."""
    with _registry() as registry:
        row = _adapter_row(registry, version)
        manifest = Manifest.read(registry.path(version)).as_dict()
        found = Evaluations(registry.db).latest(version)
        quizzes = Quizzes(registry.db).score(version).as_dict()
    evaluation = asdict(found) if found is not None else None
    if as_json:
        told = {name: row[name] for name in ("serves", "promoted_at", "damage", "stale")}
        echo_json(manifest | told | {"evaluation": evaluation, "quizzes": quizzes})
        return
    from rich.console import Console
    from rich.pretty import Pretty

    console = Console()
    state = row["damage"] or ("It serves." if row["serves"] else "It does not serve.")
    console.print(state, markup=False)
    if row["stale"]:
        console.print(_STALE, markup=False)
    console.print(Pretty(manifest, expand_all=True))
    if quizzes is not None:
        console.print(f"{told_apart(quizzes).capitalize()}.", markup=False)
    if evaluation is None:
        console.print(f"`twin eval {version}` measures how much it sounds like you.", markup=False)
    else:
        console.print("Measured last:", Pretty(evaluation, expand_all=True))


@adapters.command()
@click.argument("version")
@_JSON
def promote(version: str, as_json: bool) -> None:
    """Let one version serve from the next reply on."""
    with _registry() as registry:
        registry.promote(version, "by hand", time.time())
    _say_serving(version, as_json)


@adapters.command()
@_JSON
def rollback(as_json: bool) -> None:
    """Go back to the version that served before."""
    with _registry() as registry:
        version = registry.rollback(time.time())
    _say_serving(version, as_json)


@adapters.command()
@click.argument("version")
@_JSON
def withdraw(version: str, as_json: bool) -> None:
    """Let one version serve no more; what was promoted before it, if anything, serves again."""
    with _registry() as registry:
        registry.path(version)
        registry.withdraw([version], time.time())
        serving = registry.current()
    if as_json or serving:
        _say_serving(serving, as_json)
    else:
        click.echo("No adapter serves now: the bot answers nobody until one is promoted.")


def _say_serving(version: str | None, as_json: bool) -> None:
    if as_json:
        echo_json({"serves": version})
    else:
        click.echo(f"{version} serves from the next reply on.")


def _adapter_row(registry: Registry, version: str) -> dict[str, Any]:
    """What the list shows of one version; `damage` says why it cannot serve, None when it can."""
    promoted = [promotion.promoted_at for promotion in registry.history() if promotion.version == version]
    row: dict[str, Any] = {
        "version": version,
        "created_at": None,
        "serves": registry.current() == version,
        "base": None,
        "quantization": None,
        "held_out_before": None,
        "held_out_after": None,
        "promoted_at": max(promoted, default=None),
        "damage": None,
        "stale": False,
    }
    try:
        manifest = registry.verify(version)
    except AdapterError as error:
        registry.path(version)
        return row | {"damage": str(error)}
    return row | {
        "created_at": manifest.created_at,
        "stale": registry.is_stale(manifest),
        "base": manifest.base.model,
        "quantization": manifest.base.quantization,
        "held_out_before": manifest.metrics.get("val_base_bits_per_character"),
        "held_out_after": manifest.metrics.get("val_bits_per_character"),
    }


def _print_adapters(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(caption="held-out: bits per character on later conversations, base -> twin; less is better")
    table.add_column("version", no_wrap=True)
    for title in ("serves", "base", "held-out", "promoted"):
        table.add_column(title, overflow="fold")
    for row in rows:
        if row["damage"]:
            table.add_row(row["version"], "", f"[red]damaged: {_plain(row['damage'])}", "", "")
            continue
        table.add_row(
            row["version"],
            " ".join(["[green]yes"] * row["serves"] + ["[red]stale"] * row["stale"]),
            _plain(f"{row['base']} ({row['quantization']})"),
            f"{_number(row['held_out_before'])} -> {_number(row['held_out_after'])}",
            _when(row["promoted_at"]),
        )
    Console().print(table)
    if any(row["stale"] for row in rows):
        click.echo(_STALE)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@_JSON
def jobs(limit: int, as_json: bool) -> None:
    """Show the job queue, newest first: who asked for what, and how far it is."""
    with Store.of(load_settings()) as store:
        found = JobQueue(store.db).latest(limit)
    if as_json:
        echo_json([asdict(job) for job in found])
    elif not found:
        click.echo("There is no job: `/retrain` in the bot or the worker's schedule queues one.")
    else:
        _print_jobs(found)


def _print_jobs(found: list[Job]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in ("job", "kind", "state", "asked by", "asked", "ended", "progress"):
        table.add_column(title, overflow="fold")
    for job in found:
        how = f"[red]{_plain(job.error)}" if job.error else _plain(_outcome(job) or _progress(job.progress))
        asker = _plain(job.requested_by)
        table.add_row(str(job.id), job.kind, job.state, asker, _when(job.created_at), _when(job.finished_at), how)
    Console().print(table)


def _outcome(job: Job) -> str:
    if job.state == "done" and "added" in job.result:
        return "{added:,} new, {updated:,} edited, {deleted:,} deleted".format(**job.result)
    if job.state == "done" and "note" in job.result:
        return str(job.result["note"])
    if job.state != "done" or "version" not in job.result:
        return ""
    verdict = "serves" if job.result.get("promoted") else "does not serve"
    return f"{job.result['version']} {verdict}: {job.result.get('reason', '')}"


def _progress(progress: dict[str, Any]) -> str:
    """What a training last said of itself, in one line; the keys are `training.progress.Progress`."""
    parts = []
    if "step" in progress:
        parts.append(f"step {progress['step']}/{progress.get('steps', '?')}")
    if "loss" in progress:
        parts.append(f"loss {_number(progress['loss'])}")
    if "seconds_left" in progress:
        left = int(progress["seconds_left"])
        parts.append(f"{left // 60}:{left % 60:02d} left")
    return ", ".join(parts)


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, (int, float)) else "?"


def _when(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"


def _plain(text: Any) -> str:
    """Text that rich does not take for markup."""
    from rich.markup import escape

    return escape(str(text))

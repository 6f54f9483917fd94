"""The group `twin dataset`, with `build` and `audit`; other modules of this package add their own verbs to it.

Knows only how to ask and how to show.
"""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from training.dataset import build
from training.snapshot import Snapshot
from twin.console import echo_json
from twin.settings import load_settings
from twin.store import Store

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


@click.group()
def dataset() -> None:
    """Build and describe the training set."""


@dataset.command("build")
@_JSON
def dataset_build(as_json: bool) -> None:
    """Write an immutable snapshot of what is stored now."""
    settings = load_settings()
    with Store.of(settings) as store:
        snapshot = build(store, settings)
    show_snapshot(snapshot, as_json)


def show_snapshot(snapshot: Snapshot, as_json: bool) -> None:
    """Print what a snapshot holds and what became of everything that was stored."""
    if as_json:
        echo_json(snapshot.as_dict() | {"path": str(snapshot.folder)})
        return
    table = Table(title=f"Dataset {snapshot.fingerprint}", title_justify="left")
    table.add_column("part")
    for name in ("from", "sessions", "turns", "your replies", "your characters"):
        table.add_column(name, justify="right")
    starts = {"train": "", "val": snapshot.cuts.val_from, "test": snapshot.cuts.test_from}
    for split, counts in snapshot.counts.items():
        start = starts[split]
        table.add_row(
            split,
            f"{start:%Y-%m-%d %H:%M}" if start else "the start",
            f"{counts.sessions:,}",
            f"{counts.turns:,}",
            f"{counts.supervised_turns:,}",
            f"{counts.characters:,}",
        )
    Console().print(table)

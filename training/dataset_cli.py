"""The group `twin dataset`, with `build` and `audit`; other modules of this package add their own verbs to it.

Knows only how to ask and how to show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from training.snapshot import Snapshot
from twin.console import echo_json
from twin.settings import load_settings
from twin.store import Store

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
_LAST_ROWS = {"val": "among the last rows", "test": "the last rows"}


@click.group()
def dataset() -> None:
    """Build and describe the training set."""


@dataset.command("build")
@_JSON
def dataset_build(as_json: bool) -> None:
    """Write an immutable snapshot of what is stored now, without secrets and held-out texts."""
    from training.account_tables import show_account
    from training.dataset import build

    settings = load_settings()
    with Store.of(settings) as store, progress() as on_progress:
        snapshot = build(store, settings, on_progress=on_progress)
    show_snapshot(snapshot, as_json)
    if not as_json:
        show_account(snapshot.account, Console())


@dataset.command("audit")
@_JSON
def dataset_audit(as_json: bool) -> None:
    """Show which secrets stand in your messages, by kind and dialog, masked; renew the vault of the reply guard."""
    from training.audit import audit
    from training.audit_tables import show_audit
    from twin.privacy.vault import VAULT_FILE

    settings = load_settings()
    with Store.of(settings) as store, progress() as on_progress:
        found = audit(store, settings, on_progress=on_progress)
    vault = settings.home / VAULT_FILE
    if as_json:
        echo_json(found.as_dict() | {"vault": str(vault)})
    else:
        show_audit(found, vault, Console())


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr, gone when done; nothing where there is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("Reading messages", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)


def show_snapshot(snapshot: Snapshot, as_json: bool) -> None:
    """Print what the parts of a snapshot hold, and what must not be overlooked about it."""
    if as_json:
        echo_json(snapshot.as_dict() | {"path": str(snapshot.folder)})
        return
    from training.account_tables import warn
    from training.sets_alone import CUTS

    table = Table(title=f"Dataset {snapshot.fingerprint}", title_justify="left")
    table.add_column("part")
    for name in ("from", "sessions", "turns", "your replies", "your characters"):
        table.add_column(name, justify="right")
    starts = {"train": "", "val": snapshot.cuts.val_from, "test": snapshot.cuts.test_from}
    if snapshot.cuts == CUTS:
        starts = {"train": "", "val": "", "test": ""}
    rows = [(split, starts[split], counts) for split, counts in snapshot.counts.items()]
    rows += [(f"set {name}", "", counts) for name, counts in snapshot.account.sets.items()]
    for part, start, counts in rows:
        table.add_row(
            part,
            f"{start:%Y-%m-%d %H:%M}" if start else "the start" if part == "train" else _LAST_ROWS.get(part, ""),
            f"{counts.sessions:,}",
            f"{counts.turns:,}",
            f"{counts.supervised_turns:,}",
            f"{counts.characters:,}",
        )
    console = Console()
    console.print(table)
    warn(snapshot.account, console)

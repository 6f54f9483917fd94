"""`twin dataset stats`: what a snapshot holds, in tables, as JSON, and as a picture.

Knows nothing of how a snapshot or its numbers come about.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from training.cuts import SPLITS
from training.dataset_cli import dataset, show_snapshot
from training.snapshot import Snapshot, load, newest
from training.stats import Stats, describe
from training.stats_tables import show
from twin.console import echo_json
from twin.dialogs import Dialog
from twin.errors import DatasetError
from twin.marks import zone
from twin.settings import Settings, load_settings
from twin.store import Store
from twin.timing import Timing


@dataset.command("stats")
@click.argument("fingerprint", required=False)
@click.option("--plot", type=click.Path(path_type=Path), metavar="OUT.png", help="Also draw it all on one page.")
@click.option("--no-names", is_flag=True, help="Number the dialogs instead of naming them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def stats(fingerprint: str | None, plot: Path | None, no_names: bool, as_json: bool) -> None:
    """Describe a snapshot, by default the one built last."""
    settings = load_settings()
    if plot is not None:
        from training.plot import draw
    snapshot = load(settings.datasets, fingerprint) if fingerprint else newest(settings.datasets)
    found = _described(snapshot, settings, names=not no_names)
    if plot is not None:
        draw(found, plot, title=f"Dataset {snapshot.fingerprint}")
    if as_json:
        echo_json(snapshot.as_dict() | {"path": str(snapshot.folder)} | found.as_dict())
        return
    show_snapshot(snapshot, as_json=False)
    show(found, snapshot.account, Console())
    if plot is not None:
        click.echo(f"Drawn to {plot}")


def _described(snapshot: Snapshot, settings: Settings, *, names: bool) -> Stats:
    sessions = (session for split in SPLITS for session in snapshot.sessions(split))
    found = describe(sessions, _dialogs(settings), _timing(snapshot), zone(settings.owner.timezone))
    if names:
        return found
    return replace(found, dialogs=tuple(replace(dialog, name=None, chat_id=None) for dialog in found.dialogs))


def _dialogs(settings: Settings) -> dict[int, Dialog]:
    """What is known of the dialogs today; nothing where the database has gone."""
    if not settings.database.exists():
        return {}
    with Store.of(settings) as store:
        return {dialog.chat_id: dialog for dialog in store.dialogs()}


def _timing(snapshot: Snapshot) -> Timing | None:
    """None when it was not saved, or by another version that said it otherwise: the rest can be told all the same."""
    try:
        return Timing.from_dict(snapshot.timing) if snapshot.timing else None
    except DatasetError:
        return None

"""`twin dataset stats`: what a snapshot holds, in tables.

Knows nothing of how a snapshot comes about.
"""

from __future__ import annotations

import click

from training.dataset_cli import dataset, show_snapshot
from training.snapshot import load, newest
from twin.settings import load_settings


@dataset.command("stats")
@click.argument("fingerprint", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def stats(fingerprint: str | None, as_json: bool) -> None:
    """Describe a snapshot, by default the one built last."""
    settings = load_settings()
    show_snapshot(load(settings.datasets, fingerprint) if fingerprint else newest(settings.datasets), as_json)

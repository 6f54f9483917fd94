"""`twin ingest status`: what is stored, dialog by dialog.

Knows nothing of how it came in; prints names, counts and times, never what was said.
"""

from __future__ import annotations

import click

from ingest.tables import dialog_as_json, dialog_table, out, totals_as_json
from twin.console import echo_json
from twin.settings import load_settings
from twin.store import Store


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def status(as_json: bool) -> None:
    """Show what is stored: per dialog its messages, your share, the first and the last."""
    with Store.of(load_settings()) as store:
        dialogs = store.dialogs()
    if as_json:
        echo_json({**totals_as_json(dialogs), "dialogs": [dialog_as_json(dialog) for dialog in dialogs]})
    elif not dialogs:
        click.echo("Nothing is stored yet: bring in an export with `twin ingest export PATH`.")
    else:
        out().print(dialog_table(dialogs, "what is stored", rows=len(dialogs)))

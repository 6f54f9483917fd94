"""`twin ingest`: bring private dialogs into the database, and see what is there.

Knows nothing of how: each command lives in a room of its own, imported when it is asked for.
"""

from __future__ import annotations

import click

from twin.console import OpenGroup


@click.group(
    cls=OpenGroup,
    elsewhere={
        "export": "ingest.export_cli:export",
        "jsonl": "ingest.export_cli:jsonl",
        "status": "ingest.status_cli:status",
        "whatsapp": "ingest.export_cli:whatsapp",
        "telegram": "ingest.telegram_cli:telegram",
        "logout": "ingest.telegram_cli:logout",
    },
)
def ingest() -> None:
    """Bring your private dialogs into the database."""

"""`twin preferences`: what the owner made of suggested replies goes into a file, to learn from.

Knows nothing of how rows are made; prints counts, never what was said.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from twin.console import echo_json
from twin.errors import StoreError
from twin.secret_files import write_private
from twin.settings import load_settings
from twin.store import Store


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")
def preferences(out: Path, force: bool, as_json: bool) -> None:
    """Write to OUT what you made of suggested replies in your own chats: JSON lines that only you can read.

    Each row has the conversation ("prompt") and what was suggested ("rejected"); if you said something else, that is
    "chosen". TRL's trainers read them as they are; rows without "chosen" are suggestions that you skipped. Secrets in
    the conversation become placeholders, and a reply that holds one makes no row.
    """
    from bot.business.preferences import preferences as read

    settings = load_settings()
    if out.is_dir():
        raise StoreError(f"{out} is a folder", "name a file")
    if out.exists() and not force:
        raise StoreError(f"{out} exists already", "choose another place, or replace it with --force")
    with Store.of(settings) as store:
        found = read(store, settings)
    try:
        write_private(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found.rows))
    except OSError as error:
        raise StoreError(
            f"The preferences cannot be written to {out} ({error.strerror})", "choose another place, or free disk space"
        ) from error
    left_out = dict(sorted(found.left_out.items()))
    if as_json:
        echo_json({"rows": len(found.rows), "kept": dict(sorted(found.kept.items())), "left_out": left_out})
        return
    click.echo(
        f"{len(found.rows):,} rows are in {out}: {found.kept['edited']:,} suggestions that you edited,"
        f" {found.kept['answered']:,} that you answered yourself, {found.kept['skipped']:,} that you skipped."
    )
    if left_out:
        click.echo("Left out: " + ", ".join(f"{count:,} {reason}" for reason, count in left_out.items()) + ".")

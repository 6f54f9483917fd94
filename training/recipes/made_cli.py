"""`twin dataset identity` and `transcript`: conversations made from a profile, or from what was said aloud.

Knows only how to ask and how to show.
"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.recipes.account import Account
from training.recipes.options import FILE, JSON, WEIGHT, named, now
from training.recipes.sets import Sets, check_name
from training.recipes.shown import clean, say, show_set
from twin.console import echo_json
from twin.errors import DatasetError
from twin.settings import load_settings
from twin.store import Store


@click.command()
@named("identity")
@WEIGHT
@JSON
def identity(name: str, weight: float | None, as_json: bool) -> None:
    """Questions about you and their answers, from [owner] in twin.toml.

    name, place, occupation and about make rows where they are set; "are you a bot?" is answered by bot_policy. In the
    language you write in, if it is English, Russian or Chinese, else in English.

    \b
    Example:
      twin dataset identity --weight 2
    """
    from training.recipes.identity import identity_rows, set_fields
    from twin.language import of_owner

    settings = load_settings()
    account = Account()
    with Store.of(settings) as store:
        rows = identity_rows(settings.owner, of_owner(store.db, settings))
        for row in rows:
            account.take(row.turns)
        info = Sets(store.db).put(
            name, rows, kind="identity", now=now(), weight=weight, is_synthetic=True, source="twin.toml"
        )
    told = set_fields(settings.owner)
    show_set(info, account, as_json, {"fields": told, "bot_policy": settings.owner.bot_policy})
    if not told and not as_json:
        say("Nothing about you is set: these rows only answer “are you a bot?”. See [owner] in twin.toml.")


@click.command()
@click.argument("path", type=FILE)
@click.option("--owner", help="Which speaker you are.")
@named("transcript")
@WEIGHT
@JSON
def transcript(path: Path, owner: str | None, name: str, weight: float | None, as_json: bool) -> None:
    """A podcast or an interview in which you speak.

    PATH holds JSON turns with `from` and `text`, or lines as "Name: text", "Name (00:12): text" or
    "[00:01:02] Name: text". Without --owner, or if nobody is called so, it lists who speaks.

    \b
    Example:
      twin dataset transcript interview.txt --owner Ada
    """
    from training.recipes.transcript import choose, read_transcript, speakers, transcript_rows

    check_name(name)
    account = Account()
    lines = read_transcript(path, account)
    chosen = choose(lines, owner) if owner else None
    if chosen is None:
        _show_speakers(speakers(lines), as_json)
        raise DatasetError(
            f"{'No one speaker' if owner else 'Nobody'} was chosen as you", "name one of those listed with --owner"
        )
    with Store.of(load_settings()) as store:
        rows = list(transcript_rows(lines, chosen, account))
        info = Sets(store.db).put(name, rows, kind="transcript", now=now(), weight=weight, source=path.name)
    show_set(info, account, as_json)


def _show_speakers(found: list[tuple[str, int, int]], as_json: bool) -> None:
    if as_json:
        echo_json({"speakers": [{"name": name, "turns": runs, "characters": size} for name, runs, size in found]})
        return
    table = Table("speaker", title=f"{len(found):,} speakers", title_justify="left")
    for heading in ("turns", "characters"):
        table.add_column(heading, justify="right")
    for name, runs, size in found:
        table.add_row(Text(clean(name)), f"{runs:,}", f"{size:,}")
    Console(highlight=False, soft_wrap=True).print(table)

"""`twin forget`: asks, forgets, and says what learned from it.

Knows nothing of how; prints names and counts, never what was said.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click

from twin.console import echo_json, is_interactive, printable
from twin.dialogs import Dialog, Dialogs
from twin.errors import StoreError
from twin.forget import Forgotten, preview
from twin.forget import forget as carry_out
from twin.forget import undo as lift
from twin.moments import since as from_then
from twin.registry import Registry
from twin.settings import Settings, load_settings
from twin.store import Store

_NOUNS = {
    "messages": ("message", "messages"),
    "bot_messages": ("message between them and the bot", "messages between them and the bot"),
    "business_drafts": ("reply suggested to them", "replies suggested to them"),
    "set_rows": ("row of a set that was made of it", "rows of sets that were made of it"),
    "recipe_answers": ("answer of a teacher that was made of it", "answers of teachers that were made of it"),
}


@click.command()
@click.argument("dialog")
@click.option("--before", callback=from_then, metavar="DATE", help="Only what was sent before; default: until now.")
@click.option("--undo", is_flag=True, help="Let an ingest bring back what was forgotten of this dialog.")
@click.option("--withdraw/--keep", default=None, help="Whether an adapter that learned from it stops serving at once.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences; asks nothing.")
def forget(dialog: str, before: datetime | None, undo: bool, withdraw: bool | None, yes: bool, as_json: bool) -> None:
    """Delete what was said in DIALOG (a name, @username or id), wherever twin keeps it, for good.

    Gone are the messages and their place in the search index, the bot's conversation with that person, what was made of
    the dialog, and training sets on disk that hold some of it. No later ingest brings it back. The dialog's name stays;
    new messages come in as before (`twin dialogs exclude` stops that).

    An adapter that learned from it is stale: it cannot be promoted any more until you retrain. One that serves keeps
    serving unless you withdraw it: you are asked, or say --withdraw or --keep (the default where nobody can be asked).
    What you exported, merged or converted yourself is not touched.
    """
    settings = load_settings()
    with Store.of(settings) as store:
        found = Dialogs(store.db).find(dialog)
        if undo:
            _lift(store, found, as_json)
            return
        before = before or datetime.now(UTC).replace(microsecond=0)
        if not yes:
            _ask(preview(store, settings, found.chat_id, before), found, can_ask=is_interactive() and not as_json)
        told = carry_out(store, settings, found.chat_id, before, datetime.now(UTC))
        is_withdrawn = _withdraw(store, settings, told, withdraw, can_ask=is_interactive() and not (yes or as_json))
    if as_json:
        echo_json(_as_json(told, is_withdrawn))
    else:
        _print(told, found, is_withdrawn)


def _lift(store: Store, dialog: Dialog, as_json: bool) -> None:
    lifted = lift(store, dialog.chat_id)
    if as_json:
        echo_json({"chat_id": dialog.chat_id, "lifted": lifted})
    elif lifted:
        click.echo(f"{_name(dialog)}: the next ingest brings in whatever it finds, and adapters may serve again.")
    else:
        click.echo(f"Nothing of {_name(dialog)} was forgotten.")


def _ask(planned: Forgotten, dialog: Dialog, *, can_ask: bool) -> None:
    if not can_ask:
        raise StoreError("Nobody can be asked whether to forget this for good", "say --yes")
    click.echo(f"{_name(dialog)}, everything sent before {planned.before.astimezone():%Y-%m-%d %H:%M}:")
    for line in _counts(planned):
        click.echo(f"  {line}")
    if planned.stale:
        click.echo(f"Adapters that learned from it: {', '.join(planned.stale)}.")
    click.confirm("Forget it for good?", abort=True)


def _withdraw(store: Store, settings: Settings, told: Forgotten, wanted: bool | None, *, can_ask: bool) -> bool:
    """Those that do not serve are never fallen back to; of the one that serves, the owner decides."""
    if told.serving and wanted is None:
        wanted = can_ask and click.confirm(f"{told.serving} serves and learned from it. Withdraw it now?")
    kept = () if wanted else (told.serving,)
    Registry(settings.adapters, store.db).withdraw([v for v in told.stale if v not in kept], time.time())
    return bool(wanted and told.serving)


def _counts(told: Forgotten) -> list[str]:
    lines = [
        _number(told.rows[table], *nouns)
        for table, nouns in _NOUNS.items()
        if told.rows[table] or nouns[0] == "message"
    ]
    if told.snapshots:
        lines.append(
            _number(len(told.snapshots), "training set on disk", "training sets on disk") + " (can be built again)"
        )
    return lines


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _print(told: Forgotten, dialog: Dialog, is_withdrawn: bool) -> None:
    click.echo(f"Forgotten of {_name(dialog)}: {', '.join(_counts(told))}.")
    click.echo(f"No ingest brings them back, until `twin forget --undo {told.chat_id}` lifts that.")
    if not told.stale:
        return
    click.echo(f"Stale, as they learned from it: {', '.join(told.stale)}.")
    if is_withdrawn:
        click.echo(f"{told.serving} does not serve any more.")
    elif told.serving:
        click.secho(f"{told.serving} still serves and may repeat it: `twin adapters withdraw` stops it.", fg="red")
    click.echo("To learn anew from what is left: `twin dataset build`, then `twin train`.")


def _as_json(told: Forgotten, is_withdrawn: bool) -> dict[str, Any]:
    return {
        "chat_id": told.chat_id,
        "before": told.before.isoformat(),
        "rows": told.rows,
        "snapshots": told.snapshots,
        "stale": told.stale,
        "serving": None if is_withdrawn else told.serving,
        "withdrawn": told.serving if is_withdrawn else None,
    }


def _name(dialog: Dialog) -> str:
    return printable(dialog.name or "") or f"deleted account {dialog.chat_id}"

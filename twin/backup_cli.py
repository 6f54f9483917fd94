"""`twin backup` and `twin restore`: ask for the passphrase, show progress, say what came of it.

Knows nothing of how. A passphrase comes from a file or a terminal, never from an argument or the environment.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twin.console import echo_json, is_interactive
from twin.errors import BackupError
from twin.settings import default_home, load_settings

if TYPE_CHECKING:
    from twin.backup import BackedUp
    from twin.backup_collect import Told
    from twin.backup_restore import Restored

_FILE = click.Path(path_type=Path)
_IS_THERE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=False)
_PASSPHRASE_FILE = click.option(
    "--passphrase-file", type=_IS_THERE, metavar="PATH", help="Read the passphrase from the first line of a file."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--encrypt", is_flag=True, help="Ask for a passphrase and encrypt the backup with it.")
@_PASSPHRASE_FILE
@click.option("--without-adapters", is_flag=True, help="Leave trained adapters out; none serves once restored.")
@click.option("--with-datasets", is_flag=True, help="Training sets on disk, too; they can be built again.")
@click.option("--secrets", is_flag=True, help="The bot's token, keys and the Telegram session, too; only encrypted.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there already.")
@_JSON
def backup(
    file: Path,
    encrypt: bool,
    passphrase_file: Path | None,
    without_adapters: bool,
    with_datasets: bool,
    secrets: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write everything that your twin is into one FILE, also while it runs.

    Inside are the database, the adapters, twin.toml, and what the guard of replies knows. The file holds your messages:
    whoever has it can read them, unless you encrypt it (in age's format: `age --decrypt FILE` opens it, too). An
    encrypted database stays encrypted in it, and needs its key.
    """
    from twin.backup import back_up
    from twin.backup_collect import Wanted

    settings = load_settings()
    passphrase = _new_passphrase(passphrase_file) if encrypt or passphrase_file else None
    wanted = Wanted(adapters=not without_adapters, datasets=with_datasets, secrets=secrets)
    with _progress() as told:
        made = back_up(
            settings,
            file,
            wanted,
            passphrase=passphrase,
            may_replace=overwrite,
            now=datetime.now(UTC),
            told=told,
        )
    if as_json:
        echo_json(_made_as_json(made))
    else:
        _print_made(made, has_key="database-key" in made.manifest.files)


@click.command()
@click.argument("file", type=_IS_THERE)
@click.option("--into", type=_FILE, metavar="HOME", help="Where to; default: the home that TWIN_HOME names.")
@click.option("--replace", is_flag=True, help="Take the place of a home that is there; that one is kept beside it.")
@_PASSPHRASE_FILE
@_JSON
def restore(file: Path, into: Path | None, replace: bool, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a home of a backup FILE: all of it, checked, or nothing.

    With --replace, what you wanted forgotten since the backup was made is forgotten in the restored home, too. Without
    a home that remembers these wishes it is back: use `twin forget` again.
    """
    from twin.backup_restore import restore as carry_out

    with _progress() as told:
        restored = carry_out(
            file,
            into or default_home(),
            ask=lambda: _known_passphrase(passphrase_file),
            replace=replace,
            now=datetime.now(UTC),
            told=told,
        )
    if as_json:
        echo_json(_restored_as_json(restored))
    else:
        _print_restored(restored)


def _new_passphrase(file: Path | None) -> str:
    if file is not None:
        return _read(file)
    if not is_interactive():
        raise BackupError("Nobody can be asked for a passphrase", "say --passphrase-file")
    click.echo("Whoever loses the passphrase loses the backup: keep it elsewhere.", err=True)
    return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))


def _known_passphrase(file: Path | None) -> str:
    if file is not None:
        return _read(file)
    if not is_interactive():
        raise BackupError(
            "The backup is encrypted, and nobody can be asked for its passphrase", "say --passphrase-file"
        )
    return str(click.prompt("Passphrase", hide_input=True, err=True))


def _read(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BackupError(f"Others can read {file}", f"run `chmod 600 {file}`")
        passphrase = file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise BackupError(f"{file} cannot be read ({error.strerror})", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise BackupError(f"{file} is not UTF-8 text", "write the passphrase into it as text") from error
    if not passphrase:
        raise BackupError(f"The first line of {file} is empty", "write the passphrase there")
    return passphrase


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar on stderr, gone when done; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("Reading", total=None)
        yield lambda what, done, total: bars.update(task, description=what, completed=done, total=total)


def _print_made(made: BackedUp, *, has_key: bool) -> None:
    manifest = made.manifest
    inside = ["the database", *([_count(manifest.adapters, "adapter", "adapters")] if manifest.adapters else [])]
    inside += [_count(manifest.datasets, "training set", "training sets")] if manifest.datasets else []
    inside += ["settings"] if "twin.toml" in manifest.files else []
    click.echo(f"Wrote {made.file}, {made.bytes / 1e6:,.1f} MB: {', '.join(inside)}.")
    if manifest.serving is None:
        click.echo("No adapter serves in it.")
    if made.left_out:
        click.secho(f"Left out, as they are damaged: {', '.join(made.left_out)}.", fg="yellow")
    if made.is_encrypted:
        click.echo("It is encrypted: `age --decrypt` opens it, too. Without the passphrase nobody opens it.")
    else:
        click.secho("It is not encrypted: whoever has it can read what is in it (--encrypt changes that).", fg="yellow")
    if manifest.database_encrypted and not has_key:
        click.echo("The database in it is encrypted, and its key is not inside: keep a copy of the key elsewhere.")


def _print_restored(restored: Restored) -> None:
    manifest, when = restored.manifest, _day(restored.manifest.created_at)
    serving = f"{manifest.serving} serves" if manifest.serving else "no adapter serves"
    click.echo(f"{restored.home} is as it was on {when}; {serving}.")
    if not restored.is_proven:
        click.secho(
            "Its database is encrypted and there is no key here, so that nobody looked into it; its bytes are those of"
            " the backup. Put the key where storage.key says.",
            fg="yellow",
        )
    if restored.forgotten is None:
        sentence = f"If you wanted something forgotten after {when}, it is back: use `twin forget` again."
        click.secho(sentence, fg="yellow")
    elif restored.forgotten:
        wishes = "1 wish" if restored.forgotten == 1 else f"{restored.forgotten:,} wishes"
        click.echo(f"Forgotten again, as the backup did not know of it: {wishes} of yours.")
    if restored.stale:
        click.secho(
            f"{restored.stale} serves but learned from it: `twin adapters withdraw` stops it, then retrain.", fg="red"
        )
    if restored.secrets:
        click.echo(f"Taken over from the home that was there: {', '.join(restored.secrets)}.")
    if restored.kept:
        click.echo(f"The home that was there is {restored.kept} now: delete it when you miss nothing.")
    click.echo("Next: `twin doctor`.")


def _made_as_json(made: BackedUp) -> dict[str, Any]:
    return {
        "file": str(made.file),
        "bytes": made.bytes,
        "encrypted": made.is_encrypted,
        "left_out": made.left_out,
        **_manifest_as_json(made),
    }


def _restored_as_json(restored: Restored) -> dict[str, Any]:
    return {
        "home": str(restored.home),
        "database_checked": restored.is_proven,
        "kept": str(restored.kept) if restored.kept else None,
        "secrets_taken_over": restored.secrets,
        "forgotten_again": restored.forgotten,
        "stale": restored.stale,
        **_manifest_as_json(restored),
    }


def _manifest_as_json(result: BackedUp | Restored) -> dict[str, Any]:
    manifest = result.manifest
    return {
        "twin": manifest.twin,
        "schema": manifest.schema,
        "created_at": manifest.created_at,
        "database_encrypted": manifest.database_encrypted,
        "serving": manifest.serving,
        "adapters": manifest.adapters,
        "datasets": manifest.datasets,
        "files": len(manifest.files),
    }


def _count(things: list[str], one: str, many: str) -> str:
    return f"{len(things):,} {one if len(things) == 1 else many}"


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"

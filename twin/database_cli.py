"""`twin database`: is it encrypted, encrypt it, decrypt it.

Knows nothing of tables.
"""

from __future__ import annotations

import click

from twin.console import echo_json
from twin.encryption import decrypt as make_plain
from twin.encryption import encrypt as make_encrypted
from twin.encryption import is_encrypted
from twin.errors import StoreError
from twin.keys import database_key, make_key
from twin.settings import Settings, load_settings
from twin.store import Store


@click.group()
def database() -> None:
    """Keep the database encrypted at rest (SQLCipher)."""


@database.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")
def status(as_json: bool) -> None:
    """Say whether the database is encrypted, and where its key is."""
    settings = load_settings()
    encrypted = is_encrypted(settings.database)
    if as_json:
        echo_json({"path": str(settings.database), "encrypted": encrypted, "key": settings.storage.key})
        return
    click.echo(f"{settings.database} is {'encrypted' if encrypted else 'not encrypted'}.")
    click.echo(f"storage.key is {settings.storage.key!r}.")


@database.command()
def encrypt() -> None:
    """Encrypt the database with the key that storage.key points to; makes the key if there is none.

    The bot, the worker and every other twin command must be stopped.
    """
    settings = load_settings()
    key = make_key(settings)
    if is_encrypted(settings.database):
        Store.of(settings).close()
        click.echo("It is encrypted already, and the key opens it.")
        return
    _existing(settings)
    make_encrypted(settings.database, key)
    Store.of(settings).close()
    click.echo("The database is encrypted now. Whoever loses the key loses the database: keep a copy of it elsewhere.")
    click.echo("Training snapshots and adapters are files of their own and stay as they are; see `twin doctor`.")


@database.command()
def decrypt() -> None:
    """Make the database a plain file again; storage.key must still point to its key."""
    settings = load_settings()
    if not is_encrypted(settings.database):
        click.echo("It is not encrypted.")
        return
    key = database_key(settings)
    if key is None:
        raise StoreError("storage.key does not say where the key is", "set it to where the key was kept")
    make_plain(settings.database, key)
    click.echo('The database is a plain file now. Set storage.key = "none" in twin.toml before the next command.')


def _existing(settings: Settings) -> None:
    """An empty home gets a plain database to encrypt."""
    if not settings.database.exists() or not settings.database.stat().st_size:
        settings.database.unlink(missing_ok=True)
        Store.open(settings.database).close()

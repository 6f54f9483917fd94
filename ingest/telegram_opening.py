"""Opening the account: its secrets, the connection, the login of a first run, and whose it is.

Knows nothing of dialogs or messages. Telethon is imported when it is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ingest.pipeline import earlier_owner
from ingest.telegram_account import Person
from ingest.telegram_display import Display
from ingest.telegram_login import ask_for_api, log_in, log_in_by_qr
from ingest.telegram_secrets import Api, keep_api, keep_session, stored_api, stored_session
from twin.cursors import Cursors
from twin.errors import AccountError
from twin.settings import Settings
from twin.store import Store

if TYPE_CHECKING:
    from ingest.telethon_account import TelethonAccount


@contextmanager
def opened(
    runner: asyncio.Runner, settings: Settings, display: Display, *, is_interactive: bool, qr: bool = False
) -> Iterator[TelethonAccount]:
    """The account, connected and logged in, while the context lasts.

    Args:
        is_interactive: whether somebody can be asked for what is missing.

    Raises:
        AccountError: there is no session and nobody to ask, no connection, or the login did not work out.
    """
    api, session = _secrets(settings, display, is_interactive=is_interactive)
    account = _make(runner, display, api, session)
    try:
        with display.busy("Connecting to Telegram"):
            runner.run(account.connect())
        if session is None:
            _log_in(runner, settings, display, account, api, qr=qr)
        yield account
    finally:
        with suppress(KeyboardInterrupt):
            runner.run(account.close())


def _secrets(settings: Settings, display: Display, *, is_interactive: bool) -> tuple[Api, str | None]:
    session, api = stored_session(settings), stored_api(settings)
    if is_interactive:
        return api or ask_for_api(display), session
    if session is None:
        raise AccountError(
            "Nobody has logged in to Telegram here yet",
            "run `twin ingest telegram` once in a terminal: it asks for your number and a code, or with --qr shows a"
            " code to scan",
        )
    if api is None:
        raise AccountError(
            "There is no api_id", "run `twin ingest telegram` in a terminal, or set TWIN_API_ID and TWIN_API_HASH"
        )
    return api, session


def _make(runner: asyncio.Runner, display: Display, api: Api, session: str | None) -> TelethonAccount:
    with display.busy("Getting ready"):
        from ingest import telethon_account, telethon_client

    async def make() -> TelethonAccount:  # Telethon's client belongs to the loop in which it is made
        client = telethon_client.make_client(session, api.id, api.hash)
        return telethon_account.TelethonAccount(client, display.wait)

    account: TelethonAccount = runner.run(make())
    return account


def _log_in(
    runner: asyncio.Runner, settings: Settings, display: Display, account: TelethonAccount, api: Api, *, qr: bool
) -> None:
    from ingest.telethon_login import TelethonLogin

    login = TelethonLogin(account)
    (log_in_by_qr if qr else log_in)(login, display, runner.run)
    keep_api(settings.home, api)
    file = keep_session(settings.home, login.session())
    owner: Person = runner.run(account.me())
    display.say(
        f"\nLogged in as user {owner.id}. The session is in\n  {file}\n"
        "which only you can read; whoever has it can read your chats. To end it:\n"
        "`twin ingest logout`, or in a Telegram app: Settings > Devices > twin.\n"
    )


def refuse_another(store: Store, settings: Settings, owner: Person) -> None:
    """A twin is of one person, and the ids of messages are one account's.

    Raises:
        AccountError: the database or the settings are of somebody else.
    """
    set_id = settings.owner.id
    if set_id is not None and set_id != owner.id:
        raise AccountError(
            f"The settings say that you are user {set_id}, but this is the account of user {owner.id}",
            "correct owner.id in twin.toml, or log out with `twin ingest logout`",
        )
    earlier = Cursors(store.db).owner() or earlier_owner(store)
    if earlier not in (None, owner.id):
        raise AccountError(
            f"The database holds the history of user {earlier}, but this is the account of user {owner.id}",
            "point TWIN_HOME at another folder, or log out with `twin ingest logout`",
        )

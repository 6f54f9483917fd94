"""Telethon's client as it is wanted here, and what its failures mean.

Knows nothing of dialogs or messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telethon import TelegramClient, errors
from telethon.sessions import StringSession

from ingest.telegram_account import NoTakeout, Refused, SessionGone
from ingest.telegram_patience import Flood, Hiccup, duration

T = TypeVar("T")
TIMEOUT_SECONDS = 60.0  # for one request; Telethon itself would wait for ever
_TROUBLE = (
    errors.ServerError,
    errors.TimedOutError,
    errors.RpcCallFailError,
    errors.RpcMcgetFailError,
    errors.InterdcCallErrorError,
    errors.InterdcCallRichErrorError,
)
_DEAD = (errors.UnauthorizedError, errors.AuthKeyDuplicatedError, errors.AuthKeyNotFound)


class Client(TelegramClient):  # type: ignore[misc]
    """Telethon's client, that tells when it has reconnected by itself."""

    on_reconnect: Callable[[], None] = staticmethod(lambda: None)

    async def _handle_auto_reconnect(self) -> None:
        await super()._handle_auto_reconnect()
        self.on_reconnect()


def make_client(session: str | None, api_id: int, api_hash: str) -> Client:
    """A client that waits for nothing by itself and logs nothing: its log holds what people write.

    Args:
        session: a StringSession's text; None to log in.

    Raises:
        SessionGone: that is no session.
    """
    silent = logging.getLogger("telethon")
    silent.setLevel(logging.CRITICAL + 1)
    silent.propagate = False
    try:
        stored = StringSession(session)
    except ValueError as error:
        raise gone() from error
    return Client(
        stored,
        api_id,
        api_hash,
        base_logger=silent,
        connection_retries=2,
        request_retries=1,
        raise_last_call_error=True,
        flood_sleep_threshold=0,
        device_model="twin",
        app_version="twin",
    )


def gone() -> SessionGone:
    """What to do when Telegram no longer knows the session."""
    return SessionGone(
        "Telegram no longer knows this session: it was ended in Settings > Devices, or has expired",
        "forget it with `twin ingest logout`, then log in anew with `twin ingest telegram`",
    )


def sorted_out(error: BaseException) -> Exception:
    """What an exception of Telethon's means here: Flood, Hiccup, SessionGone, NoTakeout, or Refused."""
    match error:
        case errors.TakeoutInitDelayError():
            return NoTakeout(
                error.seconds,
                f"Telegram allows an export only in {duration(error.seconds)} (new sessions have to wait, in case they"
                " are a thief's)",
                "run this again then, or go on now without it: --no-takeout",
            )
        case errors.FloodError() if hasattr(error, "seconds"):
            return Flood(error.seconds)
        case errors.TakeoutRequiredError() | errors.TakeoutInvalidError():
            return NoTakeout(None, "Telegram ended the export early", "run this again, or with --no-takeout")
        case errors.SessionPasswordNeededError():
            return Refused("The account is protected by a password", "log in again")
        case _ if isinstance(error, _DEAD):
            return gone()
        case _ if isinstance(error, _TROUBLE):
            return Hiccup("Telegram has trouble")
        case errors.TypeNotFoundError():
            return Refused("Telegram sent something that this version does not know", "upgrade twin")
        case errors.RPCError():
            return Refused(f"Telegram refused ({error.message})", "run this again later, and with the newest twin")
        case TimeoutError():
            return Hiccup("Telegram did not answer in time")
        case _:
            return Hiccup("There is no connection to Telegram")


async def bounded(request: Awaitable[T], seconds: float | None = None) -> T:
    """Await Telethon for so long, by default `TIMEOUT_SECONDS`.

    Raises:
        TimeoutError: there was no answer.
        ConnectionError: Telethon gave up; it cancels what it cannot answer.
    """
    try:
        async with asyncio.timeout(seconds or TIMEOUT_SECONDS):
            return await request
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionError("the connection was closed") from None


async def within(request: Awaitable[T], seconds: float | None = None) -> T:
    """The same, with what goes wrong sorted out.

    Raises:
        Flood, Hiccup, AccountError: see `sorted_out`.
    """
    try:
        return await bounded(request, seconds)
    except (errors.RPCError, errors.AuthKeyNotFound, errors.TypeNotFoundError, OSError, EOFError) as error:
        raise sorted_out(error) from None

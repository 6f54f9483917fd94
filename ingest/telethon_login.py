"""Logging in to the account over Telethon, step by step: by code, by QR code, with a password where there is one.

Knows nothing of terminals, and keeps nothing: what was typed is passed on and forgotten.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from telethon import errors, events, utils
from telethon.tl import functions, types

from ingest.telegram_account import Refused, SessionGone
from ingest.telegram_login import Progress, WrongInput
from ingest.telegram_patience import Flood, Hiccup, duration
from ingest.telethon_account import TelethonAccount
from ingest.telethon_client import bounded, sorted_out, within
from twin.errors import AccountError

T = TypeVar("T")
_WHERE = {
    "SentCodeTypeApp": "in your Telegram app, in the chat with Telegram",
    "SentCodeTypeEmailCode": "in your e-mail",
    "SentCodeTypeFragmentSms": "at fragment.com",
    "SentCodeTypeCall": "in a phone call",
    "SentCodeTypeFlashCall": "as the number of a missed call",
    "SentCodeTypeMissedCall": "as the last digits of the number of a missed call",
}
_WRONG = {
    errors.PhoneNumberInvalidError: "Telegram knows no such number; write it with the code of your country",
    errors.PhoneCodeInvalidError: "That is not the code",
    errors.PhoneCodeEmptyError: "That is not the code",
    errors.PasswordHashInvalidError: "That is not the password",
}
_REFUSED: dict[type[Exception], tuple[str, str]] = {
    errors.ApiIdInvalidError: (
        "Telegram does not know this api_id and api_hash",
        "compare both with https://my.telegram.org, then run this again",
    ),
    errors.ApiIdPublishedFloodError: (
        "Telegram does not let this api_id log in any more",
        "make one of your own at https://my.telegram.org",
    ),
    errors.PhoneNumberBannedError: ("Telegram has banned this number", "write to recover@telegram.org"),
    errors.PhoneNumberUnoccupiedError: ("Nobody has an account with this number", "sign up in a Telegram app first"),
    errors.PhoneCodeExpiredError: ("The code has expired", "run this again for a new one"),
    errors.PhoneNumberFloodError: ("Too many codes were asked for with this number", "try again tomorrow, or --qr"),
    errors.PhonePasswordFloodError: ("The password was wrong too often", "try again tomorrow"),
    errors.SendCodeUnavailableError: ("Telegram sends no code to this number just now", "use --qr"),
    errors.UpdateAppToLoginError: ("Telegram wants a newer program for this login", "use --qr"),
}


class TelethonLogin:
    """See `ingest.telegram_login.Login`."""

    def __init__(self, account: TelethonAccount) -> None:
        self._account = account
        self._client = account.client
        self._token: Any = None
        self._scanned = asyncio.Event()
        self._phone = ""

    async def is_known(self) -> bool:
        """See `Login.is_known`."""
        try:
            await self._account.me()
        except SessionGone:
            return False
        return True

    async def send_code(self, phone: str) -> str:
        """See `Login.send_code`."""
        digits = utils.parse_phone(phone.replace(".", " ").strip())
        if digits is None or not 7 <= len(digits) <= 15:
            raise WrongInput("That is no phone number")
        sent = await _step(lambda: self._client.send_code_request(digits))
        self._phone = digits
        kind = type(sent.type).__name__
        if kind == "SentCodeTypeSetUpEmailRequired":
            raise AccountError(
                "Telegram wants an e-mail address for logins first", "set one up in a Telegram app, or use --qr"
            )
        return _WHERE.get(kind, "in an SMS")

    async def enter_code(self, code: str) -> Progress:
        """See `Login.enter_code`."""
        digits = "".join(sign for sign in code if sign.isalnum())
        return await self._enter(lambda: self._client.sign_in(phone=self._phone, code=digits or "0"))

    async def enter_password(self, password: str) -> Progress:
        """See `Login.enter_password`."""
        return await self._enter(lambda: self._client.sign_in(password=password))

    async def next_qr(self) -> str | Progress:
        """See `Login.next_qr`.

        As telethon's QRLogin does it, which does not expect that a code is scanned in the moment in which it expires.
        """
        if self._token is None:
            self._client.add_event_handler(self._on_scan, events.Raw(types.UpdateLoginToken))
        try:
            self._token = await _step(self._ask_for_token)
        except errors.SessionPasswordNeededError:
            return "password"
        if isinstance(self._token, types.auth.LoginTokenSuccess):
            await _step(lambda: self._client._on_login(self._token.authorization.user))
            return "done"
        return f"tg://login?token={base64.urlsafe_b64encode(self._token.token).decode().rstrip('=')}"

    async def wait_for_scan(self) -> None:
        """See `Login.wait_for_scan`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (self._token.expires - datetime.now(UTC)).total_seconds())):
                await self._scanned.wait()
        self._scanned.clear()

    async def _on_scan(self, _: Any) -> None:
        self._scanned.set()

    async def _ask_for_token(self) -> Any:
        client = self._client
        token = await client(functions.auth.ExportLoginTokenRequest(client.api_id, client.api_hash, []))
        if isinstance(token, types.auth.LoginTokenMigrateTo):  # the account lives in another data centre
            await client._switch_dc(token.dc_id)
            token = await client(functions.auth.ImportLoginTokenRequest(token.token))
        return token

    def session(self) -> str:
        """See `Login.session`."""
        return str(self._client.session.save())

    async def end(self) -> None:
        """End the session at Telegram.

        Raises:
            AccountError: it could not be told.
        """
        await within(self._client.log_out())

    async def _enter(self, step: Callable[[], Awaitable[Any]]) -> Progress:
        try:
            await _step(step)
        except errors.SessionPasswordNeededError:
            return "password"
        return "done"


async def _step(step: Callable[[], Awaitable[T]]) -> T:
    """One request of a login, with what can go wrong in words.

    Raises:
        WrongInput: what was typed is wrong, and may be typed again.
        AccountError: it cannot go on.
        SessionPasswordNeededError: a password is wanted.
    """
    try:
        return await bounded(step())
    except errors.SessionPasswordNeededError:
        raise
    except (errors.RPCError, OSError) as error:
        if type(error) in _WRONG:
            raise WrongInput(_WRONG[type(error)]) from None
        if type(error) in _REFUSED:
            raise Refused(*_REFUSED[type(error)]) from None
        verdict = sorted_out(error)
        if isinstance(verdict, Flood):
            wait = duration(verdict.seconds)
            raise AccountError(f"Telegram asks to wait {wait} before the next login", "try again then") from None
        if isinstance(verdict, Hiccup):
            raise AccountError(verdict.why, "check the network, then run this again") from None
        raise verdict from None

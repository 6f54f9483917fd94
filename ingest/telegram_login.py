"""The first run's conversation: what Telegram wants to know before it lets a program read the account.

Knows nothing of Telethon, and keeps nothing but what `ingest/telegram_secrets.py` keeps: neither the phone number nor
the code nor the password is stored, printed or logged.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol, TypeVar

import segno

from ingest.telegram_secrets import Api
from twin.errors import AccountError

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]
Progress = Literal["done", "password"]
_TRIES = 3
_SCANS = 10  # QR codes shown, each for about half a minute
API_HELP = """\
Telegram gives everybody who wants to read their own account with a program two numbers for it, once:

  1. Open https://my.telegram.org and log in with your phone number.
  2. Choose "API development tools" and make an app; any title and short name will do.
  3. Copy its api_id and api_hash here. They stay on this machine.
"""


class WrongInput(Exception):
    """What was typed is wrong; the argument says what, and it may be typed again."""


class Terminal(Protocol):
    """Somebody who can be asked."""

    def say(self, text: str) -> None:
        """Show a line or several."""

    def ask(self, question: str, *, hidden: bool = False) -> str:
        """Ask, and return what was typed; unseen if hidden."""


class Login(Protocol):
    """The steps of a login. Every one may raise AccountError."""

    async def is_known(self) -> bool:
        """Whether Telegram knows the session already."""

    async def send_code(self, phone: str) -> str:
        """Have a login code sent; returns where to look for it. May raise WrongInput."""

    async def enter_code(self, code: str) -> Progress:
        """Give the code. May raise WrongInput."""

    async def enter_password(self, password: str) -> Progress:
        """Give the password of the second step. May raise WrongInput."""

    async def next_qr(self) -> str | Progress:
        """The address that a QR code must hold to let this session in, or that somebody has let it in."""

    async def wait_for_scan(self) -> None:
        """Wait until somebody scans the code, or it expires."""

    def session(self) -> str:
        """The session's text."""


def ask_for_api(terminal: Terminal) -> Api:
    """api_id and api_hash, from whoever sits there.

    Raises:
        AccountError: they could not be right, several times.
    """
    terminal.say(API_HELP)
    for _ in range(_TRIES - 1):
        try:
            return _api(terminal)
        except AccountError as error:
            terminal.say(str(error))
    return _api(terminal)


def _api(terminal: Terminal) -> Api:
    return Api.of(terminal.ask("api_id"), terminal.ask("api_hash", hidden=True))


def log_in(login: Login, terminal: Terminal, run: Run) -> None:
    """By phone number and code, and password where there is one.

    Args:
        run: runs a coroutine to its end.

    Raises:
        AccountError: it did not work out.
    """
    terminal.say("Logging in to Telegram. Neither your number nor what you type next is stored.")
    where = _retry(
        lambda: terminal.ask("Phone number, with the code of your country (+...)"), login.send_code, terminal, run
    )
    terminal.say(f"Telegram has sent you a code: look {where}.")
    progress = _retry(lambda: terminal.ask("Code", hidden=True), login.enter_code, terminal, run)
    _finish(progress, login, terminal, run)


def log_in_by_qr(login: Login, terminal: Terminal, run: Run) -> None:
    """By scanning a code with a Telegram app that is logged in, and password where there is one.

    Raises:
        AccountError: nobody scanned it.
    """
    words = "On your phone: Telegram > Settings > Devices > Link Desktop Device. Scan this:"
    for _ in range(_SCANS):
        answer = run(login.next_qr())
        if answer in ("done", "password"):
            _finish(answer, login, terminal, run)
            return
        terminal.say(f"{words}\n{qr_code(answer)}")
        run(login.wait_for_scan())
        words = "That code has expired. Scan this one:"
    raise AccountError("Nobody scanned the code", "run this again when you are ready")


def qr_code(text: str) -> str:
    """A QR code in half-height blocks, light on dark as terminals mostly are; scanners read both."""
    drawing = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawing, border=2, compact=True)
    return drawing.getvalue()


def _finish(progress: Progress, login: Login, terminal: Terminal, run: Run) -> None:
    if progress == "password":
        terminal.say("Your account has a password (two-step verification).")
        _retry(lambda: terminal.ask("Password", hidden=True), login.enter_password, terminal, run)


def _retry(ask: Callable[[], str], step: Callable[[str], Coroutine[Any, Any, T]], terminal: Terminal, run: Run) -> T:
    for _ in range(_TRIES):
        try:
            answer: T = run(step(ask()))
            return answer
        except WrongInput as wrong:
            terminal.say(f"{wrong}.")
    raise AccountError(f"That went wrong {_TRIES} times", "run this again")

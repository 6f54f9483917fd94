"""What opens the account, in the home: Telegram's api_id and api_hash, and the session; each in a 0600 file.

Knows nothing of Telegram. Variables and systemd credentials win over the files: see `twin.settings.secret`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from twin.errors import AccountError
from twin.secret_files import keep_secret
from twin.settings import API_HASH_VARIABLE, API_ID_VARIABLE, SESSION_VARIABLE, Settings, secret

SESSION_FILE = "telegram.session"
_ID_FILE = "telegram-api-id"
_HASH_FILE = "telegram-api-hash"
_ID = re.compile(r"\d{1,10}", re.ASCII)
_HASH = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class Api:
    """What Telegram gives to everybody who asks for it at my.telegram.org."""

    id: int
    hash: str

    @classmethod
    def of(cls, id_text: str, hash_text: str) -> Api:
        """From what somebody typed.

        Raises:
            AccountError: it cannot be right; the error does not hold it.
        """
        if not _ID.fullmatch(id_text.strip()) or not _HASH.fullmatch(hash_text.strip()):
            raise AccountError(
                "These are no api_id and api_hash",
                "copy them from https://my.telegram.org (API development tools): a number, and 32 digits and letters",
            )
        return cls(int(id_text), hash_text.strip())


def stored_api(settings: Settings) -> Api | None:
    """api_id and api_hash; None when nobody gave them yet.

    Raises:
        AccountError: they cannot be right.
        SettingsError: others can read them.
    """
    id_text, hash_text = secret(settings, API_ID_VARIABLE, _ID_FILE), secret(settings, API_HASH_VARIABLE, _HASH_FILE)
    return Api.of(id_text, hash_text) if id_text and hash_text else None


def keep_api(home: Path, api: Api) -> None:
    """Write them into the home.

    Raises:
        AccountError: that is not possible.
    """
    _keep(home / _ID_FILE, str(api.id))
    _keep(home / _HASH_FILE, api.hash)


def stored_session(settings: Settings) -> str | None:
    """The session's text; None when nobody logged in yet.

    Raises:
        SettingsError: others can read it.
    """
    return secret(settings, SESSION_VARIABLE, SESSION_FILE)


def keep_session(home: Path, session: str) -> Path:
    """Write the session into the home; returns the file.

    Raises:
        AccountError: that is not possible.
    """
    return _keep(home / SESSION_FILE, session)


def forget_session(home: Path) -> bool:
    """Delete the session's file; returns whether there was one."""
    file = home / SESSION_FILE
    there = file.exists()
    file.unlink(missing_ok=True)
    return there


def _keep(file: Path, text: str) -> Path:
    try:
        return keep_secret(file.parent, file.name, text)
    except OSError as error:
        raise AccountError(
            f"{file} cannot be written ({error.strerror})", "make room for it, or set TWIN_HOME"
        ) from error

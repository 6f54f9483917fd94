"""The key that the server asks for: what a good one looks like, a new one, and the file that keeps it.

Knows nothing of HTTP, nor of how a key is asked for; `twin.settings.server_key` reads the file.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from twin.errors import ServerError
from twin.secret_files import keep_secret

_SHAPE = re.compile(r"[!-~]{16,512}")


def new_key() -> str:
    """A key that nobody can guess: 256 random bits."""
    return secrets.token_urlsafe(32)


def check(key: str) -> None:
    """Refuse what no header can carry, or somebody could guess.

    Raises:
        ServerError: it is too short, or holds more than printable ASCII without spaces; the error does not hold it.
    """
    if not _SHAPE.fullmatch(key):
        raise ServerError(
            "The key is too short, or holds spaces or letters outside ASCII",
            "choose at least 16 characters, or have one made with `twin serve --set-key` and Enter",
        )


def keep(home: Path, key: str) -> Path:
    """Write the key into the home and return the file.

    Raises:
        ServerError: it is no good key, or cannot be written.
    """
    check(key)
    try:
        return keep_secret(home, "server-key", key)
    except OSError as error:
        file = home / "server-key"
        raise ServerError(
            f"{file} cannot be written ({error.strerror})", "make room for it, or set TWIN_HOME"
        ) from error

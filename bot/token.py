"""The bot's token: what one looks like, and the file that keeps it.

Knows nothing of Telegram, nor of how a token is asked for; `twin.settings.bot_token` reads the file.
"""

from __future__ import annotations

import re
from pathlib import Path

from twin.errors import BotError
from twin.secret_files import keep_secret

_SHAPE = re.compile(r"\d+:[\w-]+", re.ASCII)


def check(token: str) -> None:
    """Refuse what cannot be a token before anybody is asked with it.

    Raises:
        BotError: it does not look like one; the error does not hold it.
    """
    if not _SHAPE.fullmatch(token):
        raise BotError("The bot's token is not one", "copy it again from @BotFather; it looks like 123456:ABC-def")


def keep(home: Path, token: str) -> Path:
    """Write the token into the home, all of it or nothing, readable by its owner alone.

    Returns:
        the file.

    Raises:
        BotError: it is no token, or cannot be written.
    """
    check(token)
    try:
        return keep_secret(home, "bot-token", token)
    except OSError as error:
        file = home / "bot-token"
        raise BotError(f"{file} cannot be written ({error.strerror})", "make room for it, or set TWIN_HOME") from error

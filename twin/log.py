"""Logging: to stderr, and to a file if wanted; never message text, never tokens.

Knows nothing of what is logged; it redacts what looks like a bot token, or like the user and password in an
address, and silences libraries that log URLs.
"""

from __future__ import annotations

import logging
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from twin.errors import SettingsError

_TOKEN = re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}")
_LOGIN = re.compile(r"(?<=://)[^\s/@]+@")
_MEGABYTES, _OLDER_FILES = 5, 4
passed_on = logging.getLogger("twin.passed_on")  # whole lines of child processes, which are records already
_CHATTY = (
    "gguf",
    "httpx",
    "httpcore",
    "matplotlib",
    "telegram",
    "apscheduler",
    "transformers",
    "bitsandbytes",
    "urllib3",
)


def redact(text: str) -> str:
    """Replace anything shaped like a bot token, and who logs in where an address says so."""
    return _LOGIN.sub("<login>@", _TOKEN.sub("<token>", text))


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(record.getMessage() if record.name == passed_on.name else super().format(record))


def set_up_logging(verbose: bool = False) -> None:
    """One line a record on stderr; libraries only from WARNING on (their INFO holds request URLs)."""
    root = logging.getLogger()
    root.handlers[:] = [_formatted(logging.StreamHandler(sys.stderr))]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


def log_to_file(file: Path) -> None:
    """Write everything that is logged into a file too, readable by its owner alone; at most 25 MB with older ones.

    `file.1` is the latest of four older ones. Only one process may write to the file, or lines get lost when it turns.

    Raises:
        SettingsError: it cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        if file.is_file():  # and no device
            file.chmod(0o600)
        handler = RotatingFileHandler(file, maxBytes=_MEGABYTES * 10**6, backupCount=_OLDER_FILES, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written ({error.strerror})", "choose another --log-file") from error
    logging.getLogger().addHandler(_formatted(handler))


def _formatted(handler: logging.Handler) -> logging.Handler:
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S"))
    return handler

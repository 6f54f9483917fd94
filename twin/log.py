"""Logging: to stderr, never message text, never tokens.

Knows nothing of what is logged; it redacts what looks like a bot token and silences libraries that log URLs.
"""

from __future__ import annotations

import logging
import re
import sys

_TOKEN = re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}")
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
    """Replace anything shaped like a bot token."""
    return _TOKEN.sub("<token>", text)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def set_up_logging(verbose: bool = False) -> None:
    """One line a record on stderr; libraries only from WARNING on (their INFO holds request URLs)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)

"""How commands speak: results on stdout (tables, or `--json`), progress on stderr.

Knows nothing of what is shown.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click


def echo_json(value: Any) -> None:
    """One JSON document a line, for scripts."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def is_interactive() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()

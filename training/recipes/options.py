"""The options that several recipes' commands share, and the clock they are given.

Knows nothing of what is done with them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from training.recipes.sets import MAX_WEIGHT

Command = TypeVar("Command", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
WEIGHT = click.option(
    "--weight",
    type=click.FloatRange(0, MAX_WEIGHT),
    help="How often training sees a row: 1 once (default), 2 twice, 0.5 every second row.",
)
SEND = click.option(
    "--send-to-teacher", is_flag=True, help="What you wrote may leave this machine for teacher.url, scrubbed."
)


def named(default: str) -> Callable[[Command], Command]:
    """The option --name with its default."""
    return click.option("--name", default=default, show_default=True, help="What to call the set.")


def now() -> datetime:
    """The time, aware UTC."""
    return datetime.now(UTC)

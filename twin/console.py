"""How commands speak: results on stdout (tables, or `--json`), progress on stderr.

Knows nothing of what is shown.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import click

_JOINERS = "\u200c\u200d"  # unprintable, but Persian names and pictures of families fall apart without them


def echo_json(value: Any) -> None:
    """One JSON document a line, for scripts."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def printable(name: str) -> str:
    """A name that somebody else chose, as it may be printed: no control characters, nothing that turns lines around."""
    return "".join(sign if sign.isprintable() or sign in _JOINERS else "\N{REPLACEMENT CHARACTER}" for sign in name)


def is_interactive() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


class OpenGroup(click.Group):
    """A group some of whose commands live in rooms above: named as "module:function", imported when asked for."""

    def __init__(self, *args: Any, elsewhere: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._elsewhere = elsewhere or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._elsewhere})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._elsewhere:
            return super().get_command(ctx, name)
        module, _, function = self._elsewhere[name].partition(":")
        command: click.Command = getattr(import_module(module), function)
        return command

"""The shapes in which the stored history leaves: one file a shape behind one Protocol, and one line here.

Knows nothing of the database. A shape is imported when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Protocol

from twin.dialogs import Dialog
from twin.messages import Message


@dataclass(frozen=True, slots=True)
class Leaving:
    """One dialog on its way out; `messages`, oldest first, are to be read to their end before the next is asked for."""

    dialog: Dialog
    messages: Iterator[Message]

    @property
    def name(self) -> str:
        """What the other person is called where a name must stand."""
        return self.dialog.name or f"Deleted account {self.dialog.chat_id}"


@dataclass(frozen=True, slots=True)
class Teller:
    """Whose history it is: the Telegram user id (0 when nobody ever told it), and a name to write."""

    id: int
    name: str


class Write(Protocol):
    """Writes dialogs, one message at a time, in memory that does not grow with them."""

    def __call__(self, out: Path, dialogs: Iterator[Leaving], owner: Teller) -> None:
        """Write everything.

        Args:
            out: a file that is there and empty, or an empty folder; both are the user's alone.

        Raises:
            OSError: the disk refused.
        """


@dataclass(frozen=True, slots=True)
class Shape:
    """One way of writing.

    Attributes:
        module: where its `write` is.
        names: glob patterns of what it writes into a folder; empty when it writes one file.
    """

    module: str
    names: tuple[str, ...] = ()

    @property
    def write(self) -> Write:
        """The writer itself."""
        function: Write = import_module(self.module).write
        return function


SHAPES = {
    "telegram": Shape("ingest.writers.telegram", ("result.json",)),
    "jsonl": Shape("ingest.writers.jsonl"),
    "markdown": Shape("ingest.writers.markdown", ("*.md",)),
    "sqlite": Shape("ingest.writers.sqlite"),
}


def private_text(path: Path) -> IO[str]:
    """Open a file for writing text that only its owner can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8", newline="\n")

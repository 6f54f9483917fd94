"""What the pipeline needs of a source of messages: a Protocol, and the account of what a source left out.

Knows nothing of files, formats or networks: each of those is one module that implements `Source`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from twin.messages import Message


class Skip(Exception):
    """A verdict, not an error: one message is left out; the argument is the reason under which it is counted."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose history it is: the Telegram user id, and where that was learnt ("--owner-id", "the export" ...)."""

    id: int
    known_from: str
    is_asked_for: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """What a source did not hand on as it found it, each under its reason; nothing is left out uncounted.

    Attributes:
        dialogs: whole dialogs left out (their messages are counted in `messages` too).
        messages: messages left out.
        inexact: messages handed on although something about them had to be guessed or dropped.
    """

    dialogs: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    inexact: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One private dialog as it comes in.

    Attributes:
        chat_id: its id, which is also the other person's user id.
        name: the other person's name; None for a deleted account.
        messages: to be read to their end before the next dialog is asked for.
    """

    chat_id: int
    name: str | None
    messages: Iterator[Message]


class Source(Protocol):
    """Private dialogs with people, from anywhere."""

    @property
    def name(self) -> str:
        """What the run is recorded under, such as "telegram-desktop result.json"."""

    @property
    def owner(self) -> Owner:
        """Whose history it is."""

    @property
    def tally(self) -> Tally:
        """What was left out so far; complete when `dialogs` has been read to its end."""

    def dialogs(self) -> Iterator[Incoming]:
        """Each dialog once.

        Raises:
            IngestError: the source broke off; nothing of it may be kept.
        """

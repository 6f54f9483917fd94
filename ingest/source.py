"""What the pipeline needs of a source of messages, and what a format needs to be one: Protocols, and their nouns.

Knows nothing of files, formats or networks: each of those is one module that implements `Source`.

A kind of file is known by one line in `ingest.formats.FORMATS`, which names a `Format`. Its `open` looks a file
through and gives an `Opened`: what the file tells of its owner, and the way to a `Source` once that is decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ingest.places import Place
from twin.messages import Message


class Skip(Exception):
    """A verdict, not an error: one message is left out; the argument is the reason under which it is counted."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose history it is.

    Attributes:
        id: the Telegram user id; 0 when the chats are from elsewhere and nobody told it.
        known_from: where that was learnt ("--owner-id", "the export" ...).
        name: what the owner is called in the chats of a source that knows people by names only.
        is_marked: whether each message tells by itself if it is the owner's; the id says only whose database it is.
    """

    id: int
    known_from: str
    is_asked_for: bool = False
    name: str | None = None
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """What a source did not hand on as it found it, each under its reason; nothing is left out uncounted.

    Attributes:
        dialogs: whole dialogs left out (their messages are counted in `messages` too).
        messages: messages left out.
        inexact: messages handed on although something about them had to be guessed or dropped.
        remarks: how the source was read where that was not certain, as sentences without a full stop.
    """

    dialogs: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    inexact: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One private dialog as it comes in, or a part of one.

    Attributes:
        chat_id: its id: the other person's Telegram user id, or a negative number for chats from elsewhere.
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
        """Every dialog, at once or in parts.

        Raises:
            IngestError: the source broke off; nothing of it may be kept.
        """


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file tells of whose it is.

    Attributes:
        told: the owner's user id, if it stands there.
        strangers: for each dialog, who wrote in it beside the person it is with, by user id.
        names: who writes in it, where people have names only; None elsewhere.
        is_marked: whether each message tells by itself if the owner wrote it.
    """

    told: int | None = None
    strangers: tuple[frozenset[int], ...] = ()
    names: frozenset[str] | None = None
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner said about how files are to be read.

    Attributes:
        me: their own name in chats that know people by names.
        timezone: an IANA name for times without a zone; None for the machine's.
    """

    me: str | None = None
    timezone: str | None = None


class Opened(Protocol):
    """A file that was looked through, is whole, and holds dialogs."""

    @property
    def evidence(self) -> Evidence:
        """Whose it may be."""

    def source(self, owner: Owner) -> Source:
        """Its dialogs.

        Raises:
            IngestError: it cannot be this owner's.
        """


OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        version: raised when the same bytes would be read differently; files known from earlier are then read again.
        fits: whether a file may be of this kind, by its name and its first bytes.
        open: looks a file through; is told how many bytes were read. Raises IngestError.
        passes: how often the bytes are read in all, for the progress bar.
        heeds_wishes: whether it is read differently by what the owner wishes.
    """

    version: int
    fits: Callable[[str, bytes], bool]
    open: Callable[[Place, Wishes, OnBytes], Opened]
    passes: int = 2
    heeds_wishes: bool = False

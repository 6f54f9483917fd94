"""Records: one conversation as other people's tools write it, read and written through one Protocol.

Knows nothing of files, nor of where a conversation ends up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from training.recipes.account import Account
from training.recipes.burst import Lines
from twin.messages import Bubble, Speaker, Turn

OWNER_ROLES = frozenset({"assistant", "gpt", "chatgpt", "bot", "ai", "model", "bing", "bard", "claude"})
OTHER_ROLES = frozenset({"user", "human", "prompter"})
SYSTEM_ROLES = frozenset({"system", "developer"})
TOOL_ROLES = frozenset({"tool", "function", "function_call", "observation", "tool_call", "tool_response", "ipython"})
TOOLS_LEFT_OUT = "tool messages left out"
NOT_TEXT = "parts that are no text left out"
WEIGHT_ZERO = "weight 0"


class BadRecord(ValueError):
    """A record that cannot be used; its text is the reason, never the record's words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How foreign records are understood.

    Attributes:
        owner_role: whose words are the owner's, as the records call them; None for the assistant's.
        lines: whether a line is a bubble, or newlines stand inside one (see `read_burst`).
    """

    owner_role: str | None = None
    lines: Lines = "bubbles"


@dataclass(frozen=True, slots=True)
class Record:
    """What was read.

    Attributes:
        turns: speakers alternate; at least one of the owner's, without times.
        system: the system text above it, or "".
        notes: what of the record was left out, for counting.
    """

    turns: tuple[Turn, ...]
    system: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a record: its side, its bubbles, and whether the owner's words in it are to be learned."""

    speaker: Speaker
    bubbles: tuple[str, ...]
    is_learned: bool = True


class Reader(Protocol):
    """Understands the records of one format."""

    @property
    def name(self) -> str:
        """What the command line calls the format."""

    @property
    def is_text(self) -> bool:
        """Whether a file of it may be plain text instead of JSON."""

    def read(self, value: Any, how: Reading) -> Record:
        """One record.

        Raises:
            BadRecord: it is not of this format, or holds nothing of the owner.
        """


class Format(Reader, Protocol):
    """A format that can be written too."""

    @property
    def says_context(self) -> bool:
        """Whether it can say that words of the owner are context and not to be learned."""

    def write(self, turns: Sequence[Turn], system: str) -> dict[str, Any]:
        """One conversation that ends with the owner's turn, as a record that `read` reads back.

        Turns that must not be learned have to be cut off before (see `learnable`), unless it says context.
        """


def side(role: Any, how: Reading) -> Speaker | None:
    """Who speaks under a role: None for the system and for tools.

    Raises:
        BadRecord: nobody knows that role.
    """
    if not isinstance(role, str):
        raise BadRecord("a message without a role")
    name = role.strip().casefold()
    if name in SYSTEM_ROLES or name in TOOL_ROLES:
        return None
    if how.owner_role is None:
        if name in OWNER_ROLES or name in OTHER_ROLES:
            return "owner" if name in OWNER_ROLES else "other"
        raise BadRecord("a role that is unknown")
    owner = how.owner_role.strip().casefold()
    same = next((roles for roles in (OWNER_ROLES, OTHER_ROLES) if owner in roles), frozenset({owner}))
    return "owner" if name in same else "other"


def is_system(role: Any) -> bool:
    """Whether a role is the system's."""
    return isinstance(role, str) and role.strip().casefold() in SYSTEM_ROLES


def fields(value: Any) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        BadRecord: it is something else.
    """
    if not isinstance(value, dict):
        raise BadRecord("not an object")
    return value


def items(value: Any, what: str) -> list[Any]:
    """A JSON array with something in it.

    Raises:
        BadRecord: it is something else.
    """
    if not isinstance(value, list) or not value:
        raise BadRecord(f"no {what}")
    return value


def text(value: Any, what: str = "text") -> str:
    """A string that can be stored.

    Raises:
        BadRecord: it is no string, or not Unicode.
    """
    if not isinstance(value, str):
        raise BadRecord(f"no {what}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRecord("text that is not Unicode") from error
    return value


def optional(value: Any, what: str = "text") -> str:
    """As `text`; nothing is "".

    Raises:
        BadRecord: it is neither.
    """
    return "" if value is None else text(value, what)


def gather(said: Iterable[Said], system: Iterable[str] = (), notes: Iterable[str] = ()) -> Record:
    """Messages to a record: a speaker's consecutive messages are one turn.

    Raises:
        BadRecord: nothing of the owner is in it.
    """
    turns = []
    for speaker, run in groupby((part for part in said if part.bubbles), key=lambda part: part.speaker):
        parts = list(run)
        some = any(part.is_learned for part in parts)
        bubbles = tuple(Bubble(words, part.is_learned or not some) for part in parts for words in part.bubbles)
        turns.append(Turn(speaker, bubbles, withheld=None if some else WEIGHT_ZERO))
    if not any(turn.speaker == "owner" for turn in turns):
        raise BadRecord("nothing of the owner")
    return Record(tuple(turns), "\n\n".join(part.strip() for part in system if part.strip()), tuple(notes))


def learnable(turns: Sequence[Turn], account: Account) -> list[tuple[Turn, ...]]:
    """A conversation cut so that everything of the owner in it may be learned: for formats that cannot say context.

    It ends before each owner turn that is withheld, or none of the owner's own words, and begins anew after it.
    Bubbles of other turns that are not the owner's words go. Each part ends with the owner's turn.
    """
    parts: list[list[Turn]] = [[]]
    for turn in turns:
        if turn.speaker == "other":
            parts[-1].append(turn)
        elif turn.is_supervisable:
            own = tuple(bubble for bubble in turn.bubbles if bubble.authored)
            account.notes["bubbles that are not the owner's words left out"] += len(turn.bubbles) - len(own)
            parts[-1].append(Turn("owner", own))
        else:
            account.notes["turns not to be learned: conversation cut there"] += 1
            parts.append([])
    account.notes = +account.notes
    return [found for part in parts if (found := up_to_the_last_reply(part))]


def up_to_the_last_reply(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Without what stands after the owner's last turn that is learned, which teaches nothing."""
    last = max((place for place, turn in enumerate(turns) if turn.is_supervisable), default=-1)
    return tuple(turns[: last + 1])

"""Marks: what a prompt may tell beside the words, namely who is spoken to, and when.

Knows nothing of templates or tokens. All is coarse, so that it can be learned from few examples: an hour of the day, a
class of silence, a name.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from twin.errors import SettingsError
from twin.messages import Peer

PeerShown = Literal["none", "pseudonym", "name"]
_LONGEST = 32
_IN_NAMES = "-'’.\u200c\u200d"  # the last two are part of how Persian and Indic names are spelled
_SILENCES = (
    (timedelta(minutes=1), "minutes"),
    (timedelta(hours=1), "hours"),
    (timedelta(days=1), "days"),
    (timedelta(days=7), "weeks"),
    (timedelta(days=30), "months"),
)
_NAMES = (
    "Alex Andie Ariel Ash Avery Bailey Billie Blair Cameron Casey Charlie Chris Dakota Dana Devin Drew Eden Elliot"
    " Emery Finley Frankie Gray Harper Hayden Indigo Jackie Jamie Jesse Jordan Jules Kai Kendall Kim Kit Lane Lee"
    " Logan Luca Marley Max Micah Morgan Nico Noa Parker Pat Phoenix Quinn Reese Remy Riley River Robin Rowan Sage"
    " Sam Sasha Shay Skyler Spencer Stevie Taylor Toby Val"
)
_INITIALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@cache
def zone(name: str) -> tzinfo:
    """A time zone by its IANA name ("Europe/Berlin").

    Raises:
        SettingsError: there is no such zone.
    """
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # a folder's name, a path, an unknown name
        raise SettingsError(
            f"There is no time zone called {name!r}", "write it as Europe/Berlin or America/New_York"
        ) from error


def when(
    started_at: datetime | None, previous_at: datetime | None, *, time_of_day: bool, gaps: bool, where: tzinfo
) -> str:
    """When a turn begins: "21h, after hours"; empty when there is nothing to tell.

    Args:
        started_at: aware; None when nobody knows.
        previous_at: when the message before it was sent, aware; None when nobody knows.
        time_of_day: tell the hour, on the clock of `where`.
        gaps: tell how long nobody spoke, in classes from "minutes" to "months"; less than a minute is no silence.
    """
    return ", ".join(_when(started_at, previous_at, time_of_day=time_of_day, gaps=gaps, where=where))


def who(chat_id: int, peer: Peer, shown: PeerShown, *, relation: bool) -> str:
    """Who is spoken to: "Anna, friend"; empty when there is nobody in particular or nothing is to be told.

    Args:
        chat_id: decides the pseudonym; 0 has none.
        shown: which name is told.
        relation: tell what they are to the owner.
    """
    name = {"none": "", "pseudonym": pseudonym(chat_id), "name": _clean(peer.name)}[shown]
    told = [name, _clean(peer.relation) if relation else ""]
    return ", ".join(part for part in told if part)


def pseudonym(chat_id: int) -> str:
    """A neutral name for the person of a dialog, the same on every machine: one of 1,664; none for chat 0."""
    if chat_id == 0:
        return ""
    number = int.from_bytes(hashlib.sha256(f"peer {chat_id}".encode()).digest()[:8])
    names = _NAMES.split()
    return f"{names[number % len(names)]} {_INITIALS[number // len(names) % len(_INITIALS)]}"


def _when(
    started_at: datetime | None, previous_at: datetime | None, *, time_of_day: bool, gaps: bool, where: tzinfo
) -> Iterator[str]:
    if started_at is None:
        return
    if time_of_day:
        yield f"{started_at.astimezone(where).hour}h"
    if gaps and previous_at is not None:
        silence = started_at - previous_at
        if names := [name for least, name in _SILENCES if silence >= least]:
            yield f"after {names[-1]}"


def _clean(name: str | None) -> str:
    """A name as it may stand in a prompt: whoever chose it, it cannot look like anything but a name."""
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c in _IN_NAMES else " " for c in name or "")
    return " ".join(kept.split())[:_LONGEST].strip()

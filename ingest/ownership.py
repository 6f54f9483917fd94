"""Whose the files are: as the owner says, as a file tells, as earlier runs knew, or by who writes in every dialog.

Knows nothing of formats, terminals or databases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ingest.places import Place
from ingest.source import Evidence, Owner
from twin.errors import IngestError

Choose = Callable[[Place, Sequence[str]], str | None]


def nobody(place: Place, names: Sequence[str]) -> str | None:
    """A `Choose` where there is nobody to ask."""
    return None


@dataclass(frozen=True, slots=True)
class Claims:
    """What is known before a file is opened.

    Attributes:
        asked: the owner's user id as given for this run.
        settings: ... as it stands in the settings.
        earlier: ... as the last run that is recorded knew it.
        me: the owner's name in chats that know people by names, as given for this run.
        earlier_names: ... as earlier runs knew it.
        choose: asks the owner which of the names in a file is theirs; None when nobody answers.
    """

    asked: int | None = None
    settings: int | None = None
    earlier: int | None = None
    me: str | None = None
    earlier_names: frozenset[str] = frozenset()
    choose: Choose = nobody


def decide(files: Sequence[tuple[Place, Evidence]], claims: Claims) -> list[Owner | IngestError]:
    """The owner of each file, or why that cannot be told; what one file tells counts for the others."""
    told = {evidence.told for _, evidence in files if evidence.told is not None}
    guessed = _common_stranger([evidence for _, evidence in files])
    by_name = _common_name([evidence for _, evidence in files])
    owners: list[Owner | IngestError] = []
    for place, evidence in files:
        owner = _by_id(evidence, claims, told, guessed)
        if evidence.names is not None:
            named = _by_name(place, evidence.names, claims, by_name)
            owners.append(named if isinstance(named, IngestError) else _with_name(owner, *named))
        elif evidence.is_marked:
            owners.append(replace(_with_name(owner, None, "the file"), is_marked=True))
        else:
            owners.append(owner or _untold(place))
    return owners


def _by_id(evidence: Evidence, claims: Claims, told: set[int], guessed: Owner | None) -> Owner | None:
    if claims.asked is not None:
        return Owner(claims.asked, "--owner-id", is_asked_for=True)
    if claims.settings is not None:
        return Owner(claims.settings, "owner.id in the settings")
    if evidence.told is not None:
        return Owner(evidence.told, "the export")
    if len(told) == 1:
        return Owner(next(iter(told)), "another of the files")
    if claims.earlier is not None:
        return Owner(claims.earlier, "earlier runs")
    return guessed


def _with_name(owner: Owner | None, name: str | None, known_from: str) -> Owner:
    """An owner known by name; the id only says whose database it is."""
    return Owner(owner.id if owner else 0, known_from, owner is not None and owner.is_asked_for, name)


def _common_stranger(files: Sequence[Evidence]) -> Owner | None:
    """The one person who writes in every dialog beside its partner, over all files that do not tell their owner."""
    seen = [strangers for file in files if file.told is None for strangers in file.strangers if strangers]
    appearances = Counter(sender for strangers in seen for sender in strangers)
    everywhere = [sender for sender, times in appearances.items() if times == len(seen)]
    if len(everywhere) != 1:
        return None
    return Owner(everywhere[0], f"who writes in {'every dialog' if len(seen) > 1 else 'the dialog'} beside its partner")


def _common_name(files: Sequence[Evidence]) -> str | None:
    """The one name in every chat, if there are several."""
    seen = [{_fold(name): name for name in file.names} for file in files if file.names is not None]
    common = set.intersection(*map(set, seen)) if len(seen) > 1 else set()
    return seen[0][common.pop()] if len(common) == 1 else None


def _by_name(place: Place, names: frozenset[str], claims: Claims, common: str | None) -> tuple[str, str] | IngestError:
    """The owner's name as this file has it, and where that was learnt."""
    here = {_fold(name): name for name in names}
    if claims.me is not None:
        if _fold(claims.me) in here or len(here) < 2:
            return here.get(_fold(claims.me), claims.me), "--me"
        return IngestError(
            f"Nobody in {place} is called as --me says", "give your name exactly as it stands before your messages"
        )
    earlier = {_fold(name) for name in claims.earlier_names} & here.keys()
    if len(earlier) == 1:
        return here[earlier.pop()], "earlier runs"
    if common is not None and _fold(common) in here:
        return here[_fold(common)], "who writes in every chat"
    if (chosen := claims.choose(place, sorted(names))) is not None:
        return chosen, "your choice"
    return IngestError(
        f"{place} does not tell which of its people you are",
        "say your name, as it stands before your messages, with --me, or run this in a terminal to choose it",
    )


def _untold(place: Place) -> IngestError:
    return IngestError(
        f"{place} does not tell which of its people you are", "give your own Telegram user id with --owner-id"
    )


def _fold(name: str) -> str:
    return " ".join(name.replace("~", " ").split()).casefold()

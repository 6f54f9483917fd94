"""Many files, one after another: each its own transaction and its own record, and one bad file stops no other.

Knows nothing of formats or terminals.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from ingest.finding import Found
from ingest.formats import FORMATS, recognise
from ingest.known import KnownFiles, Reading
from ingest.ownership import Claims, decide
from ingest.pipeline import IngestReport, as_it_was, ingest, record_again
from ingest.places import Place
from ingest.source import OnBytes, Opened, Owner, Wishes
from ingest.stage import Rehearsal
from twin.errors import IngestError
from twin.store import Store


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        formats: the names of those that may be recognised.
        is_rehearsal: nothing is to be written, only told what would be.
    """

    wishes: Wishes
    claims: Claims
    formats: Sequence[str] = tuple(FORMATS)
    is_rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file, or of a path behind which there is none.

    Attributes:
        label: what its reader calls it; empty for a path that leads nowhere.
        report: None when it failed.
        error: why it failed.
        is_known: it was read before, and was not read again.
    """

    label: str
    report: IngestReport | None = None
    error: IngestError | None = None
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class _Ready:
    """A file that was looked through and is to be read."""

    place: Place
    state: tuple[int, int]
    reading: Reading
    opened: Opened


def ingest_files(
    found: Sequence[Found], store: Store, request: Request, on_bytes: OnBytes = lambda _: None
) -> list[Outcome]:
    """Bring in every file that can be brought in.

    Every file is looked through before the first is written: what one tells of the owner counts for the others.

    Args:
        on_bytes: told how many bytes were read, in all as many as `passes` of each file's format times its size.

    Returns:
        an outcome for each of `found`, in that order.

    Raises:
        StoreError: the database could not be written; what came in before stays in.
    """
    with as_it_was():
        looked = [_look(each, store, request, on_bytes) for each in found]
        ready = [each for each in looked if isinstance(each, _Ready)]
        owners = iter(decide([(each.place, each.opened.evidence) for each in ready], request.claims))
        with Rehearsal(store) if request.is_rehearsal else nullcontext() as rehearsal:
            return [
                each if isinstance(each, Outcome) else _read(each, next(owners), store, rehearsal) for each in looked
            ]


def _look(found: Found, store: Store, request: Request, on_bytes: OnBytes) -> Outcome | _Ready:
    if isinstance(found, IngestError):
        return Outcome("", error=found)
    try:
        state = found.state()
        name, kind = recognise(found, request.formats)
        wishes = request.wishes if kind.heeds_wishes else Wishes()
        reading = Reading(found.digest(), found.part, found.size, name, kind.version, wishes)
        asked = request.claims.asked or request.claims.settings
        report = KnownFiles(store.db).find(reading, asked)
        if report is not None:
            on_bytes(found.size * kind.passes)
            if not request.is_rehearsal:
                record_again(report, store)
            return Outcome(str(found), report, is_known=True)
        return _Ready(found, state, reading, kind.open(found, wishes, on_bytes))
    except IngestError as error:
        return Outcome(str(found), error=error)


def _read(ready: _Ready, owner: Owner | IngestError, store: Store, rehearsal: Rehearsal | None) -> Outcome:
    def remember(report: IngestReport) -> None:
        if (changed := _changed(ready)) is not None:
            raise changed
        KnownFiles(store.db).add(ready.reading, report)

    label = str(ready.place)
    if isinstance(owner, IngestError):
        return Outcome(label, error=owner)
    try:
        return Outcome(label, ingest(ready.opened.source(owner), store, rehearsal, remember))
    except IngestError as error:
        return Outcome(label, error=_changed(ready) or error)


def _changed(ready: _Ready) -> IngestError | None:
    """Why what was read counts for nothing, if the file is not what it was."""
    try:
        is_same = ready.place.state() == ready.state
    except IngestError as error:
        return error
    remedy = "run this again when it is complete"
    return None if is_same else IngestError(f"{ready.place} changed while it was being read", remedy)

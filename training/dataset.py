"""Messages to a training set: the way from what is stored to an immutable snapshot on disk.

Knows nothing of tokens or models; what is written here is text and times.

    load -> scrub -> sessions -> split by time -> held-out texts out of training -> balance -> write
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from training.balance import balance
from training.cuts import SPLITS, Cuts, Split, find_cuts, time_of, too_few
from training.gathering import Gathered, Progress, gather
from training.held_out import ALSO_HELD_OUT, take_out
from training.history import NOT_OWN, Run
from training.processes import uncollected
from training.snapshot import Account, Counts, Snapshot, SplitCounts, load, newest, publish
from training.timing import fit
from twin.conversations import fate
from twin.errors import DatasetError
from twin.forgotten import Forgettings
from twin.messages import Session
from twin.privacy import DETECTORS_VERSION
from twin.settings import Settings
from twin.store import Store

__all__ = ["SPLITS", "Cuts", "Snapshot", "Split", "build", "find_cuts", "load", "newest"]


def build(
    store: Store, settings: Settings, *, on_progress: Progress = lambda _what, _share: None, workers: int | None = None
) -> Snapshot:
    """Write the snapshot of what is stored now; the same messages and settings give the same one.

    The vault is written before it, so that the guard of replies is never older than what is learned.

    Args:
        workers: processes that look for secrets, by default one a core.

    Raises:
        DatasetError: there are too few replies of the owner to learn from and to hold out, or something was forgotten
            meanwhile.
    """
    wishes = Forgettings(store.db).all()
    with uncollected():
        snapshot = _build(store, settings, on_progress, workers)
    if Forgettings(store.db).all() != wishes:  # whoever forgets later finds the snapshot and removes it
        shutil.rmtree(snapshot.folder, ignore_errors=True)
        raise DatasetError("Something was forgotten while the dataset was being built", "build it again")
    return snapshot


def _build(store: Store, settings: Settings, on_progress: Progress, workers: int | None) -> Snapshot:
    gathered = gather(store, settings, on_progress=on_progress, workers=workers)
    on_progress("Cutting conversations", 0.7)
    language = gathered.language
    found = [list(history.sessions(language)) for history in gathered.histories]
    cuts = find_cuts([session for its in found for _, session in its if session is not None], settings.dataset)
    parts = _Parts()
    for history, its in zip(gathered.histories, found, strict=True):
        for split, run, session in history.parts(cuts, language, its):
            parts.add(split, run, session)
    on_progress("Comparing with what is held out", 0.8)
    taught = take_out(parts.held_out, parts.sessions["train"], language)
    mixed = take_out(parts.held_out, gathered.sets, language)
    parts.lost["train"].update(taught.lost)
    on_progress("Balancing", 0.85)
    parts.sessions["train"] = balance(taught.sessions, settings.dataset)
    for split in ("train", "val"):
        if not any(session.supervisable_turns for session in parts.sessions[split]):
            raise too_few()
    on_progress("Writing", 0.9)
    account = Account(
        dialogs=dict(gathered.dialogs),
        messages=_messages(gathered, taught.messages),
        turns={split: _became(parts.sessions[split], parts.lost[split]) for split in SPLITS},
        owner_turns=store.owner_turns(),
        sets=_sets(mixed.sessions),
        set_turns=_became(mixed.sessions, mixed.lost + gathered.lost_of_sets),
        found=dict(sorted(gathered.found.items())),
        scrub=settings.privacy.scrub,
        detectors=f"{DETECTORS_VERSION}",
        language=language,
    )
    timing = fit(
        (history.messages for history in gathered.histories),
        until=cuts.val_from,
        timezone=settings.owner.timezone,
        gap=timedelta(minutes=settings.dataset.session_gap_minutes),
    )
    written = {split: sorted(parts.sessions[split], key=_order) for split in SPLITS}
    written["train"] += mixed.sessions
    return publish(settings.datasets, cuts, written, account, timing.as_dict())


@dataclass(slots=True)
class _Parts:
    """The owner's own conversations by part, and the turns of the owner that are no turns any more, by reason."""

    sessions: dict[Split, list[Session]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    lost: dict[Split, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})
    held_out: list[str] = field(default_factory=list)

    def add(self, split: Split, run: Run, session: Session | None) -> None:
        """Take in what a run came to."""
        self.lost[split].update(run.lost_turns(session))
        if split != "train":
            self.held_out += [message.text for message in run.shown if message.text]
        if session is not None:
            self.sessions[split].append(session)


def _order(session: Session) -> tuple[float, int]:
    return time_of(session.turns[0]).timestamp(), session.chat_id


def _became(found: Iterable[Session], lost: Counter[str]) -> Counts:
    """What became of the owner's turns: "supervised", or the reason why not."""
    turns = (turn for session in found for turn in session.turns if turn.speaker == "owner")
    became = Counter(
        "supervised" if turn.is_supervisable else NOT_OWN if not turn.is_authored else str(turn.withheld)
        for turn in turns
    )
    return dict(sorted((became + lost).items()))


def _messages(gathered: Gathered, also_held_out: int) -> Counts:
    """What became of every message that is stored: "shown", or why not."""
    messages = gathered.messages.copy()
    for history in gathered.histories:
        for run in history.runs:
            messages["shown"] += len(run.raw) - len(run.gone)
            messages.update(run.gone.values())
    messages["empty"] = sum(fate(message) == "empty" for history in gathered.histories for message in history.messages)
    messages["shown"] -= messages["empty"] + also_held_out
    messages[ALSO_HELD_OUT] += also_held_out
    return dict(sorted((+messages).items()))


def _sets(found: Iterable[Session]) -> dict[str, SplitCounts]:
    sets: dict[str, SplitCounts] = {}
    for session in found:
        sets[session.origin] = sets.get(session.origin, SplitCounts()).plus(session)
    return sets

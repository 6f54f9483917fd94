"""Messages to a training set: the way from what is stored to an immutable snapshot on disk.

Knows nothing of tokens or models; what is written here is text and times.

    load -> scrub -> sessions -> split by time -> held-out texts out of training -> balance -> write
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from training.assembly import Assembly, finished
from training.balance import balance
from training.cuts import SPLITS, Cuts, Split, cuts_among, find_cuts, time_of, too_few
from training.drafts import Drafts
from training.gathering import Gathered, Progress, counting, gather
from training.held_out import NOTHING_TAKEN, TakenOut, take_out
from training.kept import Keeper, Kept
from training.processes import uncollected
from training.reading import peer_of
from training.reasons import ALSO_HELD_OUT, NOT_OWN, STATUSES, SUPERVISED
from training.reuse import version_of
from training.sets_alone import CUTS, hold_out
from training.sheet import Sheet
from training.snapshot import Account, Counts, Snapshot, SplitCounts, load, newest, publish
from training.timing import fit
from twin.errors import DatasetError
from twin.forgotten import Forgettings
from twin.language import of_owner
from twin.messages import Session
from twin.privacy import DETECTORS_VERSION
from twin.privacy.vault import Vault
from twin.settings import Settings
from twin.store import Store

__all__ = ["SPLITS", "Cuts", "Snapshot", "Split", "build", "find_cuts", "load", "newest"]

_CODE = ("training", "twin.privacy", "twin.conversations", "twin.placeholders", "twin.messages", "twin.words")
_LIBRARIES = ("phonenumbers", "python-stdnum", "mnemonic", "numpy")
_PACE_MESSAGES = 20_000


def build(
    store: Store, settings: Settings, *, on_progress: Progress = lambda _what, _share: None, workers: int | None = None
) -> Snapshot:
    """Write the snapshot of what is stored now; the same messages and settings give the same one.

    Conversations that were finished when the newest snapshot was built are taken from there, if nothing about them
    changed. The vault is written first, so that the guard of replies is never older than what is learned.

    Args:
        workers: processes that look for secrets, by default one a core.

    Raises:
        DatasetError: there are too few replies of the owner to learn from and to hold out, or something was forgotten
            meanwhile.
    """
    wishes = Forgettings(store.db).all()
    with uncollected():
        snapshot = _Build(store, settings, on_progress, workers).run()
    if Forgettings(store.db).all() != wishes:  # whoever forgets later finds the snapshot and removes it
        shutil.rmtree(snapshot.folder, ignore_errors=True)
        raise DatasetError("Something was forgotten while the dataset was being built", "build it again")
    return snapshot


class _Build:
    """One build: what it is given, and its steps in their order."""

    def __init__(self, store: Store, settings: Settings, on_progress: Progress, workers: int | None) -> None:
        self.store, self.settings, self.on_progress, self.workers = store, settings, on_progress, workers
        self.language = of_owner(store.db, settings)
        self.dialogs = store.dialogs()
        self.keeper = Keeper(store.db, self._tokens())

    def run(self) -> Snapshot:
        """Build with what is kept; without it if that reaches into what is held out now."""
        of, kept = self.keeper.begin()
        try:
            lines = list(load(self.settings.datasets, of).lines("train")) if kept else []
        except DatasetError:
            kept, lines = {}, []
        snapshot = self._with(kept, lines) or self._with({}, [])
        assert snapshot is not None  # nothing that was not kept can reach anywhere
        return snapshot

    def _with(self, kept: dict[int, Kept], lines: list[str]) -> Snapshot | None:
        gathered = gather(
            self.store, self.settings, self.dialogs, kept, on_progress=self.on_progress, workers=self.workers
        )
        self.on_progress("Cutting conversations", 0.7)
        if not gathered.histories and gathered.sets:
            return self._of_sets_alone(gathered)
        assembly = self._assemble(gathered, lines)
        if assembly is None:
            return None
        cuts, parts = assembly
        drafts = {split: Drafts.join(found) for split, found in parts.drafts.items()}
        self.on_progress("Comparing with what is held out", 0.8)
        taken = take_out(parts.held_out, drafts["train"], self.language)
        mixed = take_out(parts.held_out, Drafts.of(gathered.sets), self.language)
        self.on_progress("Balancing", 0.85)
        too_many = balance(taken.drafts.sheet, self.settings.dataset)
        self.on_progress("Writing", 0.9)
        train = _withheld(taken.drafts, too_many)
        parts.lost["train"].update(taken.lost)
        order = train.order()
        snapshot = publish(
            self.settings.datasets,
            cuts,
            {
                "train": [*(train.lines[row] for row in order), *mixed.drafts.lines],
                "val": _ordered(drafts["val"]),
                "test": _ordered(drafts["test"]),
            },
            _counts(drafts | {"train": train}),
            self._account(gathered, parts, drafts | {"train": train}, taken, mixed),
            self._timing(gathered, parts, cuts),
        )
        written = _lines_of(
            taken, order, {int(train.sheet.session_of_turn[turn]) for turn in too_many}, drafts["train"]
        )
        self.keeper.keep(
            snapshot.fingerprint, finished(gathered.histories, cuts, parts.owners, drafts["train"].sheet, written)
        )
        return snapshot

    def _of_sets_alone(self, gathered: Gathered) -> Snapshot:
        """Without any dialog that counts, the sets' own last rows are held out."""
        parts = {split: Drafts.of(its) for split, its in hold_out(gathered.sets, self.settings.dataset).items()}
        texts = [
            bubble.text
            for split in ("val", "test")
            for row in range(len(parts[split].lines))
            for turn in parts[split].session(row).turns
            for bubble in turn.bubbles
        ]
        taken = take_out(texts, parts["train"], self.language)
        drafts = parts | {"train": taken.drafts}
        account = self._account(gathered, Assembly(), drafts, taken, NOTHING_TAKEN)
        self.on_progress("Writing", 0.9)
        lines = {split: its.lines for split, its in drafts.items()}
        return publish(self.settings.datasets, CUTS, lines, _counts(drafts), account)

    def _assemble(self, gathered: Gathered, lines: list[str]) -> tuple[Cuts, Assembly] | None:
        """The cuts and the parts; None when what is kept reaches into what is held out now."""
        found = [history.sessions(self.language) for history in gathered.histories]
        sheets = [history.kept.sheet for history in gathered.histories if history.kept is not None]
        sessions = [session for its in found for _, session in its if session is not None]
        starts = [time_of(session.turns[0]) for session in sessions]
        turns = [time_of(turn) for session in sessions for turn in session.turns if turn.is_supervisable]
        for sheet in sheets:
            starts += map(_moment, sheet.start.tolist())
            turns += map(_moment, sheet.at[sheet.status == STATUSES.index(SUPERVISED)].tolist())
        cuts = cuts_among(starts, turns, self.settings.dataset)
        kept = [history.kept for history in gathered.histories if history.kept is not None]
        if any(len(its.last) and _moment(int(its.last.max())) >= cuts.val_from for its in kept):
            return None
        parts = Assembly()
        for history, its in zip(gathered.histories, found, strict=True):
            parts.add(history, its, cuts, self.language, lines)
        return cuts, parts

    def _account(
        self, gathered: Gathered, parts: Assembly, drafts: Mapping[Split, Drafts], taken: TakenOut, mixed: TakenOut
    ) -> Account:
        messages = parts.messages + gathered.messages
        messages["shown"] -= taken.messages
        messages[ALSO_HELD_OUT] += taken.messages
        return Account(
            dialogs=dict(sorted(gathered.dialogs.items())),
            messages=_sorted(messages),
            turns={split: _sorted(Counter(drafts[split].sheet.became()) + parts.lost[split]) for split in SPLITS},
            owner_turns=self.store.owner_turns(),
            sets=_sets(mixed.drafts),
            set_turns=_sorted(_became(mixed.drafts) + mixed.lost + gathered.lost_of_sets),
            found=dict(sorted(gathered.found.items())),
            scrub=self.settings.privacy.scrub,
            detectors=f"{DETECTORS_VERSION}",
            language=self.language,
        )

    def _timing(self, gathered: Gathered, parts: Assembly, cuts: Cuts) -> dict[str, Any]:
        """How fast the owner is nowadays: in the newest 20,000 messages before what is held out."""
        since, left = cuts.val_from, _PACE_MESSAGES
        for last, count in sorted(parts.seen, reverse=True):
            if left <= 0:
                break
            since, left = min(since, _moment(last)), left - count
        dialogs = (
            [m for m in self.store.each_message(history.chat_id, since) if m.deleted_at is None]
            for history in gathered.histories
        )
        dataset = self.settings.dataset
        gap = timedelta(minutes=dataset.session_gap_minutes)
        return fit(dialogs, until=cuts.val_from, timezone=self.settings.owner.timezone, gap=gap).as_dict()

    def _tokens(self) -> dict[int, str]:
        """By dialog that counts, what changes with everything but its messages on which its sessions depend."""
        settings = self.settings
        told = {
            "code": version_of(*_CODE, libraries=_LIBRARIES),
            "gap": settings.dataset.session_gap_minutes,
            "scrub": settings.privacy.scrub,
            "words": sorted(settings.privacy.words),
            "people": sorted(settings.privacy.people),
            "language": self.language,
            "vault": Vault.empty(settings.home).mark,
        }
        return {
            dialog.chat_id: hashlib.blake2b(
                json.dumps(told | {"peer": repr(peer_of(dialog, settings.dataset))}, sort_keys=True).encode(),
                digest_size=16,
            ).hexdigest()
            for dialog in counting(self.dialogs, settings)
        }


def _withheld(drafts: Drafts, reasons: Mapping[int, str]) -> Drafts:
    status = drafts.sheet.status.copy()
    for turn, reason in reasons.items():
        status[turn] = STATUSES.index(reason)
    return Drafts(drafts.withhold(reasons), replace(drafts.sheet, status=status))


def _ordered(drafts: Drafts) -> list[str]:
    return [drafts.lines[row] for row in drafts.order()]


def _lines_of(taken: TakenOut, order: list[int], balanced: set[int], before: Drafts) -> dict[int, tuple[int, bool]]:
    """By row of the drafts as they were before, where its line stands now and whether balance changed it."""
    line_of = {row: line for line, row in enumerate(order)}
    changed = set(taken.changed)
    rows = (row for row in range(len(before.lines)) if row not in changed)
    return {row: (line_of[now], now in balanced) for now, row in enumerate(rows)}


def _counts(drafts: Mapping[Split, Drafts]) -> dict[Split, SplitCounts]:
    """What the parts hold.

    Raises:
        DatasetError: there is nothing to train on, or nothing to measure with.
    """
    counts = {split: _count(drafts[split].sheet) for split in SPLITS}
    if not (counts["train"].supervised_turns and counts["val"].supervised_turns):
        raise too_few()
    return counts


def _count(sheet: Sheet) -> SplitCounts:
    taught = sheet.status == STATUSES.index(SUPERVISED)
    return SplitCounts(len(sheet), len(sheet.status), int(taught.sum()), int(sheet.characters[taught].sum()))


def _sets(found: Iterable[Session]) -> dict[str, SplitCounts]:
    sets: dict[str, SplitCounts] = {}
    for session in found:
        sets[session.origin] = sets.get(session.origin, SplitCounts()).plus(session)
    return sets


def _became(found: Iterable[Session]) -> Counter[str]:
    """What became of the owner's turns in sessions from anywhere, which may have been withheld for any reason."""
    turns = (turn for session in found for turn in session.turns if turn.speaker == "owner")
    return Counter(
        SUPERVISED if turn.is_supervisable else NOT_OWN if not turn.is_authored else str(turn.withheld)
        for turn in turns
    )


def _sorted(counts: Counter[str]) -> Counts:
    return dict(sorted((+counts).items()))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

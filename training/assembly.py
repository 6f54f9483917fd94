"""The parts of a training set put together: from the sessions of every dialog, finished ones as they were written
before.

Knows nothing of how messages are read or judged, nor of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from training.cuts import SPLITS, Cuts, Split
from training.drafts import Drafts
from training.history import History, Run
from training.kept import NO_SESSION, NOTHING, READ_AGAIN, Kept, KeptRun, Told
from training.reasons import DIALOG_SHARE, REPEATED
from training.sheet import Sheet
from twin.messages import Session
from twin.session_lines import read_session, write_session

Found = list[tuple[Run, Session | None]]


@dataclass(slots=True)
class Assembly:
    """The owner's own conversations by part, before anything is taken out for balance or because it is held out.

    Attributes:
        drafts: by part; those of training dialog by dialog, finished ones first.
        owners: of each draft of training: the dialog, and the run, or the row of the finished run.
        held_out: texts of the messages of the held-out parts.
        lost: turns of the owner that are no turns any more, by part and reason.
        messages: by what became of them.
        seen: of every run when it ended and how many messages it has.
    """

    drafts: dict[Split, list[Drafts]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    owners: list[tuple[int, Run | int]] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    lost: dict[Split, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})
    messages: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[int, int]] = field(default_factory=list)

    def add(self, history: History, found: Found, cuts: Cuts, language: str, lines: Sequence[str]) -> None:
        """Take in a dialog.

        Args:
            found: what `history.sessions` returned.
            lines: of the train part of the snapshot in which its finished conversations stand.
        """
        if history.kept is not None:
            self._add_finished(history.chat_id, history.kept, lines)
        for run in history.own_runs:
            self.seen.append((run.last, len(run.raw)))
            self.messages.update(run.gone.values())
            self.messages["empty"] += run.empty
            self.messages["shown"] += len(run.raw) - len(run.gone) - run.empty
        sessions: dict[Split, list[Session]] = {split: [] for split in SPLITS}
        for split, run, session in history.parts(cuts, language, found):
            run.lost = run.lost_turns(session)
            self.lost[split].update(run.lost)
            if split != "train":
                self.held_out += [message.text for message in run.shown if message.text]
            if session is not None:
                sessions[split].append(session)
                if split == "train":
                    self.owners.append((history.chat_id, run))
        for split, its in sessions.items():
            self.drafts[split].append(Drafts.of(its))

    def _add_finished(self, chat_id: int, kept: Kept, lines: Sequence[str]) -> None:
        rows = np.flatnonzero(kept.line >= 0).tolist()
        self.owners += [(chat_id, row) for row in rows]
        self.drafts["train"].append(
            Drafts(
                [
                    _unbalanced(lines[kept.line[row]]) if kept.is_balanced[row] else lines[kept.line[row]]
                    for row in rows
                ],
                kept.sheet,
            )
        )
        counted = kept.line != READ_AGAIN
        self.seen += zip(kept.last[counted].tolist(), kept.count[counted].tolist(), strict=True)
        self.messages["shown"] += int(kept.count[counted].sum())
        for told in kept.told.values():
            self.lost["train"].update(told.lost)
            self.messages.update(told.gone)
            self.messages["empty"] += told.empty
            self.messages["shown"] -= told.empty + sum(told.gone.values())


def finished(
    histories: Sequence[History],
    cuts: Cuts,
    owners: Sequence[tuple[int, Run | int]],
    train: Sheet,
    written: dict[int, tuple[int, bool]],
) -> dict[int, Kept]:
    """What need not be worked out again, by dialog.

    Args:
        owners, train: of the train part, as they were assembled.
        written: by row of `train`, the line in which it stands now and whether turns are withheld there for balance;
            for rows that were changed otherwise nothing.
    """
    row_of_run = {id(run) if isinstance(run, Run) else (chat, run): row for row, (chat, run) in enumerate(owners)}
    kept = {}
    for history in histories:
        runs, rows, until = _finished_runs(history, cuts, row_of_run, written)
        if until is not None and runs:
            chosen = np.zeros(len(train), dtype=np.bool_)
            chosen[rows] = True
            kept[history.chat_id] = Kept.of(until, runs, train.take(chosen))
    return kept


def _finished_runs(
    history: History,
    cuts: Cuts,
    row_of_run: Mapping[int | tuple[int, int], int],
    written: dict[int, tuple[int, bool]],
) -> tuple[list[KeptRun], list[int], int | None]:
    """The rows to keep, in the order of the train part; those of their sheet; and when the first other run begins."""
    runs: list[KeptRun] = []
    rows: list[int] = []

    def add(run: KeptRun, row: int | None) -> None:
        line, is_balanced = (NO_SESSION, False) if row is None else written.get(row, (READ_AGAIN, False))
        if line >= 0 and row is not None:
            rows.append(row)
        told = NOTHING if line == READ_AGAIN else run.told
        runs.append(replace(run, line=line, is_balanced=is_balanced, told=told))

    if (kept := history.kept) is not None:
        for row in np.flatnonzero(kept.line != READ_AGAIN).tolist():
            columns = (int(kept.first[row]), int(kept.last[row]), int(kept.count[row]))
            old = KeptRun(*columns, NO_SESSION, False, kept.scrub[row], kept.told.get(row, NOTHING))
            add(old, row_of_run.get((history.chat_id, row)))
    own = history.own_runs
    for place, run in enumerate(own):
        if place == len(own) - 1 or cuts.split_of(run.raw[-1].sent_at) != "train":
            return runs, rows, run.first
        add(_kept_run(run, history), row_of_run.get(id(run)))
    return runs, rows, kept.until if kept is not None else None


def _kept_run(run: Run, history: History) -> KeptRun:
    told = Told(dict(Counter(run.gone.values())), run.empty, dict(run.lost), dict(run.found), run.vault)
    return KeptRun(run.first, run.last, len(run.raw), NO_SESSION, False, run.key, told)


def _unbalanced(line: str) -> str:
    """A line as it was before turns were withheld for balance, which depends on all the others."""
    session = read_session(line)
    turns = tuple(
        replace(turn, withheld=None) if turn.withheld in (REPEATED, DIALOG_SHARE) else turn for turn in session.turns
    )
    return write_session(replace(session, turns=turns))

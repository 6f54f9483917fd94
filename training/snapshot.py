"""A training set on disk: sessions by part as JSONL, with a manifest; never changed once written.

Knows nothing of how sessions come about, nor of tokens or models.

    datasets/<fingerprint>/
      train.jsonl, val.jsonl, test.jsonl   one session a line: {"chat_id", "turns": [{"speaker", "bubbles", ...}], ...}
      manifest.json                        cuts, counts, and what became of every message and every turn of the owner
      timing.json                          how fast the owner answers, for human pacing

The fingerprint is the SHA-256 of the cuts and of the three parts: the same messages and settings give the same one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from training.cuts import SPLITS, Cuts, Split
from twin.errors import DatasetError
from twin.messages import Session
from twin.session_lines import MANIFEST, newest_folder, read_session

_TIMING = "timing.json"
_INCOMING = ".incoming-"

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """What one part, or one imported set, holds. `characters` are the owner's supervised ones."""

    sessions: int = 0
    turns: int = 0
    supervised_turns: int = 0
    characters: int = 0

    def plus(self, session: Session) -> SplitCounts:
        """With one more session."""
        taught = [turn.characters for turn in session.turns if turn.is_supervisable]
        return SplitCounts(
            self.sessions + 1,
            self.turns + len(session.turns),
            self.supervised_turns + len(taught),
            self.characters + sum(taught),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """What became of everything that was stored: the numbers of each mapping add up to all there was.

    Attributes:
        dialogs: by whether they count: "used", or why they are left out.
        messages: of all dialogs by what became of them: "shown", or why not.
        turns: of the owner, by part, then by what became of them: "supervised", or why not.
        owner_turns: how many turns of the owner were stored when it was built, in all dialogs.
        sets: what imported and made rows came to, by the set's name; all of them are in the train part.
        set_turns: of the owner in them, by what became of them.
        found: secrets found, by label, wherever they stood.
        scrub: whether what was found was taken out.
        detectors: version of the rules that looked.
        language: of the owner, ISO 639-1; placeholders are written in it.
    """

    dialogs: Counts = field(default_factory=dict)
    messages: Counts = field(default_factory=dict)
    turns: dict[str, Counts] = field(default_factory=dict)
    owner_turns: int = 0
    sets: dict[str, SplitCounts] = field(default_factory=dict)
    set_turns: Counts = field(default_factory=dict)
    found: Counts = field(default_factory=dict)
    scrub: bool = True
    detectors: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A dataset on disk.

    Attributes:
        fingerprint: 16 hex digits of the SHA-256 of its cuts and sessions.
        cuts: where its held-out parts begin.
        counts: by split; what was imported or made is in none of them but in `account.sets`.
        account: what became of everything that was stored.
    """

    folder: Path
    fingerprint: str
    cuts: Cuts
    counts: dict[str, SplitCounts]
    account: Account

    @property
    def owner_turns(self) -> int:
        """How many turns of the owner were stored when it was built: what tells whether enough is new since."""
        return self.account.owner_turns

    @property
    def timing(self) -> dict[str, Any]:
        """How fast the owner answers, as it was fitted on the training period; empty when nothing was."""
        path = self.folder / _TIMING
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return values

    def lines(self, split: Split) -> Iterator[str]:
        """Its sessions of one part as they are written, in the order of the file."""
        with (self.folder / f"{split}.jsonl").open(encoding="utf-8", newline="\n") as file:
            yield from file

    def sessions(self, split: Split) -> Iterator[Session]:
        """Its sessions of one part: by start, then by chat; imported and made ones last."""
        for line in self.lines(split):
            yield read_session(line)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the manifest and for scripts."""
        return {
            "fingerprint": self.fingerprint,
            "cuts": {name: value.isoformat() for name, value in asdict(self.cuts).items()},
            "counts": {split: asdict(counts) for split, counts in self.counts.items()},
            **asdict(self.account),
        }


def publish(
    folder: Path,
    cuts: Cuts,
    lines: Mapping[Split, Iterable[str]],
    counts: Mapping[Split, SplitCounts],
    account: Account,
    timing: Mapping[str, Any] | None = None,
) -> Snapshot:
    """Write a snapshot beside the others, by rename; one with the same sessions stays and counts as built now.

    Args:
        lines: of each part, as `write_session` makes them.
        counts: of each part, without what was imported or made.

    Raises:
        DatasetError: it cannot be written.
    """
    incoming = folder / f"{_INCOMING}{os.getpid()}"
    try:
        for leftover in folder.glob(f"{_INCOMING}*"):  # of builds that were killed
            shutil.rmtree(leftover, ignore_errors=True)
        incoming.mkdir(parents=True)
        for split in SPLITS:
            with (incoming / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(lines[split])
        snapshot = Snapshot(
            incoming, _fingerprint(incoming, cuts), cuts, {str(split): its for split, its in counts.items()}, account
        )
        (incoming / MANIFEST).write_text(json.dumps(snapshot.as_dict(), indent=2) + "\n", encoding="utf-8")
        if timing:
            (incoming / _TIMING).write_text(json.dumps(timing, indent=2) + "\n", encoding="utf-8")
        target = folder / snapshot.fingerprint
        if target.exists():
            for told in (_TIMING, MANIFEST):  # the same sessions may be told otherwise: other rules, other counts
                if (incoming / told).exists():
                    (incoming / told).replace(target / told)
        else:
            incoming.rename(target)
    except OSError as error:
        raise DatasetError(
            f"The dataset cannot be written to {folder} ({error.strerror})", "check the permissions and free disk space"
        ) from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return load(folder, snapshot.fingerprint)


def load(folder: Path, fingerprint: str) -> Snapshot:
    """Open a snapshot and check it against its fingerprint.

    Raises:
        DatasetError: there is none, or it was altered.
    """
    path = folder / fingerprint
    rebuild = "delete its folder and run `twin dataset build`"
    try:
        values = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        cuts = Cuts(*(datetime.fromisoformat(values["cuts"][name]) for name in ("val_from", "test_from")))
        snapshot = Snapshot(path, values["fingerprint"], cuts, _read_counts(values["counts"]), _read_account(values))
        is_whole = _fingerprint(path, cuts) == fingerprint
    except FileNotFoundError as error:
        if (path / MANIFEST).exists():
            raise DatasetError(f"The dataset {fingerprint} is incomplete", rebuild) from error
        raise DatasetError(f"There is no dataset {fingerprint!r}", "build one with `twin dataset build`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The dataset {fingerprint} is damaged", rebuild) from error
    if not is_whole:
        raise DatasetError(f"The dataset {fingerprint} was altered", rebuild)
    return snapshot


def newest(folder: Path) -> Snapshot:
    """The snapshot that was built last.

    Raises:
        DatasetError: none was built yet.
    """
    return load(folder, newest_folder(folder).name)


def _fingerprint(folder: Path, cuts: Cuts) -> str:
    digest = hashlib.sha256(f"{cuts.val_from.isoformat()} {cuts.test_from.isoformat()}\n".encode())
    for split in SPLITS:
        with (folder / f"{split}.jsonl").open("rb") as file:
            digest.update(f"{split} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _read_counts(values: dict[str, dict[str, int]]) -> dict[str, SplitCounts]:
    return {name: SplitCounts(**counts) for name, counts in values.items()}


def _read_account(values: dict[str, Any]) -> Account:
    """What an older version did not count yet stays empty."""
    told = {name: values[name] for name in Account.__dataclass_fields__ if name in values}
    return Account(**told | {"sets": _read_counts(told.get("sets", {}))})

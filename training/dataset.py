"""Messages to an immutable training snapshot: sessions, split by time, on disk as JSONL with a manifest.

Knows nothing of tokens or models; what is written here is text and times.

    datasets/<fingerprint>/
      sessions.jsonl   one session a line: {"chat_id", "split", "turns": [{"speaker", "bubbles", ...}]}
      manifest.json    counts, cuts, and the fingerprint: SHA-256 of the cuts and of sessions.jsonl
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from twin.conversations import bubble, sessions
from twin.errors import DatasetError
from twin.messages import Bubble, Message, Session, Turn
from twin.sections import DatasetSettings
from twin.store import Store

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
_SESSIONS = "sessions.jsonl"
_MANIFEST = "manifest.json"
_INCOMING = ".incoming-"


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where validation and test begin, aware UTC: held-out means *later* than everything before it."""

    val_from: datetime
    test_from: datetime

    def split_of(self, moment: datetime) -> Split:
        """Which part a message of this moment belongs to."""
        return "test" if moment >= self.test_from else "val" if moment >= self.val_from else "train"


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """What one part holds. `characters` are the owner's supervised ones."""

    sessions: int
    turns: int
    supervised_turns: int
    characters: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A dataset on disk; never changed once written.

    Attributes:
        fingerprint: 16 hex digits of the SHA-256 of its cuts and sessions.
        cuts: where its held-out parts begin.
        counts: by split.
        messages: counts by what became of them: "shown", "empty".
        owner_turns_not_supervised: owner turns without own words (only forwards, media, a bot's), by split.
        owner_turns: how many turns of the owner were stored when it was built.
    """

    folder: Path
    fingerprint: str
    cuts: Cuts
    counts: dict[str, SplitCounts]
    messages: dict[str, int]
    owner_turns_not_supervised: dict[str, int]
    owner_turns: int

    def sessions(self, split: Split) -> Iterator[Session]:
        """Its sessions of one part, in the order of the file: by start, then by chat."""
        with (self.folder / _SESSIONS).open(encoding="utf-8") as file:
            for line in file:
                values = json.loads(line)
                if values["split"] == split:
                    yield _read_session(values)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the manifest and for scripts."""
        values = asdict(self)
        del values["folder"]
        values["cuts"] = {name: value.isoformat() for name, value in values["cuts"].items()}
        return values


def build(store: Store, settings: DatasetSettings, folder: Path) -> Snapshot:
    """Write the snapshot of what is stored now; the same messages and settings give the same one.

    Raises:
        DatasetError: there are too few replies of the owner to learn from and to hold out.
    """
    gap = timedelta(minutes=settings.session_gap_minutes)
    dialogs = [store.messages(dialog.chat_id) for dialog in store.dialogs()]
    cuts = find_cuts([session for messages in dialogs for session in sessions(messages, gap)], settings)
    parts = _split_sessions(dialogs, cuts, gap)
    counts: dict[str, SplitCounts] = {
        split: _count([session for part, session in parts if part == split]) for split in SPLITS
    }
    if not (counts["train"].supervised_turns and counts["val"].supervised_turns):
        raise _too_few()
    text = "".join(
        json.dumps(_write_session(split, session), ensure_ascii=False, sort_keys=True) + "\n"
        for split, session in parts
    )
    snapshot = Snapshot(
        folder=folder,
        fingerprint=_fingerprint(cuts, text.encode()),
        cuts=cuts,
        counts=counts,
        messages=dict(Counter("shown" if bubble(m) else "empty" for messages in dialogs for m in messages)),
        owner_turns_not_supervised=dict(
            Counter(
                split
                for split, session in parts
                for turn in session.turns
                if turn.speaker == "owner" and not turn.is_supervisable
            )
        ),
        owner_turns=store.owner_turns(),
    )
    return _write(snapshot, text, folder)


def _split_sessions(dialogs: Sequence[Sequence[Message]], cuts: Cuts, gap: timedelta) -> list[tuple[Split, Session]]:
    """Every session with its part, by start, then by chat; a session across a cut becomes two."""
    parts = [
        (split, session)
        for messages in dialogs
        for split, part in split_by_time(messages, cuts).items()
        for session in sessions(part, gap)
    ]
    return sorted(parts, key=lambda pair: (_time(pair[1].turns[0]), pair[1].chat_id))


def _fingerprint(cuts: Cuts, text: bytes) -> str:
    moments = f"{cuts.val_from.isoformat()} {cuts.test_from.isoformat()}\n"
    return hashlib.sha256(moments.encode() + text).hexdigest()[:16]


def find_cuts(found: Sequence[Session], settings: DatasetSettings) -> Cuts:
    """Where to cut: as set, else so that the latest shares of supervised turns are held out.

    A cut is the start of a session where that comes close to the share, else of a turn.

    Raises:
        DatasetError: fewer than three supervised turns, or the cuts are in the wrong order.
    """
    starts = [session.turns[0].started_at for session in found]
    turns = sorted(_time(turn) for session in found for turn in session.turns if turn.is_supervisable)
    if len(turns) < 3:
        raise _too_few()
    limit = settings.max_held_out_turns
    test_from = settings.test_from or _cut(turns, starts, min(settings.test_share * len(turns), limit))
    test_from = _aware(test_from)
    before = [moment for moment in turns if moment < test_from]
    val_from = settings.val_from or _cut(before, starts, min(settings.val_share * len(turns), limit))
    cuts = Cuts(_aware(val_from), test_from)
    if cuts.val_from > cuts.test_from:
        raise DatasetError("dataset.val_from is later than dataset.test_from", "exchange them in twin.toml")
    return cuts


def _cut(turns: Sequence[datetime], starts: Sequence[datetime | None], wanted: float) -> datetime:
    if len(turns) < 2:
        raise _too_few()
    exact = turns[-max(1, round(wanted))]
    earlier = max((start for start in starts if start is not None and start <= exact), default=exact)
    held_out = sum(moment >= earlier for moment in turns)
    return earlier if held_out <= 2 * wanted + 1 and earlier > turns[0] else exact


def split_by_time(messages: Sequence[Message], cuts: Cuts) -> dict[Split, list[Message]]:
    """One dialog's messages by part; nothing later than a cut stands before it."""
    parts: dict[Split, list[Message]] = {split: [] for split in SPLITS}
    for message in messages:
        parts[cuts.split_of(message.sent_at)].append(message)
    return parts


def load(folder: Path, fingerprint: str) -> Snapshot:
    """Open a snapshot and check it against its fingerprint.

    Raises:
        DatasetError: there is none, or it was altered.
    """
    path = folder / fingerprint
    try:
        values = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        text = (path / _SESSIONS).read_bytes()
        snapshot = _read_manifest(path, values)
    except FileNotFoundError as error:
        raise DatasetError(f"There is no dataset {fingerprint!r}", "build one with `twin dataset build`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"The dataset {fingerprint} is damaged", "delete its folder and run `twin dataset build`"
        ) from error
    if _fingerprint(snapshot.cuts, text) != fingerprint:
        raise DatasetError(f"The dataset {fingerprint} was altered", "delete its folder and run `twin dataset build`")
    return snapshot


def newest(folder: Path) -> Snapshot:
    """The snapshot that was built last.

    Raises:
        DatasetError: none was built yet.
    """
    manifests = sorted(folder.glob(f"[!.]*/{_MANIFEST}"), key=lambda path: path.stat().st_mtime)
    if not manifests:
        raise DatasetError("No dataset was built yet", "run `twin dataset build`")
    return load(folder, manifests[-1].parent.name)


def _write(snapshot: Snapshot, text: str, folder: Path) -> Snapshot:
    """Publish by rename; what is there already stays as it is and counts as built now."""
    target = folder / snapshot.fingerprint
    incoming = folder / f"{_INCOMING}{os.getpid()}"
    try:
        for leftover in folder.glob(f"{_INCOMING}*"):  # of builds that were killed
            shutil.rmtree(leftover, ignore_errors=True)
        if target.exists():
            os.utime(target / _MANIFEST)
            return load(folder, snapshot.fingerprint)
        incoming.mkdir(parents=True)
        (incoming / _SESSIONS).write_text(text, encoding="utf-8")
        (incoming / _MANIFEST).write_text(json.dumps(snapshot.as_dict(), indent=2) + "\n", encoding="utf-8")
        incoming.rename(target)
    except OSError as error:
        raise DatasetError(
            f"The dataset cannot be written to {folder} ({error.strerror})", "check the permissions and free disk space"
        ) from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return load(folder, snapshot.fingerprint)


def _read_manifest(folder: Path, values: dict[str, Any]) -> Snapshot:
    return Snapshot(
        folder=folder,
        fingerprint=values["fingerprint"],
        cuts=Cuts(*(datetime.fromisoformat(values["cuts"][name]) for name in ("val_from", "test_from"))),
        counts={split: SplitCounts(**counts) for split, counts in values["counts"].items()},
        messages=values["messages"],
        owner_turns_not_supervised=values["owner_turns_not_supervised"],
        owner_turns=values["owner_turns"],
    )


def _count(found: Sequence[Session]) -> SplitCounts:
    return SplitCounts(
        sessions=len(found),
        turns=sum(len(session.turns) for session in found),
        supervised_turns=sum(session.supervisable_turns for session in found),
        characters=sum(t.characters for session in found for t in session.turns if t.is_supervisable),
    )


def _write_session(split: Split, session: Session) -> dict[str, Any]:
    return {
        "chat_id": session.chat_id,
        "split": split,
        "turns": [
            {
                "speaker": turn.speaker,
                "bubbles": [{"text": part.text, "authored": part.authored} for part in turn.bubbles],
                "started_at": _time(turn).isoformat(),
                "ended_at": (turn.ended_at or _time(turn)).isoformat(),
            }
            for turn in session.turns
        ],
    }


def _read_session(values: dict[str, Any]) -> Session:
    return Session(
        values["chat_id"],
        tuple(
            Turn(
                turn["speaker"],
                tuple(Bubble(part["text"], part["authored"]) for part in turn["bubbles"]),
                datetime.fromisoformat(turn["started_at"]),
                datetime.fromisoformat(turn["ended_at"]),
            )
            for turn in values["turns"]
        ),
    )


def _time(turn: Turn) -> datetime:
    if turn.started_at is None:
        raise DatasetError("A stored message has no time", "ingest it again")
    return turn.started_at


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _too_few() -> DatasetError:
    return DatasetError(
        "There are too few replies of yours to learn from and to hold out",
        "ingest more dialogs with `twin ingest export`, and check `twin ingest status`",
    )

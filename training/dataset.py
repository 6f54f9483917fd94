"""Messages to a training set: the way from what is stored to an immutable snapshot on disk.

Knows nothing of tokens or models; what is written here is text and times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from training.cuts import SPLITS, Cuts, Split, find_cuts, split_by_time, time_of, too_few
from training.snapshot import Account, Snapshot, count, load, newest, publish
from twin.conversations import bubble, sessions
from twin.messages import Message, Session
from twin.settings import Settings
from twin.store import Store

__all__ = ["SPLITS", "Cuts", "Snapshot", "Split", "build", "find_cuts", "load", "newest"]


def build(store: Store, settings: Settings) -> Snapshot:
    """Write the snapshot of what is stored now; the same messages and settings give the same one.

    Raises:
        DatasetError: there are too few replies of the owner to learn from and to hold out.
    """
    gap = timedelta(minutes=settings.dataset.session_gap_minutes)
    dialogs = [store.messages(dialog.chat_id) for dialog in store.dialogs()]
    cuts = find_cuts([session for messages in dialogs for session in sessions(messages, gap)], settings.dataset)
    parts = _split_sessions(dialogs, cuts, gap)
    counts = {split: count([session for part, session in parts if part == split]) for split in SPLITS}
    if not (counts["train"].supervised_turns and counts["val"].supervised_turns):
        raise too_few()
    account = Account(
        dialogs={"used": len(dialogs)},
        messages=dict(Counter("shown" if bubble(m) else "empty" for messages in dialogs for m in messages)),
        turns={split: _became([session for part, session in parts if part == split]) for split in SPLITS},
        owner_turns=store.owner_turns(),
    )
    by_part = {split: [session for part, session in parts if part == split] for split in SPLITS}
    return publish(settings.datasets, cuts, by_part, account)


def _became(found: Sequence[Session]) -> dict[str, int]:
    turns = [turn for session in found for turn in session.turns if turn.speaker == "owner"]
    return dict(Counter("supervised" if turn.is_supervisable else turn.withheld or "not own words" for turn in turns))


def _split_sessions(dialogs: Sequence[Sequence[Message]], cuts: Cuts, gap: timedelta) -> list[tuple[Split, Session]]:
    """Every session with its part, by start, then by chat; a session across a cut becomes two."""
    parts = [
        (split, session)
        for messages in dialogs
        for split, part in split_by_time(messages, cuts).items()
        for session in sessions(part, gap)
    ]
    return sorted(parts, key=lambda pair: (time_of(pair[1].turns[0]), pair[1].chat_id))

"""Snapshots of made-up sessions, written as a build writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training import snapshot
from training.cuts import SPLITS, Cuts
from training.snapshot import Account, Snapshot, SplitCounts
from twin.messages import Session
from twin.session_lines import write_session


def publish(
    folder: Path,
    cuts: Cuts,
    parts: Mapping[str, Sequence[Session]],
    account: Account,
    timing: Mapping[str, Any] | None = None,
) -> Snapshot:
    """A snapshot of these sessions; what did not come from Telegram is in no count."""
    counts = {split: SplitCounts() for split in SPLITS}
    for split in SPLITS:
        for session in parts[split]:
            counts[split] = counts[split].plus(session) if session.origin == "telegram" else counts[split]
    lines = {split: [write_session(session) for session in parts[split]] for split in SPLITS}
    return snapshot.publish(folder, cuts, lines, counts, account, timing)

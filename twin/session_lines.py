"""Sessions as lines of JSON, as snapshots keep them, and which snapshot is the newest.

Knows nothing of how sessions come about, nor of what makes a snapshot whole: that is training/snapshot.py.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from twin.errors import DatasetError
from twin.messages import Bubble, Peer, Session, Speaker, Turn

MANIFEST = "manifest.json"
_TELEGRAM = Session(0, ()).origin


def newest_folder(datasets: Path) -> Path:
    """The folder of the snapshot that was built last.

    Raises:
        DatasetError: none was built yet.
    """
    manifests = sorted(datasets.glob(f"[!.]*/{MANIFEST}"), key=lambda path: path.stat().st_mtime)
    if not manifests:
        raise DatasetError("No dataset was built yet", "run `twin dataset build`")
    return manifests[-1].parent


def write_session(session: Session) -> str:
    """One session as a line of JSON; what is as usual (authored, from Telegram, not withheld) is not spelled out."""
    values: dict[str, Any] = {"chat_id": session.chat_id}
    if session.origin != _TELEGRAM:
        values["origin"] = session.origin
    if session.peer != Peer():
        values["peer"] = {"name": session.peer.name, "relation": session.peer.relation}
    if session.previous_at is not None:
        values["previous_at"] = session.previous_at.isoformat()
    values["turns"] = [_write_turn(turn) for turn in session.turns]
    return json.dumps(values, ensure_ascii=False) + "\n"


def read_session(line: str) -> Session:
    """The inverse of `write_session`."""
    values = json.loads(line)
    return Session(
        values["chat_id"],
        tuple(_read_turn(turn) for turn in values["turns"]),
        Peer(**values["peer"]) if "peer" in values else Peer(),
        values.get("origin", _TELEGRAM),
        _moment(values.get("previous_at")),
    )


def _write_turn(turn: Turn) -> dict[str, Any]:
    values: dict[str, Any] = {
        "speaker": turn.speaker,
        "bubbles": [b.text if b.authored else {"text": b.text, "authored": False} for b in turn.bubbles],
    }
    if turn.started_at is not None:
        values["started_at"] = turn.started_at.isoformat()
    if turn.ended_at is not None:
        values["ended_at"] = turn.ended_at.isoformat()
    if turn.withheld is not None:
        values["withheld"] = turn.withheld
    return values


def _read_turn(values: dict[str, Any]) -> Turn:
    speaker: Speaker = values["speaker"]
    return Turn(
        speaker,
        tuple(Bubble(part) if isinstance(part, str) else Bubble(**part) for part in values["bubbles"]),
        _moment(values.get("started_at")),
        _moment(values.get("ended_at")),
        values.get("withheld"),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

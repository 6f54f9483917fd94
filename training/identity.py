"""Which training this is: what tells one run from every other, and whether one that broke off may go on.

Knows nothing of what a checkpoint holds.

A run that broke off learns from the snapshot that it began with. New messages come in all the time, and each makes
another snapshot, so the older one is used as long as everything in it is still to be learned: nothing was forgotten,
left out, edited or scrubbed otherwise since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from training.checkpoint import NAME, write_whole
from training.cuts import SPLITS
from training.encode import Window
from training.reuse import version_of
from training.snapshot import Snapshot, load
from training.windows import write_windows
from twin.errors import DatasetError
from twin.settings import Settings

_NOTE = "run.json"
_MATTER = ("owner", "base", "dataset", "privacy", "train")
_NEVER_MATTERS = {
    "train": {
        "checkpoint_minutes",
        "gate",
        "tensorboard",
        "processes",
        "machines",
        "machine",
        "main_address",
        "sharding",
        "deepspeed_config",
    }
}
_CODE = (
    "training.qlora",
    "training.step",
    "training.standing",
    "training.batches",
    "training.optimizer",
    "training.loss",
    "training.lora",
)
_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")
_KEPT_SECONDS = 3 * 86400.0
_BATCH = 256  # windows


def fingerprint_of(settings: Settings, parts: Iterable[Sequence[Window]], about: Sequence[object]) -> str:
    """16 hex digits of everything that a run follows from: settings, tokens, code, libraries.

    Args:
        parts: the windows that it learns from and those that it measures, as they are.
        about: more that matters, such as the base model's identity and the device.
    """
    digest = hashlib.sha256(f"{_relevant(settings)} {about} {version_of(*_CODE, libraries=_LIBRARIES)}".encode())
    for part in parts:
        for start in range(0, len(part), _BATCH):
            digest.update(write_windows(part[start : start + _BATCH]))
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def note(folder: Path, settings: Settings, snapshot: Snapshot, now: float) -> None:
    """Write beside a run's checkpoints what it learns from.

    Args:
        now: UTC epoch seconds.

    Raises:
        OSError: it cannot be written.
    """
    told = {"dataset": snapshot.fingerprint, "settings": _digest(settings), "at": now}
    write_whole(folder / _NOTE, json.dumps(told).encode())


def begun_with(settings: Settings, newest: Snapshot, now: float) -> Snapshot:
    """The snapshot of a run that broke off in the last three days, if it may go on; else the newest one."""
    for path in sorted(settings.runs.glob(f"*/{_NOTE}")):
        told = _read(path)
        if (
            (path.parent / NAME).exists()
            and told.get("settings") == _digest(settings)
            and now - told.get("at", 0) < _KEPT_SECONDS
        ):
            try:
                older = load(settings.datasets, told["dataset"])
            except (DatasetError, KeyError):
                continue
            if older.fingerprint == newest.fingerprint or _is_within(older, newest):
                return older
    return newest


def _is_within(older: Snapshot, newer: Snapshot) -> bool:
    """Whether every conversation that a training on the older one reads stands in the newer one, word by word."""
    known = {hashlib.sha256(line.encode()).digest() for split in SPLITS for line in newer.lines(split)}
    return all(
        hashlib.sha256(line.encode()).digest() in known for split in ("train", "val") for line in older.lines(split)
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _relevant(settings: Settings) -> str:
    values = settings.model_dump(mode="json", include=set(_MATTER), exclude=_NEVER_MATTERS)
    return json.dumps(values, sort_keys=True)


def _digest(settings: Settings) -> str:
    return hashlib.sha256(_relevant(settings).encode()).hexdigest()[:16]

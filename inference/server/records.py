"""What is on record about the twin: its versions, what was measured of them, the training under way; and which serves.

Knows nothing of HTTP or of what is loaded. Every call opens a connection of its own, so any thread may make it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twin.errors import AdapterError
from twin.evaluations import Evaluations
from twin.jobs import RETRAIN, JobQueue
from twin.manifest import Manifest
from twin.quizzes import Quizzes
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

Document = dict[str, Any]
_HELD_OUT = "val_"


@dataclass(frozen=True, slots=True)
class Model:
    """A version by name; created: UTC epoch seconds, 0 if its manifest cannot be read."""

    version: str
    created: int


class Records:
    """Reads and changes what the home's database and adapter folder say.

    Args:
        clock: UTC epoch seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock

    def models(self) -> list[Model]:
        """Every version whose manifest can be read, newest first."""
        with self._registry() as registry:
            return [
                Model(version, int(datetime.fromisoformat(manifest.created_at).timestamp()))
                for version, manifest in _manifests(registry)
                if manifest is not None
            ]

    def has(self, version: str) -> bool:
        """Whether there is such a version."""
        with self._registry() as registry:
            return _is_there(registry, version)

    def state(self, serving: str | None) -> Document:
        """What the page shows: every version, newest first, and the training that waits or runs."""
        with self._registry() as registry:
            promoted = registry.current()
            promotions = {row.version: row.promoted_at for row in registry.history()}
            evaluations = Evaluations(registry.db)
            versions = [
                {
                    "version": version,
                    "created_at": manifest.created_at if manifest is not None else None,
                    "promoted": version == promoted,
                    "promoted_at": promotions.get(version),
                    "serves": version == serving,
                    "stale": manifest is not None and registry.is_stale(manifest),
                    "damaged": manifest is None,
                    "metrics": _held_out(manifest),
                    "fidelity": _fidelity(evaluations, version),
                    "quizzes": Quizzes(registry.db).score(version).as_dict(),
                }
                for version, manifest in _manifests(registry)
            ]
            state: Document = _finite({"versions": versions, "training": _training(JobQueue(registry.db))})
            return state

    def check(self, version: str) -> None:
        """Whether somebody may be answered by a version, which need not serve.

        Raises:
            AdapterError: there is none of this name, or it may answer nobody.
        """
        with self._registry() as registry:
            registry.may_answer(version)

    def promote(self, version: str) -> None:
        """Let a version serve from the next reply on.

        Raises:
            AdapterError: there is none of this name, or it may not serve.
        """
        with self._registry() as registry:
            registry.promote(version, "by hand", self._clock())

    def rollback(self) -> str:
        """Go back to the version that served before, and return it.

        Raises:
            AdapterError: there is none, or it may not serve.
        """
        with self._registry() as registry:
            return registry.rollback(self._clock())

    @contextmanager
    def _registry(self) -> Iterator[Registry]:
        with Store.of(self._settings) as store:
            yield Registry(self._settings.adapters, store.db)


def _finite(value: Any) -> Any:
    """Plain values as JSON can tell them: null for a number that is none."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _manifests(registry: Registry) -> Iterator[tuple[str, Manifest | None]]:
    for version in reversed(registry.versions()):
        try:
            yield version, Manifest.read(registry.path(version))
        except AdapterError:
            yield version, None


def _is_there(registry: Registry, version: str) -> bool:
    try:
        registry.path(version)
    except AdapterError:
        return False
    return True


def _held_out(manifest: Manifest | None) -> Document:
    metrics = manifest.metrics if manifest is not None else {}
    return {name: value for name, value in metrics.items() if name.startswith(_HELD_OUT)}


def _fidelity(evaluations: Evaluations, version: str) -> Document | None:
    found = evaluations.latest(version)
    return None if found is None else {**found.numbers, "kind": found.kind, "measured_at": found.at}


def _training(queue: JobQueue) -> Document | None:
    job = queue.open_job(RETRAIN)
    if job is None:
        return None
    return {"state": job.state, "asked_at": job.created_at, "started_at": job.started_at, **job.progress}

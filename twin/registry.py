"""Adapters: published by rename, verified before use, promoted and rolled back by a row.

Knows nothing of torch: an adapter is a folder of files with a manifest, `twin.json`.

    adapters/
      .incoming-<name>/            being written; never looked at
      20261121-223001-4f1c/        one version: a plain PEFT folder, loadable without this project
        adapter_model.safetensors
        adapter_config.json
        twin.json
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from twin.errors import AdapterError
from twin.forgotten import Forgettings
from twin.manifest import FORMAT, MANIFEST, BaseIdentity, Manifest

__all__ = ["FORMAT", "MANIFEST", "BaseIdentity", "Manifest", "Promotion", "Registry", "new_version"]

_WEIGHTS = ("adapter_config.json", "adapter_model.safetensors")
_INCOMING = ".incoming-"
_LEFTOVER_SECONDS = 24 * 3600.0
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Promotion:
    """One row of the history of what served; `withdrawn_at` is set by a rollback. UTC epoch seconds."""

    id: int
    version: str
    promoted_at: float
    reason: str
    withdrawn_at: float | None


class Registry:
    """The adapter folder and the promotions, over one database connection."""

    def __init__(self, folder: Path, db: Database) -> None:
        self.folder = folder
        self._db = db

    @property
    def db(self) -> Database:
        """The database whose rows say which version serves."""
        return self._db

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A private folder to write an adapter into; gone afterwards unless published."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()
        path = self.folder / f"{_INCOMING}{os.getpid()}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def publish(self, incoming: Path, manifest: Manifest) -> Manifest:
        """Make a finished folder a version: checksums, manifest, fsync, one rename. It does not serve yet.

        Returns:
            the manifest with its files.

        Raises:
            AdapterError: the version's name cannot be a folder's name, or exists already.
        """
        target = self.folder / manifest.version
        if not _VERSION.fullmatch(manifest.version) or target.exists():
            raise AdapterError(f"The adapter cannot be published as {manifest.version!r}", "choose a new version name")
        files = {
            path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
            for path in sorted(incoming.iterdir())
            if path.is_file() and path.name != MANIFEST
        }
        complete = replace(manifest, files=files)
        (incoming / MANIFEST).write_text(json.dumps(complete.as_dict(), indent=2) + "\n")
        for path in (*incoming.iterdir(), incoming):
            _fsync(path)
        incoming.rename(target)
        _fsync(self.folder)
        return complete

    def _sweep(self) -> None:
        """Remove what a killed training left behind: its process is gone and nobody wrote to it for a day."""
        for path in self.folder.glob(f"{_INCOMING}*-*"):
            pid = path.name.removeprefix(_INCOMING).split("-")[0]
            untouched = time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS
            if untouched and pid.isdecimal() and not _is_alive(int(pid)):
                shutil.rmtree(path, ignore_errors=True)

    def path(self, version: str) -> Path:
        """A version's folder.

        Raises:
            AdapterError: there is no such version.
        """
        if not _VERSION.fullmatch(version) or not (self.folder / version).is_dir():
            raise AdapterError(f"There is no adapter {version!r}", "`twin adapters list` shows them")
        return self.folder / version

    def versions(self) -> list[str]:
        """Every published version, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if p.is_dir() and not p.name.startswith("."))

    def verify(self, version: str, base: BaseIdentity | None = None) -> Manifest:
        """Check every file against the manifest, and the base model if one is given.

        Raises:
            AdapterError: something is missing, truncated, altered or trained for another base; says which.
        """
        folder = self.path(version)
        manifest = Manifest.read(folder)
        if manifest.version != version:
            raise AdapterError(f"The folder {version} holds the adapter {manifest.version}", "rename it back")
        for name in _WEIGHTS:
            if name not in manifest.files:
                raise AdapterError(f"The {MANIFEST} of the adapter {version} does not list {name}", "retrain")
        for name, expected in manifest.files.items():
            path = folder / name
            if not path.is_file():
                raise AdapterError(f"The adapter {version} lacks {name}", "promote another version, or retrain")
            if (size := path.stat().st_size) != expected["bytes"]:
                raise AdapterError(
                    f"The adapter {version} is truncated: {name} has {size} of {expected['bytes']} bytes",
                    "promote another version, or retrain",
                )
            if _sha256(path) != expected["sha256"]:
                raise AdapterError(f"The adapter {version} was altered: {name}", "promote another version, or retrain")
        if base is not None:
            _refuse_other_base(manifest, base)
        return manifest

    def current(self) -> str | None:
        """The version that should serve."""
        return next(iter(self.candidates()), None)

    def candidates(self) -> list[str]:
        """Promotions that were not withdrawn, newest first, each version once: what to fall back to."""
        rows = self._db.execute("select version from promotions where withdrawn_at is null order by id desc")
        return list(dict.fromkeys(row[0] for row in rows))

    def promote(self, version: str, reason: str, now: float) -> Manifest:
        """Let a version serve from the next reply on.

        Raises:
            AdapterError: it does not verify, is stale, or was made as an audit.
        """
        manifest = self.may_answer(version)
        self._db.table("promotions").insert({"version": version, "promoted_at": now, "reason": reason})
        return manifest

    def may_answer(self, version: str) -> Manifest:
        """The manifest of a version that somebody may be answered by.

        Raises:
            AdapterError: it does not verify, is stale, or was made as an audit.
        """
        manifest = self.verify(version)
        self._refuse_stale(manifest)
        if manifest.metrics.get("canaries"):
            raise AdapterError(
                f"The adapter {version} is an audit: made-up secrets were hidden in what it learned",
                "set train.canaries = false and retrain",
            )
        return manifest

    def rollback(self, now: float) -> str:
        """Withdraw the current version; the one that served before serves again.

        Returns:
            the version that serves now.

        Raises:
            AdapterError: there is none before it, or that one does not verify or is stale.
        """
        candidates = self.candidates()
        if len(candidates) < 2:
            raise AdapterError("There is no earlier adapter to go back to", "`twin adapters list` shows what there is")
        self._refuse_stale(self.verify(candidates[1]))
        self._db.execute(
            "update promotions set withdrawn_at = ? where version = ? and withdrawn_at is null",
            [now, candidates[0]],
        )
        return candidates[1]

    def is_stale(self, manifest: Manifest) -> bool:
        """Whether a version learned from messages that the owner wanted forgotten; see `Forgettings.learned_by`."""
        return Forgettings(self._db).learned_by(manifest) is not None

    def _refuse_stale(self, manifest: Manifest) -> None:
        if self.is_stale(manifest):
            raise AdapterError(
                f"The adapter {manifest.version} is stale: it learned from messages that you wanted forgotten",
                "retrain with `twin dataset build` and `twin train`",
            )

    def withdraw(self, versions: Iterable[str], now: float) -> None:
        """Let none of these versions serve any more; what was promoted before them, if anything, serves again."""
        with self._db.atomic():
            self._db.conn.executemany(
                "update promotions set withdrawn_at = ? where version = ? and withdrawn_at is null",
                [(now, version) for version in versions],
            )

    def history(self) -> list[Promotion]:
        """Every promotion, oldest first."""
        return [Promotion(**row) for row in self._db.query("select * from promotions order by id")]


def new_version(now: datetime) -> str:
    """A name that sorts by time and is never used twice."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _refuse_other_base(manifest: Manifest, base: BaseIdentity) -> None:
    for what, theirs, ours in (
        ("base model", manifest.base.fingerprint, base.fingerprint),
        ("quantization", manifest.base.quantization, base.quantization),
    ):
        if theirs != ours:
            shown = manifest.base.model if what == "base model" else theirs
            raise AdapterError(
                f"The adapter {manifest.version} was trained on another {what} ({shown})",
                "set it back in twin.toml, or retrain with `twin train`",
            )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

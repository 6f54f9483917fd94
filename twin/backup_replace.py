"""The home that a restored one replaces: nobody else may be at work in it, and what it knows better is taken over.

Knows nothing of archives. What it knows better: secrets that were left out of the backup, and what its owner wanted
forgotten since.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from twin.backup_collect import Told
from twin.backup_folders import move, put
from twin.backup_unpacked import Unpacked
from twin.database import is_busy, open_database
from twin.errors import BackupError, TwinError
from twin.forget import forget
from twin.forgotten import Forgetting, Forgettings
from twin.registry import Registry
from twin.settings import load_settings
from twin.store import Store


class OldHome:
    """A home that gives way, its database held alone; without one if it cannot be read."""

    def __init__(self, home: Path, db: Database | None) -> None:
        self._home, self._db = home, db

    @classmethod
    @contextmanager
    def alone(cls, home: Path) -> Iterator[OldHome]:
        """Hold its database so that no other process can use it.

        Raises:
            BackupError: another process has it open.
        """
        db = _opened(home)
        if db is None:
            yield cls(home, None)
            return
        with closing(db):
            try:
                db.conn.execute("pragma busy_timeout = 1000")
                (mode,) = db.conn.execute("pragma journal_mode = delete").fetchone()
                db.conn.execute("pragma locking_mode = exclusive")
                db.conn.execute("begin exclusive")
                db.conn.execute("commit")
            except sqlite3.OperationalError as error:
                if is_busy(error):
                    raise _in_use(home) from error
                raise
            if mode != "delete":
                raise _in_use(home)
            yield cls(home, db)

    def hand_over(self, folder: Path, names: Iterable[str]) -> tuple[str, ...]:
        """Copy secrets that the restored home lacks; returns their names."""
        given = []
        for name in names:
            if (self._home / name).is_file() and not (folder / name).exists():
                shutil.copy2(self._home / name, folder / name)
                (folder / name).chmod(0o600)
                given.append(name)
        return tuple(given)

    def forget_again(self, unpacked: Unpacked, told: Told) -> tuple[int | None, str | None]:
        """Carry out in the restored home what was wished in this one since.

        Adapters that learned from it serve no more, but for the one that serves here, too.

        Returns:
            how many wishes (None if that cannot be known), and the version that serves although it is stale.
        """
        if self._db is None or unpacked.is_locked:
            return None, None
        settings = unpacked.settings
        with closing(open_database(settings.database, unpacked.key)) as db:
            store, known = Store(db), {_same(wish) for wish in Forgettings(db).all()}
            missed = [wish for wish in Forgettings(self._db).all() if _same(wish) not in known]
            for place, wish in enumerate(missed):
                told("Forgetting again", place, len(missed))
                forget(store, settings, wish.chat_id, wish.before, wish.forgotten_at)
                Forgettings(db).note_snapshots(Forgettings(db).all()[-1], self._snapshots(wish))
            return len(missed), self._withdraw(Registry(settings.adapters, db)) if missed else None

    def _snapshots(self, wish: Forgetting) -> dict[str, bool]:
        assert self._db is not None
        rows = self._db.execute("select fingerprint, held from forgotten_snapshots where forgotten_id = ?", [wish.id])
        return {fingerprint: bool(held) for fingerprint, held in rows}

    def _withdraw(self, registry: Registry) -> str | None:
        assert self._db is not None
        still = Registry(self._home / "adapters", self._db).current()
        stale = [version for version in registry.candidates() if registry.is_stale(registry.verify(version))]
        registry.withdraw([version for version in stale if version != still], time.time())
        current = registry.current()
        return current if current in stale else None

    def give_way(self, folder: Path, now: datetime) -> Path:
        """Put the restored home in the place of this one, which stays beside it; returns under which name.

        Raises:
            OSError: it cannot be renamed; everything is as it was.
        """
        is_volume = self._home.is_mount()
        name = f"before-{now:%Y%m%d-%H%M%S}"
        kept = self._home / f".{name}" if is_volume else self._home.with_name(f"{self._home.name}.{name}")
        if kept.exists():
            raise BackupError(f"{kept} is there already", "wait a second, then run the same command again")
        if is_volume:
            kept.mkdir(mode=0o700)
            move(self._home, kept)
        else:
            self._home.rename(kept)
        try:
            put(folder, self._home)
        except BaseException:
            if is_volume:
                move(kept, self._home)
            else:
                kept.rename(self._home)
            raise
        return kept


def _opened(home: Path) -> Database | None:
    """None if there is none, or it cannot be read: then a restored one is all the better."""
    try:
        settings = load_settings(home)
        return Store.of(settings).db if settings.database.exists() else None
    except TwinError as error:
        if isinstance(error.__cause__, sqlite3.OperationalError) and is_busy(error.__cause__):
            raise _in_use(home) from error
        return None


def _same(wish: Forgetting) -> tuple[int, int]:
    return wish.chat_id, int(wish.before.timestamp())


def _in_use(home: Path) -> BackupError:
    return BackupError(
        f"Another process uses the home {home}", "stop the bot, the worker and other twin commands first"
    )

"""A restored home that is not in place yet, and the proof that it is one.

Knows nothing of archives, or of a home that it shall replace.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from twin.backup_manifest import DATABASE, BackupManifest
from twin.database import open_database
from twin.errors import BackupError, SettingsError, TwinError
from twin.keys import database_key
from twin.registry import Registry
from twin.settings import Settings, load_settings


@dataclass(slots=True)
class Unpacked:
    """A home that is not in place yet.

    Attributes:
        folder: where it lies.
        target: where it shall lie.
        key: of its database; None for a plain one, or when `is_locked`.
        is_locked: whether nobody knows the key.
    """

    folder: Path
    target: Path
    manifest: BackupManifest
    key: str | None = None
    is_locked: bool = False

    @property
    def settings(self) -> Settings:
        """Those of the backup, with variables over them."""
        return load_settings(self.folder)

    def prove(self) -> None:
        """Bring the database up to date, and check it and every adapter.

        Raises:
            BackupError: something is not as it was when the backup was made.
        """
        try:
            settings = self.settings
            self._find_key(settings)
            if not self.is_locked:
                self._check(settings)
        except BackupError:
            raise
        except TwinError as error:
            problem = error.problem.replace(str(self.folder), "of the backup")
            raise BackupError(
                f"The backup does not make a home: {problem}", "take another one, or upgrade twin"
            ) from error

    def give_up_answers(self, at: float) -> None:
        """Close what the bot had still to answer when the backup was made: since then it was answered, or is too old.

        Args:
            at: UTC epoch seconds.
        """
        if self.is_locked:
            return
        with closing(open_database(self.folder / DATABASE, self.key)) as db, db.atomic():
            db.execute(
                "delete from bot_messages where update_id is not null and speaker = 'owner' and message_id is null"
            )
            db.execute("update bot_messages set update_id = null where update_id is not null")
            db.execute(
                "update business_drafts set outcome = 'stale', note = ?, version = version + 1 where outcome = 'open'",
                ["This is of before a backup was restored."],
            )
            db.execute("update bot_inbox set answered_at = ?, payload = '{}' where answered_at is null", [at])

    def _check(self, settings: Settings) -> None:
        with closing(open_database(self.folder / DATABASE, self.key)) as db:
            if db.conn.execute("pragma integrity_check(1)").fetchone()[0] != "ok":
                raise BackupError("The database in the backup is damaged", "take another backup")
            registry = Registry(settings.adapters, db)
            for version in registry.versions():
                registry.verify(version)
            if registry.current() != self.manifest.serving or not {*registry.candidates()} <= {*registry.versions()}:
                raise BackupError("The adapter that serves is not in the backup", "take another backup")

    def _find_key(self, settings: Settings) -> None:
        """Where the restored settings say it is; the keyring knows it by the home's final name."""
        if not self.manifest.database_encrypted:
            return
        inside = self.folder / "database-key"
        try:
            there = settings.model_copy(update={"home": self.target})
            self.key = database_key(there if settings.storage.key == "keyring" else settings)
        except SettingsError:
            self.key = inside.read_text().strip() if inside.is_file() else None
        self.is_locked = self.key is None

"""The manifest of a backup: what wrote it, and what every file in it must be.

Knows nothing of how files are packed, or of where they are put.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from twin.errors import BackupError
from twin.migrations import migrations

MANIFEST = "twin-backup.json"
FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024
"""Of a manifest: about a quarter of a million files."""
DATABASE = "twin.db"
SETTINGS = "twin.toml"
ADAPTERS, DATASETS = "adapters", "datasets"
STATE = ("vault.json", "vault.key", "overheard")
"""The vault of secrets that must not be said, the key of its hashes, and the filter of what only others wrote."""
SECRETS = (
    "bot-token",
    "teacher-key",
    "server-key",
    "remote-key",
    "database-key",
    "telegram.session",
    "telegram-api-id",
    "telegram-api-hash",
)
"""What opens something else than this home; never in a backup that is not encrypted."""
_TOP = frozenset((DATABASE, SETTINGS, *STATE, *SECRETS))
_SHA256 = re.compile(r"[0-9a-f]{64}")
_IN_FOLDER = re.compile(rf"(?:{ADAPTERS}|{DATASETS})/[0-9A-Za-z][0-9A-Za-z._-]{{0,127}}/[^/\\\0]{{1,200}}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: how many bytes, their SHA-256 in hex digits, and when it was last written (UTC epoch seconds).

    The time matters: by it `twin forget` knows what a training set can hold.
    """

    bytes: int
    sha256: str
    modified_at: int


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What `twin-backup.json` says.

    Attributes:
        twin: the version of twin that wrote it.
        schema: the name of the last migration that its database has seen.
        created_at: ISO 8601, UTC.
        database_encrypted: whether the database is one of SQLCipher, under the key that the home had.
        serving: the version of the adapter that serves in it; None for none.
        files: name inside the home to what it must be, in the order in which they are packed.
    """

    twin: str
    schema: str
    created_at: str
    database_encrypted: bool
    serving: str | None
    files: dict[str, Entry]
    format: int = FORMAT

    @property
    def total_bytes(self) -> int:
        """Of all files together."""
        return sum(entry.bytes for entry in self.files.values())

    @property
    def adapters(self) -> list[str]:
        """The versions inside, oldest first."""
        return self._folders(ADAPTERS)

    @property
    def datasets(self) -> list[str]:
        """The fingerprints of the training sets inside."""
        return self._folders(DATASETS)

    def _folders(self, kind: str) -> list[str]:
        return sorted({name.split("/")[1] for name in self.files if name.startswith(f"{kind}/")})

    def as_bytes(self) -> bytes:
        """As it stands in the backup."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=True) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> BackupManifest:
        """Read what `as_bytes` wrote.

        Raises:
            BackupError: it is damaged, of a newer version, or names a file that does not belong into a home.
        """
        try:
            values = json.loads(data)
            if int(values["format"]) > FORMAT:
                raise _newer(values)
            files = {name: Entry(**entry) for name, entry in values.pop("files").items()}
            manifest = cls(**values, files=files)
            _check(manifest)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BackupError("The manifest of the backup is damaged", "take another backup") from error
        if manifest.schema not in {migration.name for migration in migrations._migrations}:
            raise _newer(values)
        return manifest


def _check(manifest: BackupManifest) -> None:
    """Refuse (ValueError) values of the wrong kind, and (BackupError) names that would land elsewhere."""
    if datetime.fromisoformat(manifest.created_at).tzinfo is None:
        raise ValueError("a time without a zone")
    texts = (manifest.twin, manifest.schema, *([manifest.serving] if manifest.serving is not None else []))
    if not all(isinstance(text, str) for text in texts) or not isinstance(manifest.database_encrypted, bool):
        raise ValueError("a value of the wrong kind")
    for name, entry in manifest.files.items():
        if not is_allowed(name):
            raise BackupError("The backup holds a file that does not belong into a home", "take another backup")
        numbers = (entry.bytes, entry.modified_at)
        if any(type(n) is not int or not 0 <= n < 1 << 50 for n in numbers) or not _SHA256.fullmatch(entry.sha256):
            raise ValueError("a file of no size")
    if DATABASE not in manifest.files:
        raise ValueError("no database")


def is_allowed(name: str) -> bool:
    """Whether a file of this name may be in a backup: no way out of the home, nothing but what a home has."""
    if name in _TOP:
        return True
    return bool(_IN_FOLDER.fullmatch(name)) and name.split("/")[2] not in (".", "..") and name.isprintable()


def _newer(values: dict[str, Any]) -> BackupError:
    version = values.get("twin")
    shown = f" ({version})" if isinstance(version, str) and re.fullmatch(r"[0-9A-Za-z.+-]{1,40}", version) else ""
    return BackupError(f"The backup was made by a newer version of twin{shown}", "upgrade twin")

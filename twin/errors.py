"""The errors a user may see: each says what happened and what to do, in one sentence.

Knows nothing of exit codes or terminals; only the command line prints or exits.

    TwinError
    ├── SettingsError    twin.toml or a TWIN_* variable is wrong
    ├── StoreError       the database cannot be opened, or is of a newer version
    ├── IngestError      an export cannot be read, or is not one
    │   └── AccountError ... or the Telegram account: no session, no connection, refused
    ├── DatasetError     there is nothing to learn from, or a snapshot is damaged
    ├── ModelError       the base model is missing, does not fit, or cannot be loaded
    │   └── MemoryTaken  ... because something else holds the memory just now
    ├── AdapterError     an adapter is truncated, mismatched or unknown
    ├── TrainingError    training could not start or broke off
    ├── JobError         the job queue refused
    ├── PrivacyError     what should be scrubbed cannot be read
    ├── TeacherError     a teacher's address does not answer, or may not be asked
    ├── BackupError      a backup cannot be made, or is not whole
    ├── ServiceError     systemd cannot be told to run it
    └── BotError         the Telegram bot cannot be started
"""

from __future__ import annotations


class TwinError(Exception):
    """A failure that its reader can do something about.

    Args:
        problem: what happened, without message text, phone numbers or tokens.
        remedy: what to do about it, as an imperative.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}: {self.remedy}."


class SettingsError(TwinError):
    """twin.toml or a TWIN_* variable is wrong."""


class StoreError(TwinError):
    """The database cannot be opened, or was written by a newer version."""


class IngestError(TwinError):
    """An export cannot be read, or is not one."""


class AccountError(IngestError):
    """The Telegram account cannot be read: there is no session, no connection, or Telegram refuses."""


class DatasetError(TwinError):
    """There is nothing to learn from, or a snapshot is damaged."""


class ModelError(TwinError):
    """The base model is missing, does not fit this machine, or cannot be loaded."""


class MemoryTaken(ModelError):
    """The base model would fit, but something else holds the memory just now: trying again later may help."""


class AdapterError(TwinError):
    """An adapter is truncated, mismatched or unknown."""


class TrainingError(TwinError):
    """Training could not start or broke off."""


class JobError(TwinError):
    """The job queue refused."""


class PrivacyError(TwinError):
    """What should be scrubbed cannot be read."""


class TeacherError(TwinError):
    """A teacher's address does not answer, or may not be asked."""


class BackupError(TwinError):
    """A backup cannot be made, is not whole, or cannot be put in place."""


class BotError(TwinError):
    """The Telegram bot cannot be started."""


class ServerError(TwinError):
    """The HTTP server cannot be started."""


class ServiceError(TwinError):
    """systemd cannot be told to run twin."""

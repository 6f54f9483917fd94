"""The database's key: fetched from where the owner's setting says it is, or made there.

Knows nothing of databases.
"""

from __future__ import annotations

import os
import secrets as random

from twin.errors import SettingsError
from twin.settings import DATABASE_KEY_VARIABLE, Settings, secret

KEY_FILE = "database-key"
_SERVICE = "twin"


def database_key(settings: Settings) -> str | None:
    """The key that `storage.key` points to; None when the database is to be plain.

    Raises:
        SettingsError: there is no key there, others can read its file, or this machine has no keyring.
    """
    match settings.storage.key:
        case "none":
            return None
        case "keyring":
            key = _keyring().get_password(_SERVICE, str(settings.home))
        case source:
            key = secret(settings, DATABASE_KEY_VARIABLE if source == "environment" else "", KEY_FILE)
    if not key:
        raise SettingsError(
            f"There is no database key where storage.key says it is ({settings.storage.key})",
            f"make one with `twin database encrypt`, or set {DATABASE_KEY_VARIABLE}",
        )
    return key


def make_key(settings: Settings) -> str:
    """The key that is there, else a new one of 256 random bits, kept where `storage.key` says.

    Raises:
        SettingsError: `storage.key` is "none", or "environment" and the variable is not set: only its owner sets that.
    """
    if settings.storage.key == "none":
        raise SettingsError(
            "storage.key does not say where the key shall be",
            'set key = "keyring" (or "file", "environment") under [storage] in twin.toml first',
        )
    try:
        return database_key(settings) or ""
    except SettingsError:
        if settings.storage.key == "environment":
            raise
    key = random.token_hex(32)
    if settings.storage.key == "keyring":
        _keyring().set_password(_SERVICE, str(settings.home), key)
    else:
        descriptor = os.open(settings.home / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
    if database_key(settings) != key:
        raise SettingsError("The key could not be kept", "choose another storage.key")
    return key


class _Keyring:
    """The desktop's keyring through the library of that name, its failures as one sentence."""

    def get_password(self, service: str, name: str) -> str | None:
        """See `keyring.get_password`."""
        return self._call("get_password", service, name)

    def set_password(self, service: str, name: str, value: str) -> None:
        """See `keyring.set_password`."""
        self._call("set_password", service, name, value)

    def _call(self, function: str, *arguments: str) -> str | None:
        try:
            import keyring
            from keyring.errors import KeyringError
        except ImportError as error:
            raise SettingsError(
                "This machine has no Python package keyring", "install twin with `pip install '.[encryption]'`"
            ) from error
        try:
            found: str | None = getattr(keyring, function)(*arguments)
        except (KeyringError, RuntimeError) as error:
            raise SettingsError(
                f"The keyring cannot be used ({type(error).__name__})", 'unlock it, or set storage.key = "file"'
            ) from error
        return found


def _keyring() -> _Keyring:
    return _Keyring()

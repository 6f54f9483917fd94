"""The home's key for what is kept as keyed hashes, and files that nobody but the owner reads.

Knows nothing of what is hashed with it. Without the key the hashes tell nothing, not even by trial.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from twin.errors import StoreError

KEY_FILE = "vault.key"
LOCKED = "delete vault.json and vault.key, then run `twin dataset build`"
_KEY_BYTES = 32


def read_key(home: Path, *, may_make: bool) -> bytes:
    """The 32 bytes of `vault.key`.

    Args:
        may_make: whether a key that is missing is made.

    Raises:
        StoreError: it is missing, damaged or can be read by others.
    """
    file = home / KEY_FILE
    try:
        if may_make and not file.exists():
            _make_key(file)
        refuse_open(file)
        key = file.read_bytes()
    except FileNotFoundError as error:
        raise StoreError(f"The key of the vault is missing ({file})", LOCKED) from error
    except OSError as error:
        raise StoreError(f"The key of the vault cannot be read ({error.strerror})", "check its permissions") from error
    if len(key) != _KEY_BYTES:
        raise StoreError(f"The key of the vault is damaged ({file})", LOCKED)
    return key


def refuse_open(file: Path) -> None:
    """Go on only if nobody else can read a file.

    Raises:
        StoreError: others can.
        OSError: it is not there.
    """
    if os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreError(f"Others can read {file}", f"run `chmod 600 {file}`")


def replace_file(file: Path, content: bytes) -> None:
    """Write a file of mode 0600, whole or not at all.

    Raises:
        OSError: it could not be written; what was there before is as it was.
    """
    incoming = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        incoming.unlink(missing_ok=True)
        _write_new(incoming, content)
        incoming.replace(file)
    finally:
        incoming.unlink(missing_ok=True)


def _make_key(file: Path) -> None:
    """Linked into place when it is whole: of two processes that make one at once, both read the first."""
    incoming = file.with_name(f".{file.name}-{os.getpid()}")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        _write_new(incoming, secrets.token_bytes(_KEY_BYTES))
        with suppress(FileExistsError):
            os.link(incoming, file)
    finally:
        incoming.unlink(missing_ok=True)


def _write_new(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())

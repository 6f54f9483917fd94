"""A passphrase over a stream of bytes in age's format: what is written here `age --decrypt` opens, and vice versa.

Knows nothing of backups, files or terminals.

The format is that of https://c2sp.org/age (version 1, one recipient of the kind scrypt). Its payload is the STREAM
construction: chunks of 64 KiB under ChaCha20-Poly1305, their number and whether they are the last in the nonce, so that
none can be altered, moved, left out or cut off unnoticed. Ciphers and key derivation are those of `cryptography`; here
is only what age puts around them, as no library does that for passphrases without holding everything in memory.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import io
import re
import secrets
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from twin.errors import BackupError

MAGIC = b"age-encryption.org/v1\n"
CHUNK = 64 * 1024
WORK = 18
"""log2 of scrypt's cost, age's own default: 256 MiB of memory and about a second for every guess."""
_MOST_WORK = 22
_TAG = 16
_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES = 16, 16, 16
_LONGEST_LINE = 128
_STANZA = re.compile(rb"-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n")


class Encrypting(io.RawIOBase):
    """Encrypts what is written to it; `finish` writes the last chunk, without which nobody takes it for whole.

    The stream below stays open.
    """

    def __init__(self, out: IO[bytes], passphrase: str, work: int | None = None) -> None:
        """Write age's header.

        Args:
            work: log2 of scrypt's cost; None for WORK.
        """
        self._out, self._number = out, 0
        self._pending = bytearray()
        key, salt = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_SALT_BYTES)
        work = WORK if work is None else work
        wrapped = ChaCha20Poly1305(_wrapping_key(passphrase, salt, work)).encrypt(bytes(12), key, None)
        head = MAGIC + b"-> scrypt %b %d\n%b\n---" % (_text(salt), work, _text(wrapped))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        out.write(head + b" " + _text(_mac(key, head)) + b"\n" + nonce)
        self._cipher = ChaCha20Poly1305(_derived(key, nonce, b"payload"))

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Encrypt whole chunks, but never the last one: only `finish` knows which that is."""
        self._pending += data
        while len(self._pending) > CHUNK:
            self._seal(bytes(self._pending[:CHUNK]), is_last=False)
            del self._pending[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk; nothing can be written afterwards."""
        self._seal(bytes(self._pending), is_last=True)
        self._pending.clear()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._out.write(self._cipher.encrypt(_nonce(self._number, is_last=is_last), chunk, None))
        self._number += 1


class Decrypting(io.RawIOBase):
    """Decrypts what is read from it: every byte it gives was authenticated, and an end is the true end.

    Raises, on opening and reading:
        BackupError: the passphrase is wrong, or the stream is no such file, damaged, cut off or altered.
    """

    def __init__(self, source: IO[bytes], passphrase: str) -> None:
        self._source, self._number = source, 0
        self._plain, self._is_over = b"", False
        key = _file_key(source, passphrase)
        self._cipher = ChaCha20Poly1305(_derived(key, _exactly(source, _NONCE_BYTES), b"payload"))
        self._ahead = source.read(CHUNK + _TAG)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Up to what is left of a chunk; 0 only at the end of everything."""
        while not self._plain and not self._is_over:
            self._plain = self._open_next()
        taken = min(len(buffer), len(self._plain))
        buffer[:taken] = self._plain[:taken]
        self._plain = self._plain[taken:]
        return taken

    def _open_next(self) -> bytes:
        sealed, self._ahead = self._ahead, self._source.read(CHUNK + _TAG)
        self._is_over = not self._ahead
        try:
            plain = self._cipher.decrypt(_nonce(self._number, is_last=self._is_over), sealed, None)
        except (InvalidTag, ValueError):
            raise _damaged() from None
        if self._is_over and not plain and self._number:  # an empty last chunk is none that age writes
            raise _damaged()
        self._number += 1
        return plain


def _file_key(source: IO[bytes], passphrase: str) -> bytes:
    """Read the header up to its end, and prove it."""
    magic, stanza, body, last = (source.readline(_LONGEST_LINE) for _ in range(4))
    found = _STANZA.fullmatch(stanza)
    if magic != MAGIC or not found or not last.startswith(b"--- "):
        raise BackupError(
            "The backup is not encrypted with a passphrase as age does it, or is damaged", "take another backup"
        )
    work = int(found[2])
    if work > _MOST_WORK:
        raise BackupError(f"The backup wants 2^{work} rounds of its passphrase", "take a backup that twin made")
    try:
        opener = ChaCha20Poly1305(_wrapping_key(passphrase, _bytes(found[1]), work))
        key = opener.decrypt(bytes(12), _bytes(body.removesuffix(b"\n")), None)
    except MemoryError:
        raise BackupError("This machine has too little memory for the backup's passphrase", "free some") from None
    except InvalidTag:
        raise BackupError("The passphrase does not open the backup, or its first lines are damaged", "try again") from (
            None
        )
    head = magic + stanza + body + b"---"
    if len(key) != _KEY_BYTES or not hmac.compare_digest(last, b"--- " + _text(_mac(key, head)) + b"\n"):
        raise _damaged()
    return key


def _wrapping_key(passphrase: str, salt: bytes, work: int) -> bytes:
    salt = b"age-encryption.org/v1/scrypt" + salt
    return Scrypt(salt=salt, length=32, n=1 << work, r=8, p=1).derive(passphrase.encode())


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(key)


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derived(key, b"", b"header"), head, "sha256")


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _text(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _damaged() from None


def _exactly(source: IO[bytes], count: int) -> bytes:
    data = source.read(count)
    if len(data) != count:
        raise _damaged()
    return data


def _damaged() -> BackupError:
    return BackupError("The encrypted backup is damaged, cut off or altered", "take another backup")

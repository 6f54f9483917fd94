"""The archive of a backup: a plain tar file in which no byte is free to be anything else than it is.

Knows nothing of databases, adapters or passphrases; `tar --extract` and `sha256sum --check` open it, too.

First comes the manifest, then its checksum, then the files in the manifest's order, then the end that tar wants.
Headers hold nothing but what follows from the manifest, so that a reader knows each of them beforehand: it compares
instead of parsing, and a path that leads out of the home, a link or a device cannot be said in it.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO

from twin.backup_manifest import MANIFEST, MOST_BYTES, BackupManifest, Entry
from twin.errors import BackupError

CHECKSUM = "twin-backup.sha256"
_BLOCK = 512
_PIECE = 1 << 20
_END = bytes(2 * _BLOCK)

Heard = Callable[[int], object]
"""Told how many bytes of files went through."""


def write_archive(out: IO[bytes], manifest: BackupManifest, opened: Callable[[str], IO[bytes]], heard: Heard) -> None:
    """Write all of it, in pieces of a MiB.

    Args:
        opened: the content of a file of the manifest, to be read from its start; it is closed here.

    Raises:
        BackupError: a file is not what the manifest says.
        OSError: it cannot be read or written.
    """
    head = manifest.as_bytes()
    when = _seconds(manifest)
    for name, data in ((MANIFEST, head), (CHECKSUM, _checksum(head))):
        out.write(_header(name, len(data), when) + data + _padding(len(data)))
    for name, entry in manifest.files.items():
        out.write(_header(name, entry.bytes, entry.modified_at))
        with opened(name) as source:
            for piece in _proven(source, name, entry):
                out.write(piece)
                heard(len(piece))
            if source.read(1):
                raise _changed(name)
        out.write(_padding(entry.bytes))
    out.write(_END)


def read_manifest(source: IO[bytes]) -> BackupManifest:
    """Read the beginning of an archive, up to the first file.

    Raises:
        BackupError: it is no backup, damaged, or of a newer version.
    """
    first = source.read(_BLOCK)
    try:
        info = tarfile.TarInfo.frombuf(first, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise BackupError("This is no backup that twin made, or it is damaged", "take another file") from error
    if info.name != MANIFEST or not 0 < info.size <= MOST_BYTES:
        raise BackupError("This is no backup that twin made, or it is damaged", "take another file")
    head = _exactly(source, info.size)
    checksum = _checksum(head)
    _expect(source, _padding(len(head)))
    following = source.read(_BLOCK)
    _expect(source, checksum + _padding(len(checksum)))
    manifest = BackupManifest.parse(head)
    when = _seconds(manifest)
    if first != _header(MANIFEST, len(head), when) or following != _header(CHECKSUM, len(checksum), when):
        raise _damaged()
    return manifest


def read_files(source: IO[bytes], manifest: BackupManifest, kept: Callable[[str], IO[bytes]], heard: Heard) -> None:
    """Read the rest: each file goes where `kept` says, and is closed; nothing may follow the last.

    Raises:
        BackupError: it is damaged, cut off or altered; what was kept is worth nothing then.
        OSError: a file cannot be written.
    """
    for name, entry in manifest.files.items():
        _expect(source, _header(name, entry.bytes, entry.modified_at))
        with kept(name) as out:
            for piece in _proven(source, name, entry, damaged=True):
                out.write(piece)
                heard(len(piece))
        _expect(source, _padding(entry.bytes))
    _expect(source, _END)
    if source.read(1):
        raise _damaged()


def _proven(source: IO[bytes], name: str, entry: Entry, *, damaged: bool = False) -> Iterator[bytes]:
    """The bytes of a file; raises at its end if they are not those that the manifest promised."""
    digest, left = hashlib.sha256(), entry.bytes
    while left:
        piece = source.read(min(left, _PIECE))
        if not piece:
            break
        digest.update(piece)
        left -= len(piece)
        yield piece
    if left or digest.hexdigest() != entry.sha256:
        raise _damaged() if damaged else _changed(name)


def _header(name: str, size: int, when: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, when, 0o600
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _seconds(manifest: BackupManifest) -> int:
    return int(datetime.fromisoformat(manifest.created_at).timestamp())


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _checksum(head: bytes) -> bytes:
    return f"{hashlib.sha256(head).hexdigest()}  {MANIFEST}\n".encode()


def _expect(source: IO[bytes], wanted: bytes) -> None:
    if _exactly(source, len(wanted)) != wanted:
        raise _damaged()


def _exactly(source: IO[bytes], count: int) -> bytes:
    found = io.BytesIO()
    while count > found.tell():
        piece = source.read(min(count - found.tell(), _PIECE))
        if not piece:
            raise _damaged()
        found.write(piece)
    return found.getvalue()


def _damaged() -> BackupError:
    return BackupError("The backup is damaged, cut off or altered", "take another backup")


def _changed(name: str) -> BackupError:
    return BackupError(f"{name} changed while it was packed", "run the same command again")

"""Where a file's bytes are: on the disk, or inside a zip archive, from which they are streamed and never unpacked.

Knows nothing of formats, nor of which files are wanted.
"""

from __future__ import annotations

import errno
import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from twin.console import printable
from twin.errors import IngestError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_ENCRYPTED = 0x1
# No text shrinks like this; what does was made to fill a memory. Deflate itself ends at 1,032 to 1.
_BOMB_RATIO = 200
_HARMLESS = 64 << 20
_BUFFER = 1 << 16
# What zipfile and the codecs below it raise over damaged bytes: also plain ValueErrors (bad offsets, bad dates), and
# a RuntimeError where a password is wanted.
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Place:
    """One file, or one member of a zip archive; as text it is what its reader calls it.

    Attributes:
        member: None for a file of its own.
    """

    path: Path
    member: zipfile.ZipInfo | None = None

    def __str__(self) -> str:
        return printable(str(self.path) if self.member is None else f"{self.path} ({self.member.filename})")

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return self.path.name if self.member is None else PurePosixPath(self.member.filename).name

    @property
    def part(self) -> str:
        """Which part of `path` it is, by where it begins there (names may stand twice); empty for all of it."""
        return "" if self.member is None else str(self.member.header_offset)

    @property
    def size(self) -> int:
        """How many bytes reading it once gives.

        Raises:
            IngestError: it cannot be looked at.
        """
        return self.state()[0] if self.member is None else self.member.file_size

    def state(self) -> tuple[int, int]:
        """The file's size in bytes and when it was changed in nanoseconds: another value once it was written to.

        Raises:
            IngestError: it cannot be looked at.
        """
        with _explained(self.path):
            stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns

    def digest(self) -> str:
        """SHA-256 of the file's bytes, hexadecimal; for a member, of the whole archive.

        Raises:
            IngestError: it cannot be read.
        """
        with _explained(self.path), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its bytes from the beginning.

        Raises:
            IngestError: here or while it is read: it is missing, unreadable, encrypted, damaged, or a zip bomb.
        """
        with _explained(self.path):
            archive = None if self.member is None else self._archive(self.member)
            stream = self.path.open("rb") if archive is None else archive.open(self.member or "")
        try:
            yield io.BufferedReader(_Explaining(self.path, stream), _BUFFER)
        finally:
            stream.close()
            if archive is not None:
                archive.close()

    def _archive(self, member: zipfile.ZipInfo) -> zipfile.ZipFile:
        if member.flag_bits & _ENCRYPTED:
            raise IngestError(f"{self} is encrypted", "unpack it with its password and give the folder")
        if member.file_size > max(_HARMLESS, _BOMB_RATIO * member.compress_size):
            raise IngestError(
                f"{self} would grow from {member.compress_size:,} to {member.file_size:,} bytes, as no export does",
                "unpack it and give the folder, if you trust it",
            )
        return zipfile.ZipFile(self.path)

    def head(self, size: int = 4096) -> bytes:
        """Its first bytes, for those who want to know what it is."""
        with self.open() as file:
            return file.read(size)

    def tail(self, size: int = 64) -> bytes:
        """Its last bytes; an archive's member is read to its end for them."""
        with self.open() as file:
            last = b""
            while piece := file.read(_BUFFER):
                last = (last + piece)[-size:]
            return last


class _Explaining(io.RawIOBase):
    """A stream whose failures are sentences."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path = path
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        with _explained(self._path):
            piece = self._stream.read(len(view))
        view[: len(piece)] = piece
        return len(piece)


def members(path: Path) -> list[zipfile.ZipInfo]:
    """What is in a zip archive, in its order, folders left out; nothing is unpacked.

    Raises:
        IngestError: it is unreadable, or no whole archive.
    """
    with _explained(path), zipfile.ZipFile(path) as archive:
        return [info for info in archive.infolist() if not info.is_dir()]


def is_zip(path: Path) -> bool:
    """Whether it begins as a zip archive does: a whole one, an empty one, or the first of several parts.

    Raises:
        IngestError: it cannot be read.
    """
    with _explained(path), path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def unreadable(path: Path, error: OSError) -> IngestError:
    """The system would not let us at the file."""
    return IngestError(
        f"{printable(str(path))} cannot be read ({error.strerror})", "check the path and its permissions"
    )


def _damaged(path: Path) -> IngestError:
    return IngestError(
        f"{printable(str(path))} is no whole zip archive: it is damaged, or one part of several",
        "copy it again, or join its parts, or pack the export again",
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What the system or zipfile says against reading a file becomes one sentence."""
    try:
        yield
    except NotImplementedError:
        raise IngestError(
            f"{printable(str(path))} is packed in a way that is not known here",
            "unpack it and give the folder, or pack it again as an ordinary zip",
        ) from None
    except _DAMAGE:
        raise _damaged(path) from None  # its text may quote what is inside
    except OSError as error:
        # bz2 reports damage as a system's error without a number; of a last part, zipfile seeks before the beginning.
        raise (_damaged(path) if error.errno in (None, errno.EINVAL) else unreadable(path, error)) from error

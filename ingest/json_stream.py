"""A JSON file of any size, read in pieces: Telegram's known flaws repaired, every failure one sentence.

Knows nothing of what the file means.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import ijson

from twin.errors import IngestError

AGAIN = "export again from Telegram Desktop in the format JSON"
_LONGEST = 1 << 20  # bytes without a comma that are still kept together
_BOM = b"\xef\xbb\xbf"
_FLAWS = (b"\\x", b"\\ud", b"\\uD")
_ESCAPE = re.compile(
    rb"\\(?:x(?P<control>[0-9A-Fa-f]{2})"
    rb"|u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9A-Fa-f]{2})"
    rb"|.)",
    re.DOTALL,
)


class JsonBytes:
    """The bytes of a file as a JSON parser wants them.

    Telegram Desktop writes control characters as `\\x0B`, which JSON does not know (SerializeString in its
    export_output_json.cpp); they are rewritten as `\\u000B`. Half a surrogate pair cannot be stored as text; it
    becomes U+FFFD and is counted in `halves`.
    """

    def __init__(self, file: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self._file = file
        self._on_bytes = on_bytes
        self._rest = b""
        self._started = False
        self.halves = 0

    def read(self, size: int = -1) -> bytes:
        """The next piece, empty at the end."""
        if size == 0:
            return b""
        while True:
            piece = self._file.read(size)
            self._on_bytes(len(piece))
            if not self._started:
                piece = piece.removeprefix(_BOM)
                self._started = True
            whole = self._rest + piece
            # No escape holds a comma, so behind the last one none is cut in two.
            cut = whole.rfind(b",") + 1 if piece and len(whole) < _LONGEST else len(whole)
            self._rest = whole[cut:]
            if cut or not piece:
                return self._repair(whole[:cut])

    def _repair(self, piece: bytes) -> bytes:
        if any(flaw in piece for flaw in _FLAWS):
            return _ESCAPE.sub(self._rewrite, piece)
        return piece

    def _rewrite(self, escape: re.Match[bytes]) -> bytes:
        if escape["control"] is not None:
            return b"\\u00" + escape["control"]
        if escape["half"] is not None:
            self.halves += 1
            return b"\\ufffd"
        return escape[0]


@contextmanager
def open_json(path: Path, on_bytes: Callable[[int], None]) -> Iterator[JsonBytes]:
    """Open a file for ijson, and turn whatever happens while it is parsed into one sentence.

    Raises:
        IngestError: it is missing, unreadable, empty, HTML, not UTF-8, not JSON, or cut off.
    """
    limit = sys.get_int_max_str_digits()
    try:
        with path.open("rb") as file:
            _refuse_other_formats(path, file.read(4096))
            file.seek(0)
            # ijson's C backend crashes the interpreter when a number has more digits than int() accepts.
            sys.set_int_max_str_digits(0)
            yield JsonBytes(file, on_bytes)
    except ijson.JSONError as error:
        raise _explain(path, str(error)) from None  # its text quotes the file
    except UnicodeDecodeError:
        raise _explain(path, "UTF8") from None
    except ArithmeticError:
        raise IngestError(f"{path} holds a number that nobody can read", AGAIN) from None
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        sys.set_int_max_str_digits(limit)


def unreadable(path: Path, error: OSError) -> IngestError:
    """The system would not let us at the file."""
    return IngestError(f"{path} cannot be read ({error.strerror})", "check the path and its permissions")


def _refuse_other_formats(path: Path, head: bytes) -> None:
    start = head.removeprefix(_BOM).lstrip()
    if not start:
        raise IngestError(f"{path} is empty", AGAIN)
    if start[:1] == b"<":
        raise IngestError(f"{path} is an HTML export", f"{AGAIN} instead of HTML")
    if start[:4] == b"PK\x03\x04":
        raise IngestError(f"{path} is a zip archive", "unpack it and give the result.json inside")
    if start[:1] not in b"{[":
        raise IngestError(f"{path} is not JSON", AGAIN)


def _explain(path: Path, problem: str) -> IngestError:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        ends_whole = file.read().rstrip()[-1:] in (b"}", b"]")
    if "premature EOF" in problem or not ends_whole:
        return IngestError(f"{path} is cut off in the middle", f"{AGAIN}, and copy the whole file")
    if "UTF8" in problem:
        return IngestError(f"{path} is not valid UTF-8", f"{AGAIN}; some program changed this file")
    return IngestError(f"{path} is not valid JSON", f"{AGAIN}; some program changed this file")

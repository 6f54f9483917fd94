"""A JSON file of any size, read in pieces: Telegram's known flaws repaired, every failure one sentence.

Knows nothing of what the file means.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import ijson

from ingest.finding import AGAIN
from ingest.places import Place
from twin.errors import IngestError

_LONGEST = 1 << 20  # bytes without a comma that are still kept together
_BOM = b"\xef\xbb\xbf"
_ARCHIVES = (b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b", b"\xfd7zXZ", b"BZh")
_FLAWS = (b"\\x", b"\\ud", b"\\uD")
# Telegram Desktop 4.1 wrote a custom emoji's document_id without quotes (its issue #24984). Within a string the first
# quote could not stand as it is, so this never is somebody's text.
_UNQUOTED = re.compile(rb'("document_id": )(?![\s"\[{]|-?[0-9]|null\b)([^",\n{}\[\]]+)')
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
    export_output_json.cpp); they are rewritten as `\\u000B`. Some versions left out the quotes around a file's name.
    Half a surrogate pair cannot be stored as text; it becomes U+FFFD and is counted in `halves`.
    """

    def __init__(self, file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
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
            piece = _ESCAPE.sub(self._rewrite, piece)
        return _UNQUOTED.sub(rb'\1"\2"', piece)

    def _rewrite(self, escape: re.Match[bytes]) -> bytes:
        if escape["control"] is not None:
            return b"\\u00" + escape["control"]
        if escape["half"] is not None:
            self.halves += 1
            return b"\\ufffd"
        return escape[0]


@contextmanager
def open_json(place: Place, on_bytes: Callable[[int], None]) -> Iterator[JsonBytes]:
    """Open a file for ijson, and turn whatever happens while it is parsed into one sentence.

    Raises:
        IngestError: it is missing, unreadable, empty, HTML, not UTF-8, not JSON, or cut off.
    """
    limit = sys.get_int_max_str_digits()
    try:
        _refuse_other_formats(place)
        # ijson's C backend crashes the interpreter when a number has more digits than int() accepts.
        sys.set_int_max_str_digits(0)
        with place.open() as file:
            yield JsonBytes(file, on_bytes)
    except ijson.JSONError as error:
        raise _explain(place, str(error)) from None  # its text quotes the file
    except UnicodeDecodeError:
        raise _explain(place, "UTF8") from None
    except ArithmeticError:
        raise IngestError(f"{place} holds a number that nobody can read", AGAIN) from None
    finally:
        sys.set_int_max_str_digits(limit)


def _refuse_other_formats(place: Place) -> None:
    start = place.head().removeprefix(_BOM).lstrip()
    if not start:
        raise IngestError(f"{place} is empty", AGAIN)
    if start[:1] == b"<":
        raise IngestError(f"{place} is an HTML export", f"{AGAIN} instead of HTML")
    if start.startswith(_ARCHIVES):
        raise IngestError(f"{place} is an archive of a kind that is not read here", "unpack it and give the folder")
    if start[:1] not in b"{[":
        raise IngestError(f"{place} is not JSON", AGAIN)


def _explain(place: Place, problem: str) -> IngestError:
    if "premature EOF" in problem or place.tail().rstrip()[-1:] not in (b"}", b"]"):
        return IngestError(f"{place} is cut off in the middle", f"{AGAIN}, and copy the whole file")
    if "UTF8" in problem:
        return IngestError(f"{place} is not valid UTF-8", f"{AGAIN}; some program changed this file")
    return IngestError(f"{place} is not valid JSON", f"{AGAIN}; some program changed this file")

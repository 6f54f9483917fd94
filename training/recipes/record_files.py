"""Files of records: a JSON array, JSON lines or plain text, packed with gzip or not; a record at a time.

Knows nothing of what a record means.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, cast

import ijson

from training.recipes.chatml import END, START
from twin.errors import DatasetError

Shape = Literal["array", "lines", "text"]
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"


class Broken:
    """A line that holds no record; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def read_values(path: Path, *, is_text: bool = False) -> Iterator[tuple[int, Any]]:
    """Each record with its number: of a JSON array the place, else the line, of plain ChatML the conversation.

    Args:
        is_text: whether what does not begin as JSON is plain ChatML text.

    Returns:
        numbers from 1 and JSON values, strings for plain text, `Broken` for a line that is none. Never loads the file.

    Raises:
        DatasetError: it cannot be read, is empty, or is an array that breaks off.
    """
    number = 0
    try:
        with _open(path) as file:
            shape = _shape(file, is_text)
            values = {"array": _array, "lines": _lines, "text": _texts}[shape](file)
            for number, value in values:
                yield number, value
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path.name} is no valid JSON array after record {number}", "write it again, or use one record a line"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "it breaks off" if path.exists() else "there is no such file"
        raise DatasetError(f"{path.name} cannot be read ({why})", "check the path and the file") from error
    if not number:
        raise DatasetError(f"{path.name} holds no records", "check that it is the right file")


def write_values(path: Path, values: Iterable[dict[str, Any]], *, is_text: bool = False) -> None:
    """Write records: an array into `.json`, else a record a line, or plain text unless a `.jsonl` is asked for.

    `.gz` behind it packs. What was there is replaced when all is written, and stays on any error.

    Raises:
        DatasetError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with cast(
            IO[str], (gzip.open if _is_packed(path) else open)(draft, "wt", encoding="utf-8", newline="\n")
        ) as out:
            out.writelines(_pieces(_shape_of(path, is_text), values))
        draft.replace(path)
    except OSError as error:
        raise DatasetError(
            f"{path.name} cannot be written ({error.strerror})", "check the folder and the free disk space"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _is_packed(path: Path) -> bool:
    return path.suffix.casefold() == ".gz"


def _shape_of(path: Path, is_text: bool) -> Shape:
    suffix = (path.with_suffix("") if _is_packed(path) else path).suffix.casefold()
    return "array" if suffix == ".json" else "text" if is_text and suffix != ".jsonl" else "lines"


def _pieces(shape: Shape, values: Iterable[dict[str, Any]]) -> Iterator[str]:
    if shape == "array":
        yield "["
    for number, value in enumerate(values):
        if shape == "text":
            yield ("\n" if number else "") + value["text"]
        else:
            line = json.dumps(value, ensure_ascii=False)
            yield f"{',' if number else ''}\n{line}" if shape == "array" else f"{line}\n"
    if shape == "array":
        yield "\n]\n"


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """Unpacked by what the file is, not by its name; a byte order mark is skipped."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with cast(IO[bytes], gzip.GzipFile(fileobj=raw) if packed else raw) as file:
            if file.read(3) != _BOM:
                file.seek(0)
            yield file


def _shape(file: IO[bytes], is_text: bool) -> Shape:
    start = file.tell()
    first = b""
    while (sign := file.read(1)) and not first:
        first = sign.strip(_BLANK)
    file.seek(start)
    return "array" if first == b"[" else "text" if is_text and first != b"{" else "lines"


def _array(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    yield from enumerate(ijson.items(file, "item"), 1)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, _value(line)


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        return Broken("not UTF-8")
    except (ValueError, RecursionError):
        return Broken("not JSON")


def _texts(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """Conversations of plain ChatML: a blank line outside of turns, or another system text, begins the next one."""
    kept: list[bytes] = []
    number, is_inside = 0, False
    for line in file:
        begins = not is_inside and (not line.strip() or line.startswith(f"{START}system".encode()))
        if begins and b"".join(kept).strip():
            number += 1
            yield number, _decoded(kept)
            kept = []
        kept.append(line)
        is_inside = _is_inside(line, is_inside)
    if b"".join(kept).strip():
        yield number + 1, _decoded(kept)


def _is_inside(line: bytes, before: bool) -> bool:
    started, ended = line.rfind(START.encode()), line.rfind(END.encode())
    return before if started == ended else started > ended


def _decoded(lines: list[bytes]) -> str | Broken:
    try:
        return b"".join(lines).decode()
    except UnicodeDecodeError:
        return Broken("not UTF-8")

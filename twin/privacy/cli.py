"""The verb `scrub`: JSON lines in, the same with what was found and without it out.

Knows nothing of how secrets are found; it names the number of a bad line and never a word of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import click

from twin.errors import PrivacyError
from twin.privacy.detect import find
from twin.privacy.spans import Span, replace
from twin.privacy.windows import find_window

_REMEDY = 'give one JSON object a line, {"text": "..."} or {"messages": ["...", ...]}, in UTF-8'


@click.command()
def scrub() -> None:
    """Find secrets in JSON lines on stdin and write the lines with them named, and replaced.

    A line holds {"text": TEXT}, one message, or {"messages": [...]}, consecutive messages of one conversation, oldest
    first, each a text or an object with "text". A line comes back with everything that was in it, and with

    \b
    "spans"     [{"start", "end", "label"}, ...], code point offsets into the text, "end" exclusive
    "scrubbed"  the text with a placeholder for each span: "[password]", "[phone]" ...

    For messages both are lists, one entry a message, in their order; a message that is an object holds its own two as
    well. Lines come out one by one, in their order. Nothing is sent or kept anywhere.
    """
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if line.strip():
            _write(_scrubbed(_read(line, number), number))


def _read(line: bytes, number: int) -> dict[str, Any]:
    """The object on a line.

    Raises:
        PrivacyError: there is none.
    """
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError):
        raise _bad(number, "is no JSON") from None
    if not isinstance(value, dict):
        raise _bad(number, "is no JSON object")
    return value


def _scrubbed(line: dict[str, Any], number: int) -> dict[str, Any]:
    """A line with its spans and its scrubbed text, or a list of each for messages."""
    if ("text" in line) == ("messages" in line):
        raise _bad(number, 'must have either "text" or "messages"')
    if "text" in line:
        text = _text(line["text"], number)
        return line | _told(text, find(text))
    messages = line["messages"]
    if not isinstance(messages, list):
        raise _bad(number, 'has "messages" that are no list')
    texts = [_text(message.get("text", 0) if isinstance(message, dict) else message, number) for message in messages]
    told = [_told(text, spans) for text, spans in zip(texts, find_window(texts), strict=True)]
    return line | {
        "messages": list(_with_their_own(messages, told)),
        "spans": [one["spans"] for one in told],
        "scrubbed": [one["scrubbed"] for one in told],
    }


def _text(value: Any, number: int) -> str:
    if not isinstance(value, str):
        raise _bad(number, "has a text that is no string")
    return value


def _told(text: str, spans: Iterable[Span]) -> dict[str, Any]:
    found = list(spans)
    return {"spans": [asdict(span) for span in found], "scrubbed": replace(text, found)}


def _with_their_own(messages: Iterable[Any], told: Iterable[dict[str, Any]]) -> Iterator[Any]:
    for message, own in zip(messages, told, strict=True):
        yield message | own if isinstance(message, dict) else message


def _write(line: dict[str, Any]) -> None:
    """One line in UTF-8, at once: whoever reads on the other end of a pipe waits for it."""
    try:
        written = json.dumps(line, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON may hold and UTF-8 may not
        written = json.dumps(line).encode()
    click.echo(written)


def _bad(number: int, what: str) -> PrivacyError:
    return PrivacyError(f"Line {number} {what}", _REMEDY)

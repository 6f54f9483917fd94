"""Held-out contexts for systems of other makes, and the replies that they wrote to them, as JSON lines.

Knows nothing of measures. The files hold messages: what is written can be read by its owner alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.fidelity.evaluation import Written
from training.fidelity.material import Bubbles, Context
from training.fidelity.report import turn_of
from training.fidelity.systems import LABELS
from twin.errors import DatasetError

_FORM = 'write {"id": "...", "bubbles": ["...", ...]} on one line for each context'


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file of replies came to.

    Attributes:
        missing: contexts of this evaluation without a line in it.
        unasked: lines for held-out contexts that are not in this evaluation.
    """

    written: Written
    missing: int
    unasked: int


def write_contexts(path: Path, contexts: Iterable[Context]) -> int:
    """A line for each context: its id and the turns before the reply, never the reply. Returns how many.

    Raises:
        DatasetError: it cannot be written; what was there stays.
    """
    lines = [json.dumps(_line(context), ensure_ascii=False) + "\n" for context in contexts]
    write_private(path, "".join(lines))
    return len(lines)


def write_private(path: Path, text: str) -> None:
    """A whole file or none, readable by its owner alone.

    Raises:
        DatasetError: it cannot be written; what was there stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DatasetError(f"{path} cannot be written ({error.strerror})", "choose another file") from error


def _line(context: Context) -> dict[str, Any]:
    return {"id": context.id, "turns": [turn_of(turn) for turn in context.conversation.turns]}


def read_replies(source: str, contexts: Sequence[Context], held_out: Sequence[Context], taken: Iterable[str]) -> Taken:
    """Replies to contexts, from "FILE" or "NAME=FILE".

    Args:
        contexts: of this evaluation; held_out: all that may be asked about.
        taken: names that other systems have.

    Raises:
        DatasetError: it cannot be read, holds something else, answers a context twice or one that is none of these.
    """
    name, path = _named(source)
    if name in {*LABELS, *LABELS.values(), *taken}:
        raise DatasetError(f"Two systems cannot both be called {name!r}", "choose a name with --replies NAME=FILE")
    replies: dict[str, Bubbles] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        key, bubbles = _reply(line, path.name, number)
        if key in replies:
            raise DatasetError(f"Line {number} of {path.name} answers a context a second time", "keep one reply each")
        replies[key] = bubbles
    known = {context.id for context in held_out}
    if strange := sum(key not in known for key in replies):
        raise DatasetError(
            f"{strange:,} of {len(replies):,} replies in {path.name} are to contexts that are not held out here",
            "write them anew with `twin eval --contexts-out`",
        )
    asked = {context.id for context in contexts}
    return Taken(Written(name, replies), len(asked - replies.keys()), len(replies.keys() - asked))


def _named(source: str) -> tuple[str, Path]:
    name, equals, file = source.partition("=")
    if equals and name.strip() and not Path(source).exists():
        return name.strip(), Path(file).expanduser()
    path = Path(source).expanduser()
    return path.stem, path


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise DatasetError(f"There is no file {path}", "check its name") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text", "save it as UTF-8") from error


def _reply(line: str, name: str, number: int) -> tuple[str, Bubbles]:
    try:
        values = json.loads(line)
        key, bubbles = values["id"], values["bubbles"]
        if not isinstance(key, str) or not isinstance(bubbles, list) or not all(isinstance(b, str) for b in bubbles):
            raise TypeError
        "".join(bubbles).encode()
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(f"Line {number} of {name} is no reply", _FORM) from error
    return key, tuple(bubble for bubble in bubbles if bubble.strip())

"""Sessions as columns of numbers: what comparing and counting a hundred thousand turns needs, without their texts.

Knows nothing of why anybody counts. Words are numbers too (CRC-32), so nothing can be read here.

There are four levels, and each says how many rows of the next belong to a row: sessions have turns, turns have
bubbles, bubbles have words. A word is folded, drawn-out letters stand once; a bubble without letters or digits is one
word of its own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from training.cuts import time_of
from training.reasons import NOT_OWN, STATUSES
from twin.messages import Session, Turn
from twin.words import UNSPACED, fold

Ints = NDArray[np.signedinteger[Any]]
Mask = NDArray[np.bool_]

_PLACES: dict[str | None, int] = {name: place for place, name in enumerate(STATUSES)} | {None: 1}

NUMBER = 1
"""The bit that numbers have, and other words have not."""
_BETWEEN = "\0"
_TOKEN = re.compile(f"[{UNSPACED}]|\\d+|[^\\W\\d_{UNSPACED}]+|{_BETWEEN}")
_DRAWN_OUT = re.compile(r"([^\0\d])\1{2,}")


class _Codes(dict[str, int]):
    """Words to their numbers, each computed once."""

    def __missing__(self, word: str) -> int:
        self[word] = code = _code(word)
        return code


@dataclass(frozen=True)
class Sheet:
    """The columns.

    Attributes:
        chat, start, turns: of sessions: the dialog, when it begins (UTC epoch seconds), how many turns.
        status, at, characters, bubbles: of turns: its place in STATUSES, when it begins, as in Turn, how many bubbles.
        authored, length, words: of bubbles: as in Bubble, characters of its text, how many words.
        word: of words.
    """

    chat: Ints
    start: Ints
    turns: Ints
    status: NDArray[np.uint8]
    at: Ints
    characters: Ints
    bubbles: Ints
    authored: Mask
    length: Ints
    words: Ints
    word: NDArray[np.uint32]

    @classmethod
    def of(cls, found: Iterable[Session]) -> Sheet:
        """The sheet of sessions, in their order."""
        columns: dict[str, list[Any]] = {column.name: [] for column in fields(cls)}
        codes = _Codes()
        for session in found:
            columns["chat"].append(session.chat_id)
            columns["start"].append(_seconds(session.turns[0]))
            columns["turns"].append(len(session.turns))
            for turn in session.turns:
                columns["status"].append(_status(turn))
                columns["at"].append(_seconds(turn))
                columns["characters"].append(turn.characters)
                columns["bubbles"].append(len(turn.bubbles))
            said = [bubble for turn in session.turns for bubble in turn.bubbles]
            columns["authored"] += [bubble.authored for bubble in said]
            columns["length"] += [len(bubble.text) for bubble in said]
            for words in _words_of_each([bubble.text for bubble in said]):
                columns["words"].append(len(words))
                columns["word"] += [codes[word] for word in words]
        return cls(**{name: np.array(values, dtype=_TYPES.get(name, np.int64)) for name, values in columns.items()})

    @classmethod
    def join(cls, sheets: Sequence[Sheet]) -> Sheet:
        """Several as one, in their order."""
        return cls(**{c.name: np.concatenate([getattr(s, c.name) for s in sheets]) for c in fields(cls)})

    def take(self, chosen: Mask) -> Sheet:
        """Some of its sessions, as a mask over them."""
        by_turn = np.repeat(chosen, self.turns)
        by_bubble = np.repeat(by_turn, self.bubbles)
        by_word = np.repeat(by_bubble, self.words)
        levels = (chosen,) * 3 + (by_turn,) * 4 + (by_bubble,) * 3 + (by_word,)
        return Sheet(*(getattr(self, c.name)[level] for c, level in zip(fields(self), levels, strict=True)))

    def __len__(self) -> int:
        return len(self.chat)

    def write(self) -> bytes:
        """All columns, for `read`."""
        file = io.BytesIO()
        np.savez(file, **{column.name: getattr(self, column.name) for column in fields(self)})
        return file.getvalue()

    @classmethod
    def read(cls, written: bytes) -> Sheet:
        """The inverse of `write`."""
        with np.load(io.BytesIO(written), allow_pickle=False) as columns:
            return cls(**{column.name: columns[column.name] for column in fields(cls)})

    @cached_property
    def session_of_turn(self) -> Ints:
        """Of each turn, its session's row."""
        return np.repeat(np.arange(len(self.turns)), self.turns)

    @cached_property
    def place_of_turn(self) -> Ints:
        """Of each turn, its number in its session."""
        return np.arange(len(self.status)) - np.repeat(_starts(self.turns), self.turns)

    @cached_property
    def first_bubble(self) -> Ints:
        """Of each turn, the row of its first bubble."""
        return _starts(self.bubbles)

    @cached_property
    def first_word(self) -> Ints:
        """Of each bubble, the row of its first word."""
        return _starts(self.words)

    @cached_property
    def chat_of_turn(self) -> Ints:
        """Of each turn, its dialog."""
        return self.chat[self.session_of_turn]

    def became(self) -> dict[str, int]:
        """How many of the owner's turns have each status."""
        counts = np.bincount(self.status, minlength=len(STATUSES)).tolist()
        return {name: count for name, count in zip(STATUSES, counts, strict=True) if name and count}


_TYPES: dict[str, Any] = {
    "turns": np.int32,
    "status": np.uint8,
    "characters": np.int32,
    "bubbles": np.int32,
    "authored": np.bool_,
    "length": np.int32,
    "words": np.int32,
    "word": np.uint32,
}


def words_of(text: str) -> list[str]:
    """The words of a text as a sheet has them; none where there are neither letters nor digits."""
    return _tokens(text.replace(_BETWEEN, " "))


def codes_of(words: Iterable[str]) -> tuple[int, ...]:
    """Words as numbers, as a sheet has them."""
    return tuple(map(_code, words))


def _code(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass")) & ~NUMBER | (NUMBER if word.isdecimal() else 0)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(_DRAWN_OUT.sub(r"\1", fold(text)))


def _words_of_each(texts: Sequence[str]) -> list[list[str]]:
    """The words of each of a session's bubbles: read together, which is faster, then parted."""
    if any(_BETWEEN in text for text in texts):
        texts = [text.replace(_BETWEEN, " ") for text in texts]
    each: list[list[str]] = [[]]
    for token in _tokens(_BETWEEN.join(texts)):
        if token == _BETWEEN:
            each.append([])
        else:
            each[-1].append(token)
    return [words or [_signs(text)] for words, text in zip(each, texts, strict=True)]


def _signs(text: str) -> str:
    return _BETWEEN + _DRAWN_OUT.sub(r"\1", fold(text).strip())


def _status(turn: Turn) -> int:
    if turn.speaker == "other":
        return 0
    if not turn.is_authored or turn.withheld not in _PLACES:  # sets may withhold for reasons of their own
        return _PLACES[NOT_OWN]
    return _PLACES[turn.withheld]


def _seconds(turn: Turn) -> int:
    return 0 if turn.started_at is None else int(time_of(turn).timestamp())


def _starts(counts: Ints) -> Ints:
    """Where each row's own begin: the sums of what stands before."""
    return np.cumsum(counts, dtype=np.int64) - counts

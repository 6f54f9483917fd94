"""Finding messages by what was said in them, newest first.

Knows nothing of terminals; how texts are cut into tokens is told by twin/segmenting.py.

People write words, which must all be there, `"a phrase"`, and `beginn*`. Whatever else they write, it is a query: FTS5
only ever gets tokens in quotes, and never its own syntax.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from twin.errors import StoreError
from twin.search_index import ID_BITS, MINE, THEIRS, dialog_tag
from twin.segmenting import Token, tokens
from twin.store import Store, time_range

MOST_TOKENS = 64
_PART = re.compile(r'"(?P<phrase>[^"]*)(?:"(?P<open>\*?)|$)|(?P<word>[^\s"]+)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"') | {"＊": "*"})


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens that must follow one another; with `is_prefix` the last one may go on."""

    tokens: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: every phrase must be in a message."""

    phrases: tuple[Phrase, ...]

    @classmethod
    def parse(cls, words: str) -> Query:
        """Read what a person typed.

        Raises:
            StoreError: nothing in it can be looked for, or it is longer than any message needs.
        """
        found = []
        for part in _PART.finditer(words.translate(_QUOTES)):
            text = part["phrase"] if part["word"] is None else part["word"]
            is_prefix = bool(part["open"]) if part["word"] is None else text.endswith("*")
            if cut := tuple(token.text for token in tokens(text)):
                found.append(Phrase(cut, is_prefix))
        if not found:
            raise StoreError("There is nothing to search for in that", "give a word, a phrase or an emoji")
        if sum(len(phrase.tokens) for phrase in found) > MOST_TOKENS:
            raise StoreError("That is too long to search for", f"give at most {MOST_TOKENS} words or signs")
        return cls(tuple(dict.fromkeys(found)))

    def as_fts(self) -> str:
        """As FTS5's MATCH takes it."""
        return " ".join(f'"{" ".join(phrase.tokens)}"{"*" * phrase.is_prefix}' for phrase in self.phrases)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where it is found in a text: (start, end) in characters, ascending, apart from one another."""
        said = tokens(text)
        spans = sorted(span for phrase in self.phrases for span in _places(phrase, said))
        merged: list[tuple[int, int]] = []
        for start, end in spans:
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Where to look.

    Attributes:
        chats: only in these dialogs; none means all.
        is_owner: only what the owner said (True), or the others (False).
        since, until: aware times; `until` itself does not count any more.
    """

    chats: tuple[int, ...] = ()
    is_owner: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYWHERE = Narrowing()


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found; see Message. `places` are the (start, end) of what was looked for in its text."""

    chat_id: int
    message_id: int
    name: str | None
    sent_at: datetime
    is_owner: bool
    text: str
    deleted_at: datetime | None
    places: tuple[tuple[int, int], ...]


def search(store: Store, query: Query, where: Narrowing = EVERYWHERE, limit: int = 20) -> list[Hit]:
    """The newest messages that fit; only what is indexed is found (see `twin.search_index.update`).

    Raises:
        StoreError: the database cannot be read.
    """
    since, until = time_range(where.since, where.until)
    try:
        rows = store.db.execute(
            "select id from search where search match ? and rowid >= ? and rowid < ? order by rowid desc limit ?",
            [_expression(query, where), _shifted(since), _shifted(until), limit],
        ).fetchall()
        return [_hit(row, query) for (row_id,) in rows for row in _message(store, row_id)]
    except sqlite3.Error as error:
        raise StoreError(
            f"The database cannot be searched ({error})", "try again, or restore it from a backup"
        ) from error


def _expression(query: Query, where: Narrowing) -> str:
    parts = [f"text : ({query.as_fts()})"]
    if where.chats:
        parts.append(f"tags : ({' OR '.join(dialog_tag(chat_id) for chat_id in where.chats)})")
    if where.is_owner is not None:
        parts.append(f"tags : {MINE if where.is_owner else THEIRS}")
    return " AND ".join(parts)


def _shifted(seconds: int) -> int:
    """A time as the index's row ids have it, within what SQLite can hold."""
    return max(-(1 << 63), min(seconds << ID_BITS, (1 << 63) - 1))


def _message(store: Store, row_id: int) -> Sequence[tuple[Any, ...]]:
    rows: Sequence[tuple[Any, ...]] = store.db.execute(
        "select m.chat_id, m.message_id, d.name, m.sent_at, m.is_owner, m.text, m.deleted_at"
        " from messages m join dialogs d using (chat_id) where m.id = ?",
        [row_id],
    ).fetchall()
    return rows


def _hit(row: tuple[Any, ...], query: Query) -> Hit:
    chat_id, message_id, name, sent_at, is_owner, text, deleted_at = row
    return Hit(
        chat_id=chat_id,
        message_id=message_id,
        name=name,
        sent_at=datetime.fromtimestamp(sent_at, UTC),
        is_owner=bool(is_owner),
        text=text,
        deleted_at=None if deleted_at is None else datetime.fromtimestamp(deleted_at, UTC),
        places=tuple(query.places(text)),
    )


def _places(phrase: Phrase, said: Sequence[Token]) -> list[tuple[int, int]]:
    length, last = len(phrase.tokens), phrase.tokens[-1]
    found = []
    for start in range(len(said) - length + 1):
        run = said[start : start + length]
        ends_well = run[-1].text.startswith(last) if phrase.is_prefix else run[-1].text == last
        if ends_well and all(token.text == asked for token, asked in zip(run, phrase.tokens[:-1], strict=False)):
            found.append((run[0].start, run[-1].end))
    return found

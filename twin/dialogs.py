"""Dialogs: who is talked to, which of them count, and what the owner says they are to them.

Knows nothing of what was said.
"""

from __future__ import annotations

import time
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlite_utils import Database

from twin.errors import StoreError
from twin.messages import NOBODY, Peer


@dataclass(frozen=True, slots=True)
class Dialog:
    """One private chat: its id, who the other person is, and counts of what is stored, or came in.

    Attributes:
        chat_id: Telegram's user id of the other person; negative for chats from elsewhere.
        name: the other person's name, None for a deleted account.
        first_at, last_at: aware UTC times of the oldest and the newest message.
        username: without "@".
        language: ISO 639-1 guess of what is spoken here, None when nobody guessed.
        relation: what the owner tagged the other person as ("friend").
        is_included: False when the owner excluded it: it is then neither brought in nor learned from.
    """

    chat_id: int
    name: str | None
    messages: int
    owner_messages: int
    first_at: datetime | None
    last_at: datetime | None
    username: str | None = None
    language: str | None = None
    relation: str | None = None
    is_included: bool = True


class Dialogs:
    """The table `dialogs` over one database connection."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, chat_id: int, name: str | None, username: str | None = None, language: str | None = None) -> None:
        """Make a dialog known; a later name replaces an earlier one, nothing replaces nothing."""
        self._db.execute(
            "insert into dialogs (chat_id, name, kind, first_seen_at, username, language)"
            " values (?, ?, 'person', ?, ?, ?) on conflict (chat_id) do update set"
            " name = coalesce(excluded.name, name), username = coalesce(excluded.username, username),"
            " language = coalesce(excluded.language, language)",
            [chat_id, name, int(time.time()), username, language],
        )

    def all(self) -> list[Dialog]:
        """Every dialog with its counts, most messages first."""
        return self._with_counts("", [])

    def _with_counts(self, where: str, values: list[int]) -> list[Dialog]:
        rows = self._db.query(
            "select d.*, count(m.message_id) as messages, coalesce(sum(m.is_owner), 0) as owner,"  # noqa: S608
            " min(m.sent_at) as first_at, max(m.sent_at) as last_at"
            f" from dialogs d left join messages m using (chat_id) {where}"
            " group by d.chat_id order by messages desc, d.chat_id",
            values,
        )
        return [
            Dialog(
                chat_id=row["chat_id"],
                name=row["name"],
                messages=row["messages"],
                owner_messages=row["owner"],
                first_at=_time(row["first_at"]),
                last_at=_time(row["last_at"]),
                username=row["username"],
                language=row["language"],
                relation=row["relation"],
                is_included=bool(row["is_included"]),
            )
            for row in rows
        ]

    def find(self, who: str) -> Dialog:
        """The one dialog that a person means, with its counts; see `identify`."""
        return self._with_counts("where d.chat_id = ?", [self.identify(who)])[0]

    def identify(self, who: str) -> int:
        """The id of the one dialog that a person means by a name, "@username" or id.

        An id counts first, then a whole name or username (any case), then the beginning of a name.

        Raises:
            StoreError: none or several fit.
        """
        known = self._db.execute("select chat_id, name, username from dialogs order by chat_id").fetchall()
        asked, is_username = _fold(who.removeprefix("@")), who.startswith("@")
        tiers = (
            [chat_id for chat_id, _, _ in known if not is_username and who.strip() == str(chat_id)],
            [
                chat_id
                for chat_id, name, username in known
                if asked and (asked == _fold(username) or (not is_username and asked == _fold(name)))
            ],
            [chat_id for chat_id, name, _ in known if asked and not is_username and _fold(name).startswith(asked)],
        )
        found = next((tier for tier in tiers if tier), [])
        if len(found) == 1:
            return int(found[0])
        if not found:
            raise StoreError("There is no such dialog", "`twin dialogs list` shows them")
        ids = ", ".join(map(str, found[:5])) + (" ..." if len(found) > 5 else "")
        raise StoreError(f"{len(found)} dialogs are called so", f"give one of their ids: {ids}")

    def peer(self, chat_id: int) -> Peer:
        """Who is on the other side of a dialog, as far as the owner's messages and tags tell."""
        row = self._db.execute("select name, relation from dialogs where chat_id = ?", [chat_id]).fetchone()
        return Peer(without_secrets(row[0]), row[1]) if row else NOBODY

    def include(self, chat_id: int, is_included: bool) -> None:
        """Let a dialog count, or leave it out from now on; what is stored stays stored."""
        self._db.execute("update dialogs set is_included = ? where chat_id = ?", [int(is_included), chat_id])

    def tag(self, chat_id: int, relation: str | None) -> None:
        """Say what the other person is to the owner; None takes it back."""
        self._db.execute("update dialogs set relation = ? where chat_id = ?", [relation, chat_id])

    def excluded(self) -> frozenset[int]:
        """The ids of the dialogs that the owner excluded."""
        return frozenset(row[0] for row in self._db.execute("select chat_id from dialogs where not is_included"))


def without_secrets(name: str | None) -> str | None:
    """A name as a prompt may tell it: people note phone numbers and worse beside the names of their contacts."""
    from twin.privacy import find, replace

    return replace(name, find(name)) if name else name


def _fold(name: str | None) -> str:
    return unicodedata.normalize("NFKC", name or "").strip().casefold()


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

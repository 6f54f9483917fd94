"""The bot's own chats: what was said since the last reset, and which bubbles still have to be sent.

Knows nothing of Telegram. These rows are never training data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlite_utils import Database

from twin import conversations
from twin.messages import Message, Turn

_OWNER, _OTHER, _RESET = "owner", "other", "reset"


@dataclass(frozen=True, slots=True)
class Planned:
    """A bubble of a reply that was written down before it is sent; `is_sent` tells whether it was."""

    id: int
    text: str
    is_sent: bool


class History:
    """Rows of `bot_messages` over one database connection; times are UTC epoch seconds.

    A row carries its update's id until that update is settled, so that an interrupted answer goes on where it was.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def hear(self, update_id: int, chat_id: int, text: str, at: float) -> None:
        """Store what a human wrote; storing the same update again changes nothing."""
        self._db.execute(
            "insert or ignore into bot_messages (chat_id, speaker, text, sent_at, update_id) values (?, ?, ?, ?, ?)",
            [chat_id, _OTHER, text, at, update_id],
        )

    def plan(self, update_id: int, chat_id: int, bubbles: Sequence[str], adapter: str | None, at: float) -> None:
        """Store a reply, all of it, before its first bubble is sent."""
        with self._db.atomic():
            for text in bubbles:
                self._db.execute(
                    "insert into bot_messages (chat_id, speaker, text, sent_at, adapter, update_id)"
                    " values (?, ?, ?, ?, ?, ?)",
                    [chat_id, _OWNER, text, at, adapter, update_id],
                )

    def planned(self, update_id: int) -> list[Planned]:
        """The reply to an update that is not settled, in order; empty when none was written yet."""
        rows = self._db.execute(
            "select id, text, message_id is not null from bot_messages where update_id = ? and speaker = ? order by id",
            [update_id, _OWNER],
        )
        return [Planned(number, text, bool(is_sent)) for number, text, is_sent in rows]

    def sent(self, bubble: Planned, message_id: int) -> None:
        """A bubble stands in the chat now, under this id."""
        self._db.execute("update bot_messages set message_id = ? where id = ?", [message_id, bubble.id])

    def drop(self, bubble: Planned) -> None:
        """A bubble could not be sent: it was never said."""
        self._db.execute("delete from bot_messages where id = ?", [bubble.id])

    def settle(self, update_id: int) -> None:
        """An update is answered: its id may come again, with another bot."""
        self._db.execute("update bot_messages set update_id = null where update_id = ?", [update_id])

    def reset(self, chat_id: int, at: float) -> None:
        """Start afresh: nothing before this is read again. The rows stay."""
        self._db.execute(
            "insert into bot_messages (chat_id, speaker, text, sent_at) values (?, ?, '', ?)", [chat_id, _RESET, at]
        )

    def conversation(self, chat_id: int, limit: int, gap: timedelta) -> tuple[Turn, ...]:
        """The live conversation as turns, oldest first, made of at most `limit` messages since the last reset.

        It begins after the last silence longer than `gap`, as the sessions that the twin learned from do.
        """
        rows = self._db.execute(
            "select id, speaker, text, sent_at from (select * from bot_messages where chat_id = :chat and id >"
            " (select coalesce(max(id), 0) from bot_messages where chat_id = :chat and speaker = 'reset')"
            " order by id desc limit :limit) order by id",
            {"chat": chat_id, "limit": limit},
        )
        messages = [
            Message(
                chat_id=chat_id,
                message_id=number,
                sent_at=datetime.fromtimestamp(at, UTC),
                sender_id=None,
                is_owner=speaker == _OWNER,
                text=text,
            )
            for number, speaker, text, at in rows
        ]
        # by id, the order in which things were handled: a reply may be younger than the next question
        silences = [n for n, (a, b) in enumerate(pairwise(messages), start=1) if b.sent_at - a.sent_at > gap]
        return conversations.turns(messages[silences[-1] if silences else 0 :])

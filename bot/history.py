"""The bot's own chats: what was said since the last reset, and which bubbles still have to be sent.

Knows nothing of Telegram, or of how a conversation is cut and written. These rows are never training data.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlite_utils import Database

from twin.messages import Message

_OWNER, _OTHER, _RESET = "owner", "other", "reset"
_BUSY = "busy"
_SOMEBODY = "somebody"
_TOLD = "coalesce(message_id, -id), speaker, text, sent_at, reply_to, media, media_note, is_forwarded"
_FAR = 1 << 62

Act = Literal["owner", "line", "reaction", "silence"]
"""What a message is met with: the twin's words, the bot's own, an emoji, nothing. Only the first are a turn that the
twin reads later."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What was written down before it is done.

    Attributes:
        text: a bubble, a line of the bot's own, an emoji; of a silence nothing.
        is_sent: whether it was done.
        adapter: which version wrote it.
        target: the message that an emoji is put to.
    """

    id: int
    text: str
    is_sent: bool
    act: Act = "owner"
    adapter: str | None = None
    target: int | None = None


class History:
    """Rows of `bot_messages` over one database connection; times are UTC epoch seconds.

    A row carries its update's id until that update is settled, so that an interrupted answer goes on where it was.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def hear(self, update_id: int, message: Message) -> None:
        """Store what a human sent, as it came; storing the same update again changes nothing."""
        self._db.execute(
            "insert or ignore into bot_messages (chat_id, speaker, text, sent_at, update_id, message_id, reply_to,"
            " media, media_note, is_forwarded) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                message.chat_id,
                _OTHER,
                message.text,
                message.sent_at.timestamp(),
                update_id,
                message.message_id,
                message.reply_to,
                message.media,
                message.media_note,
                message.forwarded_from is not None,
            ],
        )

    def own(self, message: Message) -> None:
        """Store what the owner wrote in a chat of their own; storing the same message again changes nothing."""
        self._db.execute(
            "insert into bot_messages (chat_id, speaker, text, sent_at, message_id, reply_to, media, media_note,"
            " is_forwarded) select :chat, :speaker, :text, :at, :id, :reply, :media, :note, :forwarded where not exists"
            " (select 1 from bot_messages where chat_id = :chat and message_id = :id and speaker = :speaker)",
            {
                "chat": message.chat_id,
                "speaker": _OWNER,
                "text": message.text,
                "at": message.sent_at.timestamp(),
                "id": message.message_id,
                "reply": message.reply_to,
                "media": message.media,
                "note": message.media_note,
                "forwarded": message.forwarded_from is not None,
            },
        )

    def revise(self, edited: Message) -> None:
        """A message was edited: it says that from now on, if it is one that was stored."""
        self._db.execute(
            "update bot_messages set text = ?, media = ?, media_note = ?"
            " where chat_id = ? and message_id = ? and speaker = ?",
            [
                edited.text,
                edited.media,
                edited.media_note,
                edited.chat_id,
                edited.message_id,
                _OWNER if edited.is_owner else _OTHER,
            ],
        )

    def reopen(self, update_id: int, message: Message) -> None:
        """A message is to be answered anew, with another update."""
        self._db.execute(
            "update bot_messages set update_id = ? where chat_id = ? and message_id = ? and speaker = ?",
            [update_id, message.chat_id, message.message_id, _OTHER],
        )

    def unsettled(self, chat_id: int) -> set[int]:
        """The updates whose messages are stored and not answered to the end."""
        rows = self._db.execute(
            "select update_id from bot_messages where chat_id = ? and speaker = ? and update_id is not null",
            [chat_id, _OTHER],
        )
        return {update_id for (update_id,) in rows}

    def plan(self, update_id: int, chat_id: int, bubbles: Sequence[str], adapter: str | None, at: float) -> None:
        """Store a reply, all of it, before its first bubble is sent.

        It answers all that is unsettled in that chat; `update_id` is any of these.
        """
        with self._db.atomic():
            for text in bubbles:
                self._db.execute(
                    "insert into bot_messages (chat_id, speaker, text, sent_at, adapter, update_id)"
                    " values (?, ?, ?, ?, ?, ?)",
                    [chat_id, _OWNER, text, at, adapter, update_id],
                )

    def plan_act(self, update_id: int, chat_id: int, act: Act, at: float, text: str = "", target: int = 0) -> None:
        """Store what all that is unsettled in a chat is met with in place of a reply.

        Args:
            update_id: any of those.
            text: a line, or an emoji.
            target: the message that an emoji is put to.
        """
        done = 0 if act == "silence" else None
        self._db.execute(
            "insert into bot_messages (chat_id, speaker, text, sent_at, update_id, message_id, reply_to)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            [chat_id, act, text, at, update_id, done, target or None],
        )

    def planned(self, chat_id: int) -> list[Planned]:
        """What was made of what is unsettled in a chat, in order; empty when nothing was yet."""
        rows = self._db.execute(
            "select id, text, message_id is not null, speaker, adapter, reply_to from bot_messages"
            " where chat_id = ? and speaker in ('owner', 'line', 'reaction', 'silence') and update_id is not null"
            " order by id",
            [chat_id],
        )
        return [Planned(number, text, bool(is_sent), *about) for number, text, is_sent, *about in rows]

    def last_act(self, chat_id: int) -> Act | None:
        """What was done last in a chat since the last reset; None before anything was."""
        row = self._db.execute(
            "select speaker from bot_messages where chat_id = ?"
            " and speaker in ('owner', 'line', 'reaction', 'silence', 'reset') order by id desc limit 1",
            [chat_id],
        ).fetchone()
        act: Act | None = row[0] if row and row[0] != _RESET else None
        return act

    def plan_busy(self, update_id: int, chat_id: int, text: str, at: float, quiet: float) -> bool:
        """Store that somebody is told to wait a moment, before they are; returns whether they are to be told.

        They are not if they were within the last `quiet` seconds, or for what still waits.
        """
        told = self._db.execute(
            "select 1 from bot_messages where chat_id = ? and speaker = ? and (sent_at > ? or update_id is not null)"
            " limit 1",
            [chat_id, _BUSY, at - quiet],
        ).fetchone()
        if told is None:
            self._db.execute(
                "insert into bot_messages (chat_id, speaker, text, sent_at, update_id) values (?, ?, ?, ?, ?)",
                [chat_id, _BUSY, text, at, update_id],
            )
        return told is None

    def sent(self, bubble: Planned, message_id: int) -> None:
        """A bubble stands in the chat now, under this id."""
        self._db.execute("update bot_messages set message_id = ? where id = ?", [message_id, bubble.id])

    def drop(self, bubble: Planned) -> None:
        """A bubble could not be sent: it was never said."""
        self._db.execute("delete from bot_messages where id = ?", [bubble.id])

    def leader(self, bubble: Planned) -> int | None:
        """The update that a bubble answers; None if the bubble is planned no more."""
        row = self._db.execute("select update_id from bot_messages where id = ?", [bubble.id]).fetchone()
        return row[0] if row else None

    def drop_unsent(self, update_id: int) -> None:
        """What of the answer to an update was not sent was never said."""
        self._db.execute(
            "delete from bot_messages where update_id = ? and speaker <> ? and message_id is null", [update_id, _OTHER]
        )

    def give_up(self, update_id: int) -> None:
        """An update is not answered any more."""
        self.drop_unsent(update_id)
        self.settle(update_id)

    def erase(self, update_id: int) -> None:
        """As `give_up`; and what was asked with it is deleted too."""
        self._db.execute("delete from bot_messages where update_id = ? and speaker = ?", [update_id, _OTHER])
        self.give_up(update_id)

    def author(self, chat_id: int, message_id: int) -> tuple[str | None, datetime] | None:
        """Which version wrote a bubble that stands in a chat, and when; None if the twin did not write it."""
        row = self._db.execute(
            "select adapter, sent_at from bot_messages where chat_id = ? and message_id = ? and speaker = ?",
            [chat_id, message_id, _OWNER],
        ).fetchone()
        return (row[0], datetime.fromtimestamp(row[1], UTC)) if row else None

    def forget(self, chat_id: int) -> int:
        """Delete a chat, for good; returns how many messages that were."""
        self._db.execute("pragma secure_delete = on")
        said = "delete from bot_messages where chat_id = ? and speaker in (?, ?)"
        deleted = self._db.execute(said, [chat_id, _OWNER, _OTHER])
        self._db.execute("delete from bot_messages where chat_id = ?", [chat_id])
        return int(deleted.rowcount)

    def remove(self, chat_id: int, message_ids: Collection[int]) -> None:
        """Messages were deleted in Telegram: they are here, too, for good."""
        self._db.execute("pragma secure_delete = on")
        marks = ", ".join("?" * len(message_ids))
        self._db.execute(
            f"delete from bot_messages where chat_id = ? and message_id in ({marks})",  # noqa: S608 - only marks
            [chat_id, *message_ids],
        )

    def newest(self, chat_id: int) -> int:
        """The row of what was said last in a chat; 0 if nothing was."""
        (row,) = self._db.execute("select max(id) from bot_messages where chat_id = ?", [chat_id]).fetchone()
        return int(row or 0)

    def asked(self, chat_id: int, until: int) -> list[tuple[int | None, str]]:
        """What nobody had answered when a row was the newest: ids and texts, in order; media as their names."""
        rows = self._db.execute(
            "select message_id, trim(coalesce('[' || replace(media, '_', ' ') || '] ', '') || text) from bot_messages"
            " where chat_id = :chat and id <= :until and speaker = 'other'"
            " and id > (select coalesce(max(id), 0) from bot_messages where chat_id = :chat and id <= :until"
            " and speaker in ('owner', 'reset')) order by id",
            {"chat": chat_id, "until": until},
        )
        return [(message_id, text) for message_id, text in rows]

    def has_planned(self, update_id: int) -> bool:
        """Whether a reply to this very update was written down and not settled."""
        found = self._db.execute(
            "select 1 from bot_messages where update_id = ? and speaker = ?", [update_id, _OWNER]
        ).fetchone()
        return found is not None

    def settle(self, update_id: int) -> None:
        """An update is answered: its id may come again, with another bot."""
        self._db.execute("update bot_messages set update_id = null where update_id = ?", [update_id])

    def reset(self, chat_id: int, at: float) -> None:
        """Start afresh: nothing before this is read again. The rows stay."""
        self._db.execute(
            "insert into bot_messages (chat_id, speaker, text, sent_at) values (?, ?, '', ?)", [chat_id, _RESET, at]
        )

    def messages(self, chat_id: int, limit: int, until: int | None = None) -> list[Message]:
        """What was said since the last reset, at most the newest `limit` messages, the twin's as the owner's.

        Args:
            until: the row after which nothing counts.

        Returns:
            in the order in which they were handled, which is how they are to be read: a reply may be younger than the
            next question. Bubbles that are not sent yet have negative ids.
        """
        rows = self._db.execute(
            f"select {_TOLD} from (select * from bot_messages where chat_id = :chat and id <= :until"  # noqa: S608
            " and speaker in ('owner', 'other') and id >"
            " (select coalesce(max(id), 0) from bot_messages where chat_id = :chat and speaker = 'reset'"
            " and id <= :until) order by id desc limit :limit) order by id",
            {"chat": chat_id, "limit": limit, "until": _FAR if until is None else until},
        )
        return [_message(chat_id, *row) for row in rows]

    def after(self, chat_id: int, row: int) -> list[Message]:
        """What was said after a row, as `messages` tells it."""
        rows = self._db.execute(
            f"select {_TOLD} from bot_messages where chat_id = ? and id > ? and speaker in ('owner', 'other')"  # noqa: S608
            " order by id",
            [chat_id, row],
        )
        return [_message(chat_id, *row) for row in rows]


def _message(chat_id: int, message_id: int, speaker: str, text: str, at: float, *more: Any) -> Message:
    reply_to, media, note, is_forwarded = more
    return Message(
        chat_id=chat_id,
        message_id=message_id,
        sent_at=datetime.fromtimestamp(at, UTC),
        sender_id=None,
        is_owner=speaker == _OWNER,
        text=text,
        reply_to=reply_to,
        forwarded_from=_SOMEBODY if is_forwarded else None,
        media=media,
        media_note=note,
    )

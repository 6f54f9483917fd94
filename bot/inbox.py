"""The durable inbox: every update is a row before it is anything else, and open until it was answered.

Knows nothing of what updates say; the words of an answered one are not kept here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from sqlite_utils import Database
from telegram import Update
from telegram.error import NetworkError

from bot.limited import LimitedRequest
from bot.places import place_of
from twin.places import owners_own

KINDS = [
    Update.MESSAGE,
    Update.EDITED_MESSAGE,
    Update.CALLBACK_QUERY,
    Update.BUSINESS_CONNECTION,
    Update.BUSINESS_MESSAGE,
    Update.EDITED_BUSINESS_MESSAGE,
    Update.DELETED_BUSINESS_MESSAGES,
]
KEEP_SECONDS = 2 * 24 * 3600  # Telegram offers an unconfirmed update for a day, then never again
LONG_POLL_SECONDS = 30
_MOST_ID = 2**63 - 1
_log = logging.getLogger(__name__)


class Inbox:
    """The inbox over one database connection.

    Args:
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, db: Database, clock: Callable[[], float]) -> None:
        self._db = db
        self._clock = clock

    def keep(self, update: dict[str, Any]) -> bool:
        """Store an update as it came.

        Returns:
            whether it is new: Telegram offers an update again until it is confirmed.
        """
        cursor = self._db.execute(
            "insert or ignore into bot_inbox (update_id, chat_id, received_at, payload) values (?, ?, ?, ?)",
            [update["update_id"], _stored(_place(update)), self._clock(), json.dumps(update)],
        )
        return bool(cursor.rowcount)

    def take(self, update: dict[str, Any]) -> bool:
        """Store an update as it came; one that cannot be read, or that nothing here is for, is closed at once.

        Returns:
            whether it is to be handed on, which is so once.
        """
        is_new = self.keep(update)
        if is_new and read(update) is None:
            self.close(update["update_id"])
            return False
        return is_new

    def is_open(self, update_id: int) -> bool:
        """Whether an update is here and was not answered yet."""
        found = self._db.execute("select 1 from bot_inbox where update_id = ? and answered_at is null", [update_id])
        return found.fetchone() is not None

    def close(self, update_id: int) -> None:
        """Mark an update answered, and forget what it said."""
        self._db.execute(
            "update bot_inbox set answered_at = ?, payload = '{}' where update_id = ? and answered_at is null",
            [self._clock(), update_id],
        )

    def open_updates(self) -> list[dict[str, Any]]:
        """What was not answered yet, in the order in which it was sent."""
        rows = self._db.execute("select payload from bot_inbox where answered_at is null order by update_id")
        return [json.loads(row[0]) for row in rows]

    def open_at(self, place: int) -> list[dict[str, Any]]:
        """The open updates of one place, in the order in which they were sent."""
        rows = self._db.execute(
            "select payload from bot_inbox where answered_at is null and chat_id = ? order by update_id", [place]
        )
        return [json.loads(row[0]) for row in rows]

    def received_before(self, moment: float) -> set[int]:
        """The open updates that came before a moment, in UTC epoch seconds."""
        rows = self._db.execute(
            "select update_id from bot_inbox where answered_at is null and received_at < ?", [moment]
        )
        return {update_id for (update_id,) in rows}

    def prune(self) -> None:
        """Remove answered rows that Telegram will not offer again."""
        self._db.execute("delete from bot_inbox where answered_at < ?", [self._clock() - KEEP_SECONDS])


_OWN = ("business_message", "edited_business_message", "deleted_business_messages")


def _place(update: dict[str, Any]) -> int | None:
    """Where a message was written; None for what is no message, or a malformed one."""
    for kind in _OWN:
        match update.get(kind):
            case {"chat": {"id": int(chat_id)}}:
                return owners_own(chat_id)
    match update:
        case {"message": {"chat": {"id": int(chat_id)}}} | {"edited_message": {"chat": {"id": int(chat_id)}}}:
            return chat_id
        case {"callback_query": {"message": {"chat": {"id": int(chat_id)}}}}:
            return chat_id
        case _:
            return None


def _stored(number: int | None) -> int | None:
    """A number as SQLite takes it: one that is no id of anything is none."""
    return number if number is not None and -_MOST_ID <= number <= _MOST_ID else None


def read(update: dict[str, Any]) -> Update | None:
    """An update of a kind that the bot handles; None for the rest and the unreadable.

    python-telegram-bot fetches an update that it cannot parse again and again: such a one must not reach it.
    """
    try:
        parsed = Update.de_json(update, None)
    except Exception as error:  # noqa: BLE001 - a foreign parser on foreign input raises what it likes
        _log.warning("The update %d cannot be read (%s) and is left out", update["update_id"], type(error).__name__)
        return None
    is_wanted = any(getattr(parsed, kind) is not None for kind in KINDS)
    return parsed if is_wanted and place_of(parsed) is not None else None


class InboxRequest(LimitedRequest):
    """The connection for getUpdates: a batch is in the inbox before python-telegram-bot sees, and confirms, it.

    It hands every update on once: repeated and unreadable ones become bare ids, which only get confirmed.
    """

    def __init__(self, inbox: Inbox, proxy: str | None = None) -> None:
        super().__init__(1, proxy, LONG_POLL_SECONDS)
        self._inbox = inbox

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """See `BaseRequest.do_request`; a failing database counts as a failing network: nothing is confirmed."""
        code, payload = await super().do_request(*args, **kwargs)
        if code != 200:
            return code, payload
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):  # python-telegram-bot would log what it cannot read, words and all
            raise NetworkError("The answer to getUpdates is not JSON") from None
        if isinstance(updates := answer.get("result"), list):
            answer["result"] = [self._once(update) for update in updates]
        return code, json.dumps(answer).encode()

    def _once(self, update: dict[str, Any]) -> dict[str, Any]:
        return update if self._inbox.take(update) else {"update_id": update["update_id"]}

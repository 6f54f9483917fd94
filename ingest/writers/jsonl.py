"""JSON lines: an object a message, for any program; `twin ingest jsonl` reads them too.

Knows nothing of the database. The keys are those of ingest/jsonl.py, and more of our own: `sender_id`, `entities` and
`reactions` as Telegram's API shapes them, `first_text`, `deleted`. Keys without a value are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.writers import Leaving, Teller, private_text
from twin.messages import Message


def write(out: Path, dialogs: Iterator[Leaving], owner: Teller) -> None:
    """See `Write`."""
    with private_text(out) as file:
        for leaving in dialogs:
            for message in leaving.messages:
                file.write(json.dumps(_line(message, leaving, owner), ensure_ascii=False) + "\n")


def _line(message: Message, leaving: Leaving, owner: Teller) -> dict[str, Any]:
    needed = {
        "chat": leaving.name,
        "date": message.sent_at.isoformat(),
        "sender": owner.name if message.is_owner else leaving.name,
        "is_owner": message.is_owner,
        "text": message.text,
        "chat_id": message.chat_id,
        "id": message.message_id,
    }
    more = {
        "sender_id": message.sender_id,
        "reply_to": message.reply_to,
        "forwarded_from": message.forwarded_from,
        "via_bot": message.via_bot,
        "edited": _iso(message.edited_at),
        "media": message.media,
        "media_note": message.media_note,
        "entities": None if message.entities is None else json.loads(message.entities),
        "reactions": None if message.reactions is None else json.loads(message.reactions),
        "first_text": message.first_text,
        "deleted": _iso(message.deleted_at),
    }
    return needed | {key: value for key, value in more.items() if value is not None}


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

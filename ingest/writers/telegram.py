"""Telegram Desktop's shape: a folder with a result.json, which any program that reads such exports reads.

Knows nothing of the database. What that shape cannot tell stands under a key of our own (see ingest/own_marks.py):
every message is read back as an ingest would read it, and what differs is marked. So it comes in again as it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from ingest.desktop_message import read_message
from ingest.own_marks import KEY, marks
from ingest.reactions import CUSTOM, PAID
from ingest.source import Skip
from ingest.writers import Leaving, Teller, private_text
from twin.messages import Message

FILE_NAME = "result.json"
_LEFT_OUT = "(File not included. Change data exporting settings to download.)"
_ABOUT = "Here is the data you asked for, written by twin in the shape of a Telegram Desktop export."
_KINDS: dict[str, dict[str, Any]] = {
    "photo": {"photo": _LEFT_OUT},
    "file": {"file": _LEFT_OUT},
    "contact": {"contact_information": {}},
    "location": {"location_information": {}},
    "poll": {"poll": {}},
    "game": {"game_title": ""},
    "invoice": {"invoice_information": {}},
    "giveaway": {"giveaway_information": {}},
    "paid_media": {"paid_media": []},
    "todo_list": {"todo_list": {}},
}
_SECONDS = " s"


def write(out: Path, dialogs: Iterator[Leaving], owner: Teller) -> None:
    """See `Write`."""
    head = {"about": _ABOUT, "personal_information": {"user_id": owner.id, "first_name": owner.name}}
    with private_text(out / FILE_NAME) as file:
        file.write(_open(head, "chats") + _open({"about": _ABOUT}, "list", closes="["))
        for number, leaving in enumerate(dialogs):
            file.write(",\n" if number else "\n")
            _write_dialog(file, leaving, owner)
        file.write("\n]}}\n")


def as_desktop(message: Message, chat_name: str | None, owner: Teller) -> dict[str, Any]:
    """A message as an element of `messages`."""
    raw = {**_head(message, chat_name, owner), **_details(message, owner)}
    try:
        as_read = read_message(raw, message.chat_id, chat_name, owner.id, Counter())
    except Skip:  # no source brings such a message
        return raw
    if told := marks(message, as_read):
        raw[KEY] = told
    return raw


def _write_dialog(file: IO[str], leaving: Leaving, owner: Teller) -> None:
    dialog = leaving.dialog
    is_notes = dialog.chat_id == owner.id
    head = {
        "name": dialog.name,
        "type": "saved_messages" if is_notes else "personal_chat",
        "id": dialog.chat_id,
        **({KEY: True} if is_notes else {}),
    }
    file.write(_open(head, "messages", closes="["))
    for number, message in enumerate(leaving.messages):
        file.write(",\n" if number else "\n")
        file.write(json.dumps(as_desktop(message, dialog.name, owner), ensure_ascii=False))
    file.write("\n]}")


def _open(values: dict[str, Any], key: str, closes: str = "") -> str:
    """An object's beginning: its first values, and a key whose value follows."""
    return f'{json.dumps(values, ensure_ascii=False)[:-1]}, "{key}": {closes}'


def _head(message: Message, chat_name: str | None, owner: Teller) -> dict[str, Any]:
    sender = message.sender_id
    return {
        "id": message.message_id,
        "type": "message",
        **_time("date", message.sent_at),
        **({} if message.edited_at is None else _time("edited", message.edited_at)),
        "from": owner.name if message.is_owner and sender is not None else chat_name,
        **({} if sender is None else {"from_id": f"user{sender}" if sender >= 0 else sender}),
    }


def _details(message: Message, owner: Teller) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    if message.forwarded_from is not None:
        raw["forwarded_from"] = message.forwarded_from
    if message.reply_to is not None:
        raw["reply_to_message_id"] = message.reply_to
    if message.via_bot is not None:
        raw["via_bot"] = message.via_bot
    if message.media is not None:
        raw |= _media(message.media, message.media_note)
    try:
        parts = _parts(message.text, message.entities)
    except (KeyError, TypeError, ValueError):  # formatting of a kind that nobody writes; a mark keeps it
        parts = _parts(message.text, None)
    raw["text"] = message.text if len(parts) < 2 and not message.entities else [_short(part) for part in parts]
    raw["text_entities"] = parts
    if message.reactions is not None:
        with suppress(KeyError, TypeError, ValueError):  # as above
            raw["reactions"] = _reactions(message, owner)
    return raw


def _time(key: str, time: datetime) -> dict[str, str]:
    return {key: f"{time.astimezone():%Y-%m-%dT%H:%M:%S}", f"{key}_unixtime": str(int(time.timestamp()))}


def _media(kind: str, note: str | None) -> dict[str, Any]:
    raw = dict(_KINDS.get(kind) or {"file": _LEFT_OUT, "media_type": kind})
    if kind == "sticker" and note is not None:
        raw["sticker_emoji"] = note
    elif note is not None and note.endswith(_SECONDS) and note.removesuffix(_SECONDS).isdecimal():
        raw["duration_seconds"] = int(note.removesuffix(_SECONDS)[:18])
    return raw


def _short(part: dict[str, Any]) -> dict[str, Any] | str:
    """As it stands under `text`: plain parts are bare strings."""
    text: str = part["text"]
    return text if part["type"] == "plain" else part


def _parts(text: str, entities: str | None) -> list[dict[str, Any]]:
    """The whole text in consecutive parts, each with its formatting; where formattings overlap, the first counts."""
    units, at, parts = text.encode("utf-16-le"), 0, []
    for entity in sorted(json.loads(entities or "[]"), key=_place):
        start, end = _place(entity)
        if not at <= start < end <= len(units) // 2:
            continue
        parts += _plain(units[2 * at : 2 * start])
        extras = {key: value for key, value in entity.items() if key not in ("type", "text", "offset", "length")}
        parts.append({"type": entity["type"], "text": _words(units[2 * start : 2 * end]), **extras})
        at = end
    return parts + _plain(units[2 * at :])


def _place(entity: dict[str, Any]) -> tuple[int, int]:
    return entity["offset"], entity["offset"] + entity["length"]


def _plain(units: bytes) -> list[dict[str, Any]]:
    return [{"type": "plain", "text": _words(units)}] if units else []


def _words(units: bytes) -> str:
    """Raises ValueError where a formatting ends within a character."""
    return units.decode("utf-16-le")


def _reactions(message: Message, owner: Teller) -> list[dict[str, Any]]:
    found = []
    for reaction in json.loads(message.reactions or "[]"):
        givers = [owner.id] * bool(reaction["by_owner"]) + [message.chat_id] * bool(reaction["by_other"])
        kind = {CUSTOM: "custom_emoji", PAID: "paid"}.get(reaction["emoji"], "emoji")
        recent = [{"from_id": f"user{giver}" if giver >= 0 else giver} for giver in givers]
        emoji = {"emoji": reaction["emoji"]} if kind == "emoji" else {}
        found.append({"type": kind, "count": len(givers), **emoji, "recent": recent})
    return found

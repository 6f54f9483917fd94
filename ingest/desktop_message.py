"""One message of a Telegram Desktop export, from its JSON object to a `Message`.

Knows nothing of files or of other messages. Field names are those of export_output_json.cpp in Telegram Desktop.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from ingest.own_marks import KEY, with_marks
from ingest.reactions import CUSTOM, PAID, compact
from ingest.source import Skip
from twin.messages import Message

MALFORMED = "malformed"
ZONELESS = "time without a zone, read as UTC"
DETAIL = "a detail of unknown shape left out"
GUESSED = "a reaction taken to be by the one who did not write the message"
FLATTENED = "a layout in blocks kept as its words"

_INT64 = 1 << 63
_USER = re.compile(r"(?:user)?(\d{1,19})", re.ASCII)
_KIND = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)
_YEAR_10000 = 253_402_300_800
_DAY = 86_400
# The key that tells a kind of media which has no `media_type`; the first that is there counts.
_KINDS = {
    "photo": "photo",
    "contact_information": "contact",
    "location_information": "location",
    "place_name": "location",
    "poll": "poll",
    "game_title": "game",
    "invoice_information": "invoice",
    "giveaway_information": "giveaway",
    "giveaway_results": "giveaway",
    "paid_media": "paid_media",
    "paid_stars_amount": "paid_media",
    "todo_list": "todo_list",
    "file": "file",
}
_MEDIA_KEYS = frozenset(_KINDS) | {"media_type"}


def read_message(raw: Any, chat_id: int, chat_name: str | None, owner_id: int, inexact: Counter[str]) -> Message:
    """Read one element of a chat's `messages`.

    Args:
        inexact: gets a count for what had to be guessed or dropped.

    Raises:
        Skip: it is not to be stored; the reason says why.
    """
    if not isinstance(raw, dict):
        raise Skip(MALFORMED)
    _refuse_kinds(raw)
    message_id = _integer(raw.get("id"))
    text = _text(raw.get("text", "")) if "rich_message" not in raw else _rich_text(raw["rich_message"], inexact)
    if message_id is None or text is None:
        raise Skip(MALFORMED)
    if not text and _MEDIA_KEYS.isdisjoint(raw):
        raise Skip("empty")
    sender_id = read_sender(raw, chat_name)
    sent_at = _time(raw.get("date_unixtime"), raw.get("date"), inexact)
    if sent_at is None:
        raise Skip(MALFORMED)
    media = None if _MEDIA_KEYS.isdisjoint(raw) else _media(raw, inexact)
    message = Message(
        chat_id=chat_id,
        message_id=message_id,
        sent_at=sent_at,
        sender_id=sender_id,
        is_owner=sender_id == owner_id,
        text=text,
        reply_to=_reply(raw, chat_id, inexact) if "reply_to_message_id" in raw else None,
        forwarded_from=_name(raw["forwarded_from"], inexact) if "forwarded_from" in raw else None,
        via_bot=_name(raw["via_bot"], inexact) if "via_bot" in raw else None,
        edited_at=_edited(raw, inexact) if "edited" in raw or "edited_unixtime" in raw else None,
        media=media,
        media_note=None if media is None else _note(raw, media, inexact),
        entities=_entities(raw, text, inexact),
        reactions=_reactions(raw["reactions"], owner_id, sender_id == owner_id, inexact)
        if "reactions" in raw
        else None,
    )
    return message if KEY not in raw else with_marks(message, raw[KEY], inexact)


def user_id(value: Any) -> int | None:
    """`"user123"`, `"123"` or 123 as 123; None for anything that is no user's id."""
    if isinstance(value, str):
        found = _USER.fullmatch(value)
        value = int(found[1]) if found else None
    return _integer(value)


def read_sender(raw: dict[str, Any], chat_name: str | None) -> int | None:
    """The sender's user id; None for a deleted account, which can only be the other person.

    Raises:
        Skip: nothing tells which of the two it was.
    """
    if "from_id" in raw and raw["from_id"] is not None:
        sender = user_id(raw["from_id"])
        if sender is None:
            raise Skip("sender unknown")
        return sender
    if raw.get("from") is None or raw["from"] == chat_name:
        return None
    raise Skip("sender unknown")


def _refuse_kinds(raw: dict[str, Any]) -> None:
    kind = raw.get("type")
    if kind == "service":
        raise Skip("service message")
    if kind == "unsupported":
        raise Skip("not supported by the export")
    if kind != "message":
        raise Skip(MALFORMED)
    if raw.get("self_destruct_period_seconds"):
        raise Skip("self-destructing")


def _integer(value: Any) -> int | None:
    """A 64-bit integer, the widest that SQLite stores."""
    if isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64:
        return value
    return None


def _time(unix: Any, local: Any, inexact: Counter[str]) -> datetime | None:
    """Seconds since 1970 if given; else (exports before 2022) local time without a zone."""
    if isinstance(unix, str) and unix.isascii() and unix.isdigit() and len(unix) < 13:
        unix = int(unix)
    if (seconds := _integer(unix)) is not None:
        return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _YEAR_10000 else None
    if unix is not None or not isinstance(local, str):
        return None
    try:
        time = datetime.fromisoformat(local)
        time = time.replace(tzinfo=UTC) if (zoneless := time.tzinfo is None) else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if time.year < 1970:
        return None
    inexact[ZONELESS] += zoneless
    return time


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    parts = [part.get("text") if isinstance(part, dict) else part for part in value]
    words = [part for part in parts if isinstance(part, str)]
    return "".join(words) if len(words) == len(parts) else None


def _rich_text(rich: Any, inexact: Counter[str]) -> str:
    """The words of a message that is written in blocks (headings, lists, tables ...), a line a block."""
    inexact[FLATTENED] += 1
    blocks = rich.get("blocks") if isinstance(rich, dict) else None
    lines = ("".join(_words(block)) for block in blocks) if isinstance(blocks, list) else ()
    return "\n".join(line for line in lines if line)


def _words(block: Any) -> Iterator[str]:
    """Every plain text below, in order; however deep a file that somebody tampered with nests."""
    waiting = [block]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict) and part.get("type") == "plain" and isinstance(part.get("text"), str):
            yield part["text"]
        elif isinstance(part, dict | list):
            waiting += reversed(list(part.values()) if isinstance(part, dict) else part)


def _name(value: Any, inexact: Counter[str]) -> str:
    """A name; the key being there is what matters, so a lost name still marks the message."""
    if isinstance(value, str):
        return value
    if value is not None:
        inexact[DETAIL] += 1
    return "deleted account"


def _reply(raw: dict[str, Any], chat_id: int, inexact: Counter[str]) -> int | None:
    if user_id(raw.get("reply_to_peer_id", chat_id)) != chat_id:
        return None  # an answer to something said in another chat
    replied = _integer(raw["reply_to_message_id"])
    inexact[DETAIL] += replied is None
    return replied


def _edited(raw: dict[str, Any], inexact: Counter[str]) -> datetime | None:
    edited = _time(raw.get("edited_unixtime"), raw.get("edited"), Counter())
    inexact[DETAIL] += edited is None
    # Old exports wrote 1970 for a message that was never edited.
    return edited if edited is not None and edited.timestamp() > _DAY else None


def _media(raw: dict[str, Any], inexact: Counter[str]) -> str | None:
    if "media_type" in raw:
        kind = raw["media_type"]
        if isinstance(kind, str) and _KIND.fullmatch(kind):
            return kind
        inexact[DETAIL] += 1
        return "file"
    return next((kind for key, kind in _KINDS.items() if key in raw), None)


def _note(raw: dict[str, Any], media: str, inexact: Counter[str]) -> str | None:
    if media == "sticker":
        emoji = raw.get("sticker_emoji")
        if isinstance(emoji, str) or emoji is None:
            return emoji
    else:
        seconds = raw.get("duration_seconds")
        if seconds is None:
            return None
        if _integer(seconds) is not None:
            return f"{seconds} s"
    inexact[DETAIL] += 1
    return None


def _entities(raw: dict[str, Any], text: str, inexact: Counter[str]) -> str | None:
    """Formatting as Telegram's API shapes it: type, offset and length in UTF-16 units, and its own extra keys."""
    parts = raw.get("text_entities") or raw.get("text")
    if not isinstance(parts, list) or _is_plain(parts):
        return None
    if _text(parts) != text:
        inexact[DETAIL] += 1
        return None
    whole = [part if isinstance(part, dict) else {"type": "plain", "text": part} for part in parts]
    ends = [0]
    for part in whole:
        ends.append(ends[-1] + len(part["text"].encode("utf-16-le")) // 2)
    found = []
    for part, (start, end) in zip(whole, pairwise(ends), strict=True):
        if part.get("type") == "plain":
            continue
        extras = {key: part[key] for key in part.keys() - {"type", "text"} if _is_telling(key, part[key])}
        if not isinstance(part.get("type"), str) or not all(isinstance(v, str | int) for v in extras.values()):
            inexact[DETAIL] += 1
            continue
        found.append({"type": part["type"], "offset": start, "length": end - start, **dict(sorted(extras.items()))})
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")) if found else None


def _is_plain(parts: list[Any]) -> bool:
    if len(parts) == 1 and isinstance(parts[0], dict):  # nearly always
        return bool(parts[0].get("type") == "plain")
    return all(isinstance(part, dict) and part.get("type") == "plain" for part in parts)


def _is_telling(key: str, value: Any) -> bool:
    """Whether it says something: for a custom emoji the export often names the file that it left out."""
    return key != "document_id" or (isinstance(value, str) and value.isdigit())


def _reactions(value: Any, owner_id: int, is_owners: bool, inexact: Counter[str]) -> str | None:
    """Who of the two reacted: newer exports tell how many did with each emoji, and mostly who they were.

    There are only two people, so two reactions are one of each. One that nobody is named for is taken to be by
    whoever did not write the message.
    """
    votes = []
    for one in value if isinstance(value, list) else [value]:
        kind = one.get("type") if isinstance(one, dict) else None
        emoji = one.get("emoji") if kind == "emoji" else {"custom_emoji": CUSTOM, "paid": PAID}.get(str(kind))
        count = _integer(one.get("count")) if isinstance(one, dict) else None
        recent = one.get("recent", []) if isinstance(one, dict) else []
        if not isinstance(emoji, str) or count is None or count < 1 or not isinstance(recent, list):
            inexact[DETAIL] += 1
            continue
        from_ids = [user_id(vote.get("from_id")) for vote in recent if isinstance(vote, dict)]
        by_owner = owner_id in from_ids or count > 1
        if count == 1 and not from_ids:
            inexact[GUESSED] += 1
            by_owner = not is_owners
        votes.append((emoji, by_owner, count > by_owner))
    return compact(votes)

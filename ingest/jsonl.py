"""JSON lines: any program's messages, one object a line, as the plainest way into the database.

Knows nothing of the database. A line is

    {"chat": "Anna", "date": "2024-05-01T18:30:00+02:00", "sender": "Anna", "is_owner": false, "text": "hello"}

with `date` as ISO 8601 (without a zone: as the owner's wishes say) or seconds since 1970. A line may also have `id` (a
number that is the message's own within its chat), `chat_id` (the chat's own; positive ones are Telegram's user ids),
`reply_to` (an `id`), `edited` (a date), `media`, `media_note`, `forwarded_from`, `via_bot`, and what our own exports
tell: `sender_id`, `entities`, `reactions`, `first_text` and `deleted` (a date). Other keys are left out and counted.
Who is a group's member and who is not cannot be told here: give private chats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any
from zoneinfo import ZoneInfo

from ingest.desktop_message import DETAIL
from ingest.identity import MessageNumbers, chat_number
from ingest.places import Place
from ingest.reactions import compact
from ingest.source import Evidence, Format, Incoming, OnBytes, Owner, Skip, Tally, Wishes
from ingest.zones import machine_zone, zone
from twin.errors import IngestError
from twin.messages import Message

KIND = "jsonl"
NO_OBJECT = "no JSON object"
_TEXTS = frozenset({"chat", "sender", "text", "media", "media_note", "forwarded_from", "via_bot", "first_text"})
_KEYS = _TEXTS | {"date", "edited", "deleted", "is_owner", "id", "chat_id", "reply_to", "sender_id"}
_KEYS |= {"entities", "reactions"}
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_MANY = 20  # so many kinds of keys are told apart
_CHUNK = 5_000
_LONGEST = 16 << 20  # bytes
_INT64 = 1 << 63
_YEAR_10000 = 253_402_300_800


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A file of JSON lines; see `ingest.source.Opened`. Make it with `open`."""

    place: Place
    zone: ZoneInfo
    on_bytes: OnBytes
    evidence: Evidence = Evidence(is_marked=True)  # noqa: RUF009 - it is frozen

    @classmethod
    def open(cls, place: Place, wishes: Wishes, on_bytes: OnBytes) -> JsonLines:
        """Nothing is read yet: each line stands by itself.

        Raises:
            IngestError: the wished time zone is none.
        """
        return cls(place, zone(wishes.timezone or machine_zone()), on_bytes)

    def source(self, owner: Owner) -> JsonLinesSource:
        """See `Opened.source`."""
        return JsonLinesSource(self, owner)


class JsonLinesSource:
    """See `ingest.source.Source`."""

    def __init__(self, lines: JsonLines, owner: Owner) -> None:
        self._lines = lines
        self._numbers = MessageNumbers()
        self._zoneless = 0
        self.owner = owner
        self.tally = Tally()
        self.name = KIND

    def dialogs(self) -> Iterator[Incoming]:
        """Every chat in parts, as chats take turns in the file; see `Source.dialogs`."""
        is_empty = True
        with self._lines.place.open() as file:
            while chunk := list(islice(self._messages(file), _CHUNK)):
                is_empty = False
                chats: dict[int, tuple[str | None, list[Message]]] = {}
                for name, message in chunk:
                    chats.setdefault(message.chat_id, (name, []))[1].append(message)
                for chat_id, (name, messages) in chats.items():
                    yield Incoming(chat_id, name, iter(messages))
        if is_empty:
            raise IngestError(
                f"No line of {self._lines.place} is a message",
                'give lines such as {"chat": "Anna", "date": 1714581000, "sender": "", "is_owner": true, "text": "hi"}',
            )
        if self._zoneless:
            self.tally.remarks.append(f"Times without a zone were read as those of {self._lines.zone.key}")

    def _messages(self, file: IO[bytes]) -> Iterator[tuple[str | None, Message]]:
        for line in _each(file, self._lines.on_bytes):
            try:
                raw = _object(line)
                name, message = self._read(raw)
            except Skip as verdict:
                self.tally.messages[str(verdict)] += 1
                continue
            self._count_unknown(raw.keys() - _KEYS)
            yield name, message

    def _count_unknown(self, keys: Iterable[str]) -> None:
        for key in keys:
            reason = f'unknown key "{key}" left out' if _KEY.fullmatch(key) else "unknown key left out"
            if reason not in self.tally.inexact and len(self.tally.inexact) > _MANY:
                reason = "unknown key left out"
            self.tally.inexact[reason] += 1

    def _read(self, raw: dict[str, Any]) -> tuple[str | None, Message]:
        """One line's message, and its chat's name.

        Raises:
            Skip: something about it is of no use; says which key.
        """
        texts = {key: self._text(raw, key) for key in _TEXTS}
        name, text, media = texts["chat"], texts["text"], texts["media"]
        if not isinstance(raw.get("is_owner"), bool):
            raise _unusable("is_owner")
        if text is None:
            raise _unusable("text")
        if not text and media is None:
            raise Skip("empty")
        sent_at = self._time(raw.get("date"), "date")
        chat_id = _number(raw, "chat_id")
        if chat_id is None:
            if not (name or "").strip():
                raise _unusable("chat")
            chat_id = chat_number(KIND, name or "")
        message_id = _number(raw, "id")
        if message_id is None:
            message_id = self._numbers.of(str(chat_id), sent_at.isoformat(), texts["sender"] or "", text)
        return name, Message(
            chat_id=chat_id,
            message_id=message_id,
            sent_at=sent_at,
            sender_id=_number(raw, "sender_id"),
            is_owner=raw["is_owner"],
            text=text,
            reply_to=_number(raw, "reply_to"),
            forwarded_from=texts["forwarded_from"],
            via_bot=texts["via_bot"],
            edited_at=self._time_or_none(raw, "edited"),
            media=media,
            media_note=texts["media_note"],
            entities=self._detail(raw, "entities", _entities),
            reactions=self._detail(raw, "reactions", _reactions),
            first_text=texts["first_text"],
            deleted_at=self._time_or_none(raw, "deleted"),
        )

    def _detail(self, raw: dict[str, Any], key: str, read: Callable[[Any], str | None]) -> str | None:
        """What is no reason to lose a message if it is of another shape; that is counted."""
        try:
            return None if raw.get(key) is None else read(raw[key])
        except (TypeError, KeyError, UnicodeEncodeError):
            self.tally.inexact[DETAIL] += 1
            return None

    def _time_or_none(self, raw: dict[str, Any], key: str) -> datetime | None:
        return None if raw.get(key) is None else self._time(raw[key], key)

    def _text(self, raw: dict[str, Any], key: str) -> str | None:
        """A text that SQLite can hold; half a surrogate pair in it is replaced, and counted."""
        value = raw.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise _unusable(key)
        try:
            value.encode()
        except UnicodeEncodeError:
            self.tally.inexact["half a character replaced"] += 1
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value

    def _time(self, value: Any, key: str) -> datetime:
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                time = datetime.fromtimestamp(value, UTC)
            else:
                time = datetime.fromisoformat(value)
                if time.tzinfo is None:
                    self._zoneless += 1
                    time = time.replace(tzinfo=self._lines.zone)
                time = time.astimezone(UTC)
            if 0 < time.timestamp() < _YEAR_10000:
                return time
        except (TypeError, ValueError, OverflowError, OSError):
            pass
        raise _unusable(key)


def _each(file: IO[bytes], on_bytes: OnBytes) -> Iterator[bytes]:
    """Every line that is not empty; of one that is too long only its beginning, which is no JSON."""
    while line := file.readline(_LONGEST):
        on_bytes(len(line))
        end = line
        while len(end) == _LONGEST and not end.endswith(b"\n"):
            end = file.readline(_LONGEST)
            on_bytes(len(end))
        if line.strip():
            yield line


def _object(line: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise Skip(NO_OBJECT)
    return raw


def _number(raw: dict[str, Any], key: str) -> int | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise _unusable(key)
    return value


def _entities(value: Any) -> str | None:
    """Telegram's formatting, written as the other readers write it."""
    for entity in value:
        if not isinstance(entity["type"], str) or not all(isinstance(each, str | int) for each in entity.values()):
            raise TypeError
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text.encode()
    return text if value else None


def _reactions(value: Any) -> str | None:
    text = compact((vote["emoji"] + "", bool(vote["by_owner"]), bool(vote["by_other"])) for vote in value)
    (text or "").encode()
    return text


def _unusable(key: str) -> Skip:
    return Skip(f'without a usable "{key}"')


def _fits(name: str, head: bytes) -> bool:
    if name.lower().endswith((".jsonl", ".ndjson")):
        return True
    try:
        first = _object(head.split(b"\n")[0])
    except Skip:
        return False
    return {"chat", "text", "is_owner"} <= first.keys()


FORMAT = Format(version=1, fits=_fits, open=JsonLines.open, passes=1, heeds_wishes=True)

"""A Telegram Desktop JSON export as a source: full (`chats.list`, `left_chats.list`) or of a single chat.

Knows nothing of the database. The file is read twice, in pieces: once to see that it is whole, whose it is and which
chats it holds (Telegram does not promise an order of keys), then once more for the messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import ijson

from ingest.desktop_message import read_message, user_id
from ingest.finding import AGAIN
from ingest.json_stream import JsonBytes, open_json
from ingest.own_marks import KEY
from ingest.places import Place
from ingest.source import Evidence, Format, Incoming, OnBytes, Owner, Skip, Tally, Wishes
from twin.errors import IngestError
from twin.messages import Message

_SHAPES = ("", "chats.list.item", "left_chats.list.item")
_OWNER_ID = "personal_information.user_id"
_SERVICE_ACCOUNTS = {777000, 42777}
_LEFT_OUT = {
    "bot_chat": "with a bot",
    "saved_messages": "saved messages",
    "private_group": "in a group",
    "private_supergroup": "in a group",
    "public_supergroup": "in a group",
    "private_channel": "in a channel",
    "public_channel": "in a channel",
    "verification_codes": "from Telegram itself",
}


@dataclass(slots=True)
class _Chat:
    """What the first pass learns of a chat."""

    shape: str
    type: Any = None
    id: Any = None
    name: Any = None
    messages: int = 0
    twin: Any = None
    senders: set[Any] = field(default_factory=set)
    is_chat: bool = False

    def reason_to_skip(self, owner_id: int | None) -> str | None:
        """Why it is no private dialog with a person; None when it is one, or when we wrote it ourselves."""
        if self.twin is True and user_id(self.id) is not None:
            return None
        if self.type != "personal_chat":
            return _LEFT_OUT.get(self.type, "in another kind of chat") if isinstance(self.type, str) else "malformed"
        if user_id(self.id) is None:
            return "malformed"
        if user_id(self.id) in _SERVICE_ACCOUNTS:
            return "from Telegram itself"
        return "saved messages" if user_id(self.id) == owner_id else None

    def strangers(self) -> frozenset[int]:
        """Senders that are not the other person, whose user id is the chat's id."""
        return frozenset(map(user_id, self.senders)) - {user_id(self.id), None}  # type: ignore[return-value]


class DesktopExport:
    """An export that was looked through once; see `ingest.source.Opened`. Make it with `open`."""

    def __init__(self, place: Place, chats: list[_Chat], told: int | None, on_bytes: OnBytes) -> None:
        self._place = place
        self._chats = chats
        self._on_bytes = on_bytes
        people = [chat.strangers() for chat in chats if chat.reason_to_skip(told) is None]
        self.evidence = Evidence(told, tuple(people))

    @classmethod
    def open(cls, place: Place, wishes: Wishes, on_bytes: OnBytes) -> DesktopExport:
        """Look the whole file through.

        Raises:
            IngestError: it cannot be read, is no export, or holds no private dialog.
        """
        with open_json(place, on_bytes) as stream:
            chats, told = _survey(stream)
        if chats is None:
            raise IngestError(
                f"{place} is not a Telegram Desktop export", "give the result.json that Telegram Desktop wrote"
            )
        if all(chat.reason_to_skip(None) for chat in chats):
            raise IngestError(f"{place} holds no private dialog", f"{AGAIN}, with personal chats included")
        return cls(place, chats, told, on_bytes)

    def source(self, owner: Owner) -> DesktopSource:
        """See `Opened.source`."""
        return DesktopSource(self._place, self._chats, owner, self._on_bytes)


class DesktopSource:
    """See `ingest.source.Source`."""

    def __init__(self, place: Place, chats: list[_Chat], owner: Owner, on_bytes: OnBytes) -> None:
        self._place = place
        self._chats = chats
        self._on_bytes = on_bytes
        self.owner = owner
        self.tally = Tally()
        self.name = f"telegram-desktop {place.name}"

    def dialogs(self) -> Iterator[Incoming]:
        """Each private dialog once; see `Source.dialogs`."""
        for shape in _SHAPES:
            chats = [chat for chat in self._chats if chat.shape == shape]
            if not any(chat.reason_to_skip(self.owner.id) is None for chat in chats):
                for chat in chats:
                    self._leave_out(chat)
                continue
            with open_json(self._place, self._on_bytes) as stream:
                yield from self._read(chats, ijson.items(stream, _join(shape, "messages.item")))
                self._count_halves(stream)

    def _read(self, chats: list[_Chat], stream: Iterator[Any]) -> Iterator[Incoming]:
        for chat in chats:
            part = islice(stream, chat.messages)
            if chat.reason_to_skip(self.owner.id) is None:
                name = chat.name if isinstance(chat.name, str) else None
                chat_id = user_id(chat.id) or 0
                yield Incoming(chat_id, name, self._messages(part, chat, chat_id, name))
            else:
                self._leave_out(chat)
            deque(part, maxlen=0)
        if next(stream, self) is not self:
            raise self._changed()

    def _messages(self, part: Iterator[Any], chat: _Chat, chat_id: int, name: str | None) -> Iterator[Message]:
        read = 0
        for raw in part:
            read += 1
            try:
                message = read_message(raw, chat_id, name, self.owner.id, self.tally.inexact)
            except Skip as verdict:
                self.tally.messages[str(verdict)] += 1
            else:
                yield message
        if read != chat.messages:
            raise self._changed()

    def _leave_out(self, chat: _Chat) -> None:
        reason = chat.reason_to_skip(self.owner.id) or "malformed"
        self.tally.dialogs[reason] += 1
        if chat.messages:
            self.tally.messages[reason] += chat.messages

    def _count_halves(self, stream: JsonBytes) -> None:
        if stream.halves:
            self.tally.inexact["half a character replaced"] += stream.halves

    def _changed(self) -> IngestError:
        return IngestError(f"{self._place} changed while it was being read", "run this again when it is complete")


def _join(shape: str, key: str) -> str:
    return f"{shape}.{key}" if shape else key


def _survey(stream: JsonBytes) -> tuple[list[_Chat] | None, int | None]:
    """One pass: every chat in the order of the file (None if nothing looks like an export), and the owner's id."""
    watched = {
        _join(shape, key): (shape, key)
        for shape in _SHAPES
        for key in ("type", "id", "name", KEY, "messages", "messages.item", "messages.item.from_id")
    }
    watched |= {shape: (shape, "") for shape in _SHAPES} | {_OWNER_ID: ("", "owner")}
    watched |= {shape.removesuffix(".item"): (shape, "list") for shape in _SHAPES if shape}
    current: dict[str, _Chat] = {}
    chats: list[_Chat] = []
    is_export, told = False, None
    for prefix, event, value in ijson.parse(stream):
        if prefix not in watched or event in ("map_key", "end_map", "end_array"):
            continue
        shape, key = watched[prefix]
        if key == "list":
            is_export = is_export or event == "start_array"
        elif key == "":
            current[shape] = _Chat(shape)
            chats.append(current[shape])
        elif key == "owner":
            told = user_id(value)
            is_export = True
        elif shape in current:
            _learn(current[shape], key, event, value)
    found = [chat for chat in chats if chat.shape or chat.is_chat]
    is_export = is_export or any(isinstance(chat.type, str) for chat in found)
    return (found if is_export else None), told


def _learn(chat: _Chat, key: str, event: str, value: Any) -> None:
    if key == "messages.item":
        chat.messages += 1
    elif key == "messages.item.from_id":
        chat.senders.add(value)
    elif key == "messages":
        chat.is_chat = chat.is_chat or event == "start_array"
    else:
        setattr(chat, key, value)


FORMAT = Format(
    version=2,
    fits=lambda name, head: (
        name.lower().endswith(".json") or head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<")
    ),
    open=DesktopExport.open,
)

"""A chat that WhatsApp exported as text: `_chat.txt`, `WhatsApp Chat with X.txt`, or either in its zip archive.

Knows nothing of the database. People have names there and nothing else, so the owner is one of the names; a chat is
known by the other name, and a message by when it was said, by whom, and what (see ingest/identity.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import IO
from zoneinfo import ZoneInfo

from ingest.identity import MessageNumbers, chat_number
from ingest.places import Place
from ingest.source import Evidence, Format, Incoming, OnBytes, Owner, Skip, Tally, Wishes
from ingest.whatsapp_lines import Entry, Style, clean, entries, lines, speaker
from ingest.whatsapp_message import read_text
from ingest.whatsapp_words import CHAT_WITH, fold
from ingest.zones import machine_zone, zone
from twin.errors import IngestError
from twin.messages import Message

KIND = "whatsapp"
UNDATED = "without a time that can be read"
PREFACE = "before the first message"
_AGAIN = "export the chat again from WhatsApp, without media"


@dataclass(frozen=True, slots=True)
class WhatsAppChat:
    """A chat that was looked through once; see `ingest.source.Opened`. Make it with `open`.

    Attributes:
        preface: lines before the first entry.
        names: who speaks in it.
    """

    place: Place
    style: Style
    order: str
    preface: int
    names: frozenset[str]
    zone: ZoneInfo
    on_bytes: OnBytes

    @classmethod
    def open(cls, place: Place, wishes: Wishes, on_bytes: OnBytes) -> WhatsAppChat:
        """Look the whole file through.

        Raises:
            IngestError: it cannot be read, is no such chat, is a group's, or the wished time zone is none.
        """
        here = zone(wishes.timezone or machine_zone())
        style, names, preface = Style(), set[str](), 0
        with _text(place, on_bytes) as file:
            for line in lines(file):
                if (head := style.head(line)) is not None:
                    style.learn(head)
                    names.add(speaker(line[head.end() :])[0] or "")
                elif style.shape is None:
                    preface += bool(line.strip())
        names.discard("")
        if style.shape is None or not names:
            raise IngestError(f"{place} is no chat that WhatsApp exported", "give its _chat.txt, or the zip archive")
        if (order := style.order) is None:
            raise IngestError(f"{place} writes its dates in a way that is not known here", _AGAIN)
        if len(names) > 2:
            raise IngestError(
                f"{place} is the chat of a group ({len(names)} people speak in it)", "give chats with one person"
            )
        return cls(place, style, order, preface, frozenset(names), here, on_bytes)

    @property
    def evidence(self) -> Evidence:
        """See `Opened.evidence`."""
        return Evidence(names=self.names)

    def source(self, owner: Owner) -> WhatsAppSource:
        """See `Opened.source`."""
        others = [name for name in self.names if fold(name) != fold(owner.name or "")]
        if len(others) == 2:
            raise IngestError(f"Nobody in {self.place} is called as you said", "say your name as it stands there")
        name = others[0] if others else _name_of_file(self.place)
        if name is None:
            raise IngestError(
                f"{self.place} does not tell whom the chat is with, as nobody else speaks in it",
                "give the file under the name that WhatsApp gave it",
            )
        return WhatsAppSource(self, owner, name)


class WhatsAppSource:
    """See `ingest.source.Source`."""

    def __init__(self, chat: WhatsAppChat, owner: Owner, partner: str) -> None:
        self._chat = chat
        self._partner = partner
        self.owner = owner
        self.tally = Tally()
        self.name = KIND

    def dialogs(self) -> Iterator[Incoming]:
        """The one dialog of the file; see `Source.dialogs`."""
        self._remark()
        with _text(self._chat.place, self._chat.on_bytes) as file:
            found = entries(file, Style(self._chat.style.shape), self._chat.order)
            yield Incoming(chat_number(KIND, self._partner), self._partner, self._messages(found))

    def _messages(self, found: Iterator[Entry | None]) -> Iterator[Message]:
        chat_id, numbers, clock = chat_number(KIND, self._partner), MessageNumbers(), Clock(self._chat.zone)
        for entry in found:
            if entry is None:
                self.tally.messages[UNDATED] += 1
                continue
            try:
                if entry.name is None:
                    raise Skip("service message")
                text, media = read_text(entry.text, self.tally.inexact)
            except Skip as verdict:
                self.tally.messages[str(verdict)] += 1
                continue
            yield Message(
                chat_id=chat_id,
                message_id=numbers.of(str(chat_id), entry.moment.isoformat(), fold(entry.name), entry.text),
                sent_at=clock.utc(entry.moment),
                sender_id=None,
                is_owner=fold(entry.name) == fold(self.owner.name or ""),
                text=text,
                media=media,
            )

    def _remark(self) -> None:
        style, tally = self._chat.style, self.tally
        if self._chat.preface:
            tally.messages[PREFACE] += self._chat.preface
        if style.unclear_halves:
            tally.inexact["half of the day not understood"] += style.unclear_halves
        doubt = "" if style.is_certain else ", though they could be meant otherwise"
        tally.remarks.append(
            f"Dates from WhatsApp were read as {self._chat.order}{doubt}, times as those of {self._chat.zone.key}"
        )


class Clock:
    """From a phone's clock to UTC, in the order of a file.

    Entries of one minute (or second) follow one another by a second, so that their order is kept. Where the clock was
    set back for winter, times that go back are taken to be the second of the two hours.
    """

    _JITTER = timedelta(minutes=10)  # further back is no matter of order, but another time

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._last: datetime | None = None

    def utc(self, moment: datetime) -> datetime:
        """When the next entry was, aware UTC."""
        local = moment.replace(tzinfo=self._zone)
        time = local.astimezone(UTC)
        if self._last is not None:
            if time < self._last - self._JITTER:
                time = local.replace(fold=1).astimezone(UTC)
            if self._last - self._JITTER <= time <= self._last:
                time = self._last + timedelta(seconds=1)
        self._last = time
        return time


@contextmanager
def _text(place: Place, on_bytes: OnBytes) -> Iterator[IO[bytes]]:
    """The file's bytes, with what goes wrong between them and its lines as one sentence."""
    try:
        with place.open() as file:
            yield file
            on_bytes(place.size)
    except UnicodeDecodeError:
        raise IngestError(f"{place} is not valid UTF-8", f"{_AGAIN}; some program changed this file") from None
    except OverflowError:
        raise IngestError(f"{place} holds a line that is longer than any message", _AGAIN) from None


def _name_of_file(place: Place) -> str | None:
    """The other person's name as WhatsApp puts it into the names of files, archives and folders."""
    for name in (place.name, place.path.name, place.path.absolute().parent.name):
        stem = PurePosixPath(name).stem if name.lower().endswith((".txt", ".zip")) else name
        for words in CHAT_WITH:
            for beginning in (words, words.replace(" ", "_")):
                if stem.casefold().startswith(beginning.casefold()):
                    return clean(stem[len(beginning) :].replace("_", " ")) or None
    return None


def _fits(name: str, head: bytes) -> bool:
    style = Style()
    return any(style.head(line) for line in head.decode("utf-8", "ignore").split("\n")[:40])


FORMAT = Format(version=1, fits=_fits, open=WhatsAppChat.open, heeds_wishes=True)

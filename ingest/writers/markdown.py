"""Markdown: a page a dialog, day by day, for reading and printing.

Knows nothing of the database. Times are local; what people wrote is escaped, so that it looks as they wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import IO

from ingest.writers import Leaving, Teller, private_text
from twin.excerpts import plain
from twin.messages import Message

_ACTIVE = re.compile(r"[\\`*_{}\[\]<>#|~!&]|^(?=[-+=>]|\d+[.)])", re.MULTILINE)
_UNFIT = re.compile(r"[^\w-]+")
_LONGEST_NAME = 60


def write(out: Path, dialogs: Iterator[Leaving], owner: Teller) -> None:
    """See `Write`."""
    for leaving in dialogs:
        with private_text(out / _file_name(leaving)) as file:
            file.write(f"# {escaped(leaving.name)}\n")
            day: date | None = None
            for message in leaving.messages:
                local = message.sent_at.astimezone()
                if local.date() != day:
                    day = local.date()
                    file.write(f"\n## {day:%Y-%m-%d}\n\n")
                file.write(f"- {local:%H:%M} **{escaped(owner.name if message.is_owner else leaving.name)}:** ")
                _write_words(file, message)


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, without control characters; its lines stay lines."""
    return "\n".join(_ACTIVE.sub(lambda sign: "\\" + sign[0], plain(line)) for line in text.splitlines())


def _write_words(file: IO[str], message: Message) -> None:
    media = "" if message.media is None else f"[{' '.join(filter(None, (message.media, message.media_note)))}]"
    remarks = [
        *([f"forwarded from {message.forwarded_from}"] if message.forwarded_from is not None else []),
        *(["edited"] if message.edited_at is not None else []),
        *(["deleted"] if message.deleted_at is not None else []),
    ]
    notes = f" *({escaped(', '.join(remarks))})*" if remarks else ""
    words = " ".join(filter(None, (escaped(media), escaped(message.text))))
    file.write(words.replace("\n", "  \n  ") + notes + "\n")


def _file_name(leaving: Leaving) -> str:
    """The name as far as a file system takes it, and the id, which makes it the dialog's own."""
    name = _UNFIT.sub("-", leaving.name).strip("-")[:_LONGEST_NAME].encode()[:180].decode(errors="ignore")
    return f"{name or 'dialog'}-{leaving.dialog.chat_id}.md"

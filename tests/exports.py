"""Makers of small Telegram Desktop exports; every word in them is invented.

Knows nothing of what is made of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ingest.desktop_export import DesktopExport
from ingest.ownership import Claims, decide
from ingest.places import Place
from ingest.source import Source, Wishes
from twin.errors import IngestError

OWNER = 100
ANNA = 201
BORIS = 202
NOON = 1_700_000_000  # 2023-11-14 22:13:20 UTC

Raw = dict[str, Any]


def said(number: int, sender: int = OWNER, text: Any = "marzipan", at: int | None = None, **fields: Any) -> Raw:
    """One message as Telegram Desktop writes it; `fields` replace or add, None removes."""
    raw: Raw = {
        "id": number,
        "type": "message",
        "date": "2023-11-14T23:13:20",
        "date_unixtime": str(NOON + number * 10 if at is None else at),
        "from": f"Name {sender}",
        "from_id": f"user{sender}",
        "text": text,
        "text_entities": [{"type": "plain", "text": text}] if isinstance(text, str) and text else [],
    }
    return raw | fields


def without(raw: Raw, *keys: str) -> Raw:
    """The same object less some keys."""
    return {key: value for key, value in raw.items() if key not in keys}


def chat(messages: list[Any], chat_id: int = ANNA, name: str | None = "Anna", kind: str = "personal_chat") -> Raw:
    """One chat, which by itself is a single-chat export."""
    return {"name": name, "type": kind, "id": chat_id, "messages": messages}


def small_talk(partner: int = ANNA, first: int = 1, count: int = 6) -> list[Raw]:
    """Owner and partner by turns."""
    return [said(first + n, OWNER if n % 2 else partner, f"marzipan {first + n}") for n in range(count)]


def full(*chats: Any, owner: int | None = OWNER, left: list[Any] | None = None) -> Raw:
    """A full export."""
    person = {} if owner is None else {"personal_information": {"user_id": owner, "first_name": "O", "bio": "marzipan"}}
    return {
        "about": "a",
        **person,
        "chats": {"about": "b", "list": list(chats)},
        "left_chats": {"about": "c", "list": left or []},
    }


def write(folder: Path, export: Any, name: str = "result.json") -> Path:
    """The export as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(export, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def opened(path: Path, asked: int | None = None, settings: int | None = None, earlier: int | None = None) -> Source:
    """One export as a source, its owner decided as the command line does."""
    place = Place(path)
    export = DesktopExport.open(place, Wishes(), lambda _: None)
    (owner,) = decide([(place, export.evidence)], Claims(asked, settings, earlier))
    if isinstance(owner, IngestError):
        raise owner
    return export.source(owner)

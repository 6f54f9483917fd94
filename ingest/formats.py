"""The kinds of files that can be read, as a table: name -> where its `Format` stands, imported when it is needed.

Knows nothing of what is in them. To add one, write a module with a `Format` and add its line below: from then on
`twin ingest export` recognises such files by themselves, in folders that are given as files, and in archives. The
first that fits reads the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from ingest.places import Place
from ingest.source import Format
from twin.errors import IngestError

FORMATS = {
    "whatsapp": "ingest.whatsapp:FORMAT",
    "jsonl": "ingest.jsonl:FORMAT",
    "telegram": "ingest.desktop_export:FORMAT",
}


def load(name: str) -> Format:
    """The format of that name."""
    module, _, attribute = FORMATS[name].partition(":")
    found: Format = getattr(import_module(module), attribute)
    return found


def recognise(place: Place, names: Iterable[str]) -> tuple[str, Format]:
    """The first of these formats that fits a file, with its name.

    Raises:
        IngestError: none fits, or the file cannot be read.
    """
    head = place.head()
    for name in names:
        if (found := load(name)).fits(place.name, head):
            return name, found
    raise IngestError(
        f"{place} is no export that is known here",
        "give what Telegram Desktop wrote as JSON, a chat that WhatsApp exported, or JSON lines",
    )

"""A real person's chats as a Telegram Desktop export: one participant of the public `chitchat-dataset` as the owner.

Knows nothing of `twin`: it writes what Telegram Desktop would have written, and `twin ingest export` reads it.

    python examples/demo/chitchat.py OUT.json [--owner UUID]

The corpus (PyPI `chitchat-dataset` 0.9.0, MIT) is the BYU Chit-Chat Challenge of 2018: students chatting in pairs,
with bursts, typos and real timestamps. Each other participant becomes one private dialog; its conversations follow
one another by time.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

OWNER = "0f9fe1f8-9afe-4bc0-b283-4841cf9954d8"
OWNER_ID = 102
OWNER_NAME = "Owner D"
VAL_FROM = datetime(2018, 10, 14, 4, 18, 41, tzinfo=UTC)
"""For OWNER: conversations from here on choose the checkpoint; the start of one, as is TEST_FROM."""
TEST_FROM = datetime(2018, 10, 16, 17, 49, 20, tzinfo=UTC)
"""For OWNER: conversations from here on are reported on; nothing is learnt from them."""
ABOUT = (
    "A public corpus (chitchat-dataset 0.9.0 on PyPI, MIT) converted to the shape of a Telegram Desktop export; "
    "not a real Telegram export."
)
_BOTH_SPOKE = 2  # messages each side must have sent, or nobody really answered

Line = dict[str, str]  # {"text", "timestamp", "sender"}


def load_corpus() -> dict[str, Any]:
    """Every conversation by its uuid: {"messages": [[line, ...] a turn, ...], ...}."""
    corpus: dict[str, Any] = json.loads(files("chitchat_dataset").joinpath("dataset.json").read_text(encoding="utf-8"))
    return corpus


def dialogs_of(owner: str, corpus: dict[str, Any]) -> list[list[list[Line]]]:
    """The owner's dialogs, longest first (then by the partner's uuid): each its conversations by time.

    Conversations in which either side said fewer than two things are left out.

    Raises:
        SystemExit: this participant has no conversation to learn from.
    """
    by_partner: defaultdict[str, list[list[Line]]] = defaultdict(list)
    for conversation in corpus.values():
        lines = [line for turn in conversation["messages"] for line in turn]
        spoke = Counter(line["sender"] for line in lines)
        if owner in spoke and len(spoke) == 2 and min(spoke.values()) >= _BOTH_SPOKE:
            (partner,) = spoke.keys() - {owner}
            by_partner[partner].append(lines)
    if not by_partner:
        raise SystemExit(f"Nobody called {owner} talks in this corpus: choose the uuid of one of its senders.")
    ordered = sorted(by_partner.items(), key=lambda item: (-sum(map(len, item[1])), item[0]))
    return [sorted(conversations, key=lambda lines: lines[0]["timestamp"]) for _, conversations in ordered]


def export_of(owner: str = OWNER, corpus: dict[str, Any] | None = None) -> dict[str, Any]:
    """A full export as Telegram Desktop shapes it: {"personal_information", "chats": {"list": [...]}}.

    Raises:
        SystemExit: this participant has no conversation to learn from.
    """
    dialogs = dialogs_of(owner, corpus if corpus is not None else load_corpus())
    return {
        "about": ABOUT,
        "personal_information": {"user_id": OWNER_ID, "first_name": OWNER_NAME, "last_name": ""},
        "chats": {
            "about": "",
            "list": [
                _chat(number, owner, [line for lines in conversations for line in lines])
                for number, conversations in enumerate(dialogs, start=1)
            ],
        },
    }


def _chat(number: int, owner: str, lines: list[Line]) -> dict[str, Any]:
    chat_id, name = OWNER_ID * 1000 + number, f"Partner {number:03}"
    return {
        "name": name,
        "type": "personal_chat",
        "id": chat_id,
        "messages": [
            _message(place, line, *((OWNER_NAME, OWNER_ID) if line["sender"] == owner else (name, chat_id)))
            for place, line in enumerate(lines, start=1)
        ],
    }


def _message(place: int, line: Line, name: str, sender_id: int) -> dict[str, Any]:
    sent_at = datetime.fromisoformat(line["timestamp"])
    return {
        "id": place,
        "type": "message",
        "date": sent_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "date_unixtime": str(int(sent_at.timestamp())),
        "from": name,
        "from_id": f"user{sender_id}",
        "text": line["text"],
        "text_entities": [{"type": "plain", "text": line["text"]}],
    }


def write_export(path: Path, owner: str = OWNER) -> None:
    """Write the export of one participant (by uuid) to `path`."""
    path.write_text(json.dumps(export_of(owner), ensure_ascii=False, indent=1), encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--owner", default=OWNER, metavar="UUID", help="whose twin it becomes")
    arguments = parser.parse_args()
    write_export(arguments.out, arguments.owner)
    print(f"Wrote {arguments.out}")


if __name__ == "__main__":
    main()

"""A home with something to forget: two words, one in every place that holds words, and adapters that learned from it.

Knows nothing of how forgetting works.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from twin import search_index
from twin.messages import Message, Session, Turn
from twin.places import owners_own
from twin.prompt import PromptSpec
from twin.registry import BaseIdentity, Manifest, Registry
from twin.session_lines import write_session
from twin.settings import Settings
from twin.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLANTED = "marzipanunderthefloorboard"
KEPT = "liquoriceinthedrawer"
ANNA, BORIS = 1, 2


def message(number: int, text: str, chat_id: int = ANNA) -> Message:
    return Message(chat_id, number, START + timedelta(days=number), 7, bool(number % 2), text)


def session(chat_id: int, text: str, day: int = 1, origin: str = "telegram") -> Session:
    at = START + timedelta(days=day) if origin == "telegram" else None
    turns = (replace(Turn.of("other", ["hey"]), started_at=at), replace(Turn.of("owner", [text]), started_at=at))
    return Session(chat_id if origin == "telegram" else 0, turns, origin=origin)


def snapshot(settings: Settings, sessions: Sequence[Session]) -> str:
    """A training set on disk, its lines as training writes them."""
    lines = "".join(map(write_session, sessions))
    folder = settings.datasets / hashlib.sha256(lines.encode()).hexdigest()[:16]
    folder.mkdir(parents=True)
    for name, text in (("train.jsonl", lines), ("val.jsonl", ""), ("test.jsonl", ""), ("manifest.json", "{}")):
        (folder / name).write_text(text, encoding="utf-8")
    return folder.name


def adapter(registry: Registry, version: str, dataset: str, made_at: datetime = START) -> None:
    with registry.incoming() as folder:
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        (folder / "adapter_config.json").write_text("{}")
        manifest = Manifest(
            version=version,
            created_at=made_at.isoformat(),
            base=BaseIdentity("m", "f", "nf4"),
            prompt=PromptSpec(),
            dataset=dataset,
            owner_turns=1,
            lora={},
            metrics={},
            versions={},
        )
        registry.publish(folder, manifest)


def fill(store: Store) -> None:
    """Both words in every table that holds words."""
    store.add_dialog(ANNA, "Anna", "anna_p")
    store.add_dialog(BORIS, "Boris")
    for chat_id, word in ((ANNA, PLANTED), (BORIS, KEPT)):
        written = [message(number, f"{word} {number}", chat_id) for number in range(1, 5)]
        edited = replace(
            message(5, f"{word} 5", chat_id), first_text=f"{word} before", edited_at=NOW, entities=f'["{word}"]'
        )
        store.write_messages([*written, edited])
        bot = {"chat_id": chat_id, "speaker": "other", "text": word, "sent_at": START.timestamp()}
        store.db.table("bot_messages").insert(bot)
        store.db.table("bot_messages").insert(bot | {"chat_id": owners_own(chat_id)})
        draft = {"place": owners_own(chat_id), "until_id": 1, "created_at": START.timestamp(), "outcome": "edited"}
        store.db.table("business_drafts").insert(draft | {"bubbles": f'["{word}"]', "said": f'["{word}"]'})
        store.db.table("bot_inbox").insert(
            {"update_id": chat_id, "chat_id": chat_id, "received_at": START.timestamp(), "payload": json.dumps(word)}
        )
        made = {"kind": "distill", "weight": 1.0, "is_synthetic": 1, "added_at": START.timestamp(), "source": "x"}
        store.db.table("sets").insert({"name": f"set {chat_id}", **made})
        row = {"number": 1, "turns": word, "owner_turns": 1, "characters": 9, "chats": json.dumps([chat_id, 77])}
        store.db.table("set_rows").insert({"name": f"set {chat_id}", **row})
        answer = {"recipe": "x", "model": "m", "answer": word, "asked_at": 1.0, "chats": json.dumps([chat_id])}
        store.db.table("recipe_answers").insert({"key": str(chat_id), **answer})
        cursor = {"owner_id": 7, "oldest_id": 1, "newest_id": 5, "is_complete": 1, "updated_at": 1}
        store.db.table("cursors").insert({"chat_id": chat_id, **cursor})
    store.db.execute("insert into derived_scrub (key, value) values (?, ?)", [b"k", PLANTED.encode()])
    search_index.update(store)
    store.write_messages([message(6, f"{PLANTED} pending")])


def found_in(home: Path, word: str) -> list[str]:
    files = [path for path in home.rglob("*") if path.is_file()]
    return sorted(path.name for path in files if word.lower().encode() in path.read_bytes().lower())


def remember(settings: Settings) -> dict[str, str]:
    (settings.datasets / ".incoming-1").mkdir(parents=True)
    (settings.datasets / ".incoming-1" / "train.jsonl").write_text(PLANTED)
    return {
        "of both": snapshot(settings, [session(ANNA, PLANTED), session(BORIS, KEPT)]),
        "of Boris": snapshot(settings, [session(BORIS, KEPT)]),
    }

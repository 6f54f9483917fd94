"""Forgetting a dialog: every word of it out of the home, and what learned from it marked.

Knows nothing of terminals. What was exported, merged or converted lies elsewhere and is not touched.

What goes: the messages with their place in the search index, what the bot and that person said to each other, what it
heard and suggested in the owner's own chat with them (Telegram Business), rows of made sets and answers of teachers
into which the dialog went (they carry no times, so all of them), everything in tables called derived_*, and training
sets on disk that hold some of it (they can be built again). What stays: the dialog's name and tags, by which the wish
is told and can be lifted; how far the live account was read, so that a later ingest does not begin anew; the vault,
which holds no text and keeps secrets out of replies. What only others wrote, which the guard of replies knows by keyed
bits, is read anew from the messages that are left.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from twin import search_index
from twin.errors import AdapterError, StoreError
from twin.forgotten import Forgettings
from twin.manifest import Manifest
from twin.overhearing import overhear
from twin.places import owners_own
from twin.privacy.overheard import OVERHEARD_FILE
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

_AGAIN = "stop the bot and the worker, free some disk space, then run the same command again"
_MANY = "messages"
_OF_CHAT = {
    _MANY: "from messages where chat_id = :chat and sent_at < :before",
    "bot_messages": "from bot_messages where chat_id in (:chat, :own) and sent_at < :before",
    "bot_inbox": "from bot_inbox where chat_id in (:chat, :own) and received_at < :before",
    "business_drafts": "from business_drafts where place = :own and created_at < :before",
    "set_rows": "from set_rows where exists (select 1 from json_each(chats) where value = :chat)",
    "recipe_answers": "from recipe_answers where exists (select 1 from json_each(chats) where value = :chat)",
}
_BATCH = 5_000
_SOME_MESSAGES = f"delete from messages where id in (select id {_OF_CHAT[_MANY]} order by sent_at limit {_BATCH})"  # noqa: S608
# A training set on disk that is older than this holds what these sets were before.
_CHANGED_SETS = (
    "update sets set added_at = :now where name in"
    " (select name from set_rows, json_each(set_rows.chats) where json_each.value = :chat)"
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting takes away, or took.

    Attributes:
        rows: by table, how many.
        snapshots: fingerprints of the training sets that held some of it.
        stale: versions of adapters that learned from it, newest first.
        serving: the one of them that serves; None when none does.
    """

    chat_id: int
    before: datetime
    rows: dict[str, int]
    snapshots: tuple[str, ...]
    stale: tuple[str, ...]
    serving: str | None


def preview(store: Store, settings: Settings, chat_id: int, before: datetime) -> Forgotten:
    """What `forget` would take away; changes nothing."""
    rows = {
        name: int(store.db.conn.execute(f"select count(*) {where}", _values(chat_id, before)).fetchone()[0])
        for name, where in _OF_CHAT.items()
    }
    held = _snapshots(settings.datasets, chat_id, before, _sets(store, chat_id))
    learned = [m for m in _manifests(settings, store) if held.get(m.dataset, True)]
    return _told(store, settings, chat_id, before, rows, held, [manifest.version for manifest in learned])


def forget(store: Store, settings: Settings, chat_id: int, before: datetime, now: datetime) -> Forgotten:
    """Delete what a dialog said before a time, and see to it that it never comes back; see the module.

    First the wish is recorded, then rows go in short transactions, so that the bot is never blocked for long, then the
    files; if it is broken off, the same call finishes it.

    Raises:
        StoreError: the database could not be written, or not be made free of what was deleted; says what to do.
    """
    sets, wishes = _sets(store, chat_id), Forgettings(store.db)
    values = _values(chat_id, before)
    try:
        store.db.execute("pragma secure_delete = on")
        with store.atomic():
            wish = wishes.add(chat_id, before, now)
            store.db.conn.execute(_CHANGED_SETS, {"chat": chat_id, "now": now.timestamp()})
            rows = {
                name: _changed(store, f"delete {where}", values) for name, where in _OF_CHAT.items() if name != _MANY
            }
            if before >= now:  # all of it: whether they may talk to the bot stays, what they are called does not
                store.db.conn.execute("update bot_people set name = null where user_id = :chat", values)
            for table in _derived(store):
                store.db.conn.execute(f'delete from "{table}"')  # noqa: S608 - a name of the schema
        rows |= {_MANY: _delete_messages(store, values)}
        wishes.finish(wish)
    except sqlite3.Error as error:
        raise StoreError(f"The messages could not all be deleted ({error})", _AGAIN) from error
    held = _snapshots(settings.datasets, chat_id, before, sets)
    wishes.note_snapshots(wish, held)
    _remove_snapshots(settings.datasets, held)
    _remove_checkpoints(settings.runs)
    compact(store)
    if (settings.home / OVERHEARD_FILE).exists():
        overhear(store.db, settings.home)
    stale = [m.version for m in _manifests(settings, store) if wishes.learned_by(m, wish)]
    return _told(store, settings, chat_id, before, rows, held, stale)


def _delete_messages(store: Store, values: dict[str, float]) -> int:
    """The newest ones last, as the search index likes it."""
    deleted = 0
    while True:
        with store.atomic():
            count = _changed(store, _SOME_MESSAGES, values)
        deleted += count
        if count < _BATCH:
            return deleted


def undo(store: Store, chat_id: int) -> int:
    """Lift what was wished of a dialog: the next ingests bring in what they find, the live account from its start.

    Returns:
        how many wishes there were.
    """
    with store.atomic():
        lifted = Forgettings(store.db).lift(chat_id)
        if lifted:
            store.db.conn.execute("delete from cursors where chat_id = ?", [chat_id])
    return lifted


def compact(store: Store) -> None:
    """Leave nothing in the database's files of what was deleted from its tables.

    Raises:
        StoreError: another process keeps it busy, or the disk is full.
    """
    problem = "The messages are deleted, but traces of them may still be in the database's files"
    try:
        search_index.compact(store)
        store.db.conn.execute("vacuum")
        busy, _, _ = store.db.conn.execute("pragma wal_checkpoint(truncate)").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{problem} ({error})", _AGAIN) from error
    if busy:
        raise StoreError(f"{problem}: another process reads them", _AGAIN)


def _told(
    store: Store,
    settings: Settings,
    chat_id: int,
    before: datetime,
    rows: dict[str, int],
    held: dict[str, bool],
    stale: list[str],
) -> Forgotten:
    current = Registry(settings.adapters, store.db).current()
    return Forgotten(
        chat_id=chat_id,
        before=before,
        rows=rows,
        snapshots=tuple(sorted(fingerprint for fingerprint, is_held in held.items() if is_held)),
        stale=tuple(sorted(stale, reverse=True)),
        serving=current if current in stale else None,
    )


def _values(chat_id: int, before: datetime) -> dict[str, float]:
    own = owners_own(chat_id) if chat_id > 0 else chat_id  # chats from elsewhere have negative ids, and no bot
    return {"chat": chat_id, "own": own, "before": int(before.timestamp())}


def _changed(store: Store, sql: str, values: dict[str, float]) -> int:
    return int(store.db.conn.execute(sql, values).rowcount)


def _derived(store: Store) -> list[str]:
    return [name for name in store.db.table_names() if name.startswith("derived_")]


def _manifests(settings: Settings, store: Store) -> Iterator[Manifest]:
    """Of every adapter whose manifest can be read; the others cannot serve."""
    registry = Registry(settings.adapters, store.db)
    for version in registry.versions():
        try:
            yield Manifest.read(registry.path(version))
        except AdapterError:
            continue


def _sets(store: Store, chat_id: int) -> dict[str, float]:
    """The sets into which nothing of a dialog went, with the times since when that holds (UTC epoch seconds)."""
    return dict(
        store.db.execute(
            "select name, added_at from sets where name not in"
            " (select name from set_rows, json_each(set_rows.chats) where json_each.value = ?)",
            [chat_id],
        ).fetchall()
    )


def _snapshots(folder: Path, chat_id: int, before: datetime, clean_sets: dict[str, float]) -> dict[str, bool]:
    """By fingerprint, whether a training set on disk holds anything of a dialog before a time; unreadable ones do."""
    return {
        path.name: _holds(path, chat_id, before, clean_sets)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.is_dir() and not path.name.startswith(".")
    }


def _holds(snapshot: Path, chat_id: int, before: datetime, clean_sets: dict[str, float]) -> bool:
    """The format is that of training/snapshot.py: a session a line, with the dialog's id, the turns and their times."""
    try:
        built_at = (snapshot / "manifest.json").stat().st_mtime
        parts = sorted(snapshot.glob("*.jsonl"))
        for part in parts:
            with part.open(encoding="utf-8", newline="\n") as lines:
                if any(_is_of(json.loads(line), chat_id, before, clean_sets, built_at) for line in lines):
                    return True
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True
    return not parts


def _is_of(
    session: dict[str, Any], chat_id: int, before: datetime, clean_sets: dict[str, float], built_at: float
) -> bool:
    if "origin" in session:
        return not clean_sets.get(session["origin"], built_at) < built_at
    if session["chat_id"] != chat_id:
        return False
    times = [turn.get("started_at") for turn in session["turns"]]
    return None in times or min(map(datetime.fromisoformat, times)) < before


def _remove_snapshots(folder: Path, held: dict[str, bool]) -> None:
    """Half-written ones too: nobody knows what is in them. Whoever writes one fails, and says so."""
    unfinished = [path.name for path in folder.glob(".*") if path.is_dir()] if folder.is_dir() else []
    for name in [*(name for name, is_held in held.items() if is_held), *unfinished]:
        try:
            shutil.rmtree(folder / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(
                f"The messages are deleted, but the training set {folder / name} holds some of them and cannot be"
                f" removed ({error.strerror})",
                "delete that folder, then run the same command again",
            ) from error


def _remove_checkpoints(folder: Path) -> None:
    """Those of trainings that broke off; none may go on with what it learned."""
    for path in folder.glob("*/checkpoint.pt"):
        path.unlink(missing_ok=True)

"""`twin ingest status`: what is stored, how far the live account was read, and what is known to be missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingest.standing import last_runs, standings
from tests.conftest import Ran
from twin.cursors import Cursor, Cursors
from twin.forget import forget
from twin.messages import Message
from twin.settings import Settings
from twin.store import Store, Written

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def message(number: int, chat_id: int) -> Message:
    return Message(chat_id, number, START + timedelta(days=number), 7, bool(number % 2), "marzipan")


def fill(store: Store) -> None:
    for chat_id, name in ((1, "Anna"), (2, "Boris\x1b[2J"), (3, None)):
        store.add_dialog(chat_id, name)
        store.write_messages([message(number, chat_id) for number in range(10, 20)])
    answers = [(19, 2), (18, 15), (17, 3), (16, 16)]
    store.write_messages([replace(message(number, 1), reply_to=target) for number, target in answers])
    Cursors(store.db).move(1, None, Cursor(12, 17), 7, START)
    Cursors(store.db).move(2, None, Cursor(1, 19, is_complete=True), 7, START)
    store.record_ingest("a file\x1b[2J", 7, Written(1, 2, 3), {})
    store.record_ingest("another", 7, Written(4, 5, 6), {"group": 1})


def test_what_can_be_known_to_be_missing_is_counted_and_silence_is_not(home: Settings, store: Store) -> None:
    fill(store)
    forget(store, home, 3, START + timedelta(days=15), START)
    store.dialog_table.include(2, False)
    anna, boris, third = standings(store)
    assert (anna.cursor, anna.is_behind, anna.outside, anna.unknown_replies) == (Cursor(12, 17), True, 4, 2)
    assert (boris.is_behind, boris.outside, boris.unknown_replies) == (False, 0, 0)
    assert (third.cursor, third.outside, third.forgotten) == (None, 0, START + timedelta(days=15))
    assert third.dialog.messages == 5 and not boris.dialog.is_included
    assert [(run.source, run.added, run.updated, run.unchanged) for run in last_runs(store, 1)] == [
        ("another", 4, 5, 6)
    ]


def test_status_tells_it_to_people_and_to_scripts(home: Settings, store: Store, run_twin: Callable[..., Ran]) -> None:
    fill(store)
    store.dialog_table.include(2, False)
    forget(store, home, 3, START + timedelta(days=15), START)
    out = run_twin("ingest", "status").out
    anna, boris, third = (
        next(line for line in out.splitlines() if name in line) for name in ("Anna", "Boris", "account 3")
    )
    assert "older unread, 4 outside, 2 replies" in anna and "17 …" in anna
    assert "(excluded)" in boris and "19" in boris and "outside" not in boris
    assert "forgotten before 2026-01-16" in third
    assert "goes on with them" in out and "another" in out and "\x1b" not in out and "marzipan" not in out
    told = json.loads(run_twin("ingest", "status", "--json").out)
    assert (told["messages"], told["owner_messages"]) == (25, 13)
    assert told["dialogs"][0]["cursor"] == {"oldest_id": 12, "newest_id": 17, "is_complete": False}
    assert told["dialogs"][0]["gaps"] == {"older_unread": True, "outside_cursor": 4, "unknown_replies": 2}
    assert [dialog["is_included"] for dialog in told["dialogs"]] == [True, False, True]
    assert told["dialogs"][2]["forgotten_before"] == "2026-01-16T00:00:00+00:00"
    assert [run["source"] for run in told["last_runs"]] == ["another", "a file\x1b[2J"]

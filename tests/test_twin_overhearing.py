"""Overhearing: whose words of a database count, and what of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inference.guard import Guard
from twin.forget import forget
from twin.messages import Conversation, Message
from twin.overhearing import overhear
from twin.privacy.overheard import OVERHEARD_FILE, Overheard, plain
from twin.settings import load_settings
from twin.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = "we are going to paint the old boat green before anybody wakes up"
OTHER_PLAN = "the marmalade goes on the top shelf, right behind the old jars"


def said(store: Store, chat_id: int, *texts: str, is_owner: bool = False, **more: object) -> None:
    store.add_dialog(chat_id, None)
    first = store.message_count() + 1
    store.write_messages(
        [
            replace(Message(chat_id, first + n, START + timedelta(minutes=first + n), None, is_owner, text), **more)
            for n, text in enumerate(texts)
        ]
    )


def knows(store: Store, home, text: str) -> bool:
    return bool(overhear(store.db, home).found_in(plain(text)))


@pytest.mark.parametrize("more", [{}, {"forwarded_from": "A Channel"}, {"media": "photo"}, {"deleted_at": START}])
def test_whatever_others_sent_counts_as_theirs(store, home, more):
    said(store, 7, PLAN, **more)
    assert knows(store, home.home, PLAN) and not knows(store, home.home, OTHER_PLAN)
    kept = Overheard.open(home.home)
    assert kept is not None and kept.found_in(plain(PLAN))


def test_the_owners_own_words_are_nobody_elses(store, home):
    said(store, 7, PLAN)
    said(store, -(1 << 62) + 5, PLAN, is_owner=True)
    assert not knows(store, home.home, PLAN)


@pytest.mark.parametrize("more", [{"forwarded_from": "Anna"}, {"via_bot": "somebot"}])
def test_what_the_owner_forwarded_is_still_somebody_elses(store, home, more):
    said(store, 7, PLAN)
    said(store, 8, PLAN, is_owner=True, **more)
    assert knows(store, home.home, PLAN)


def test_a_person_is_a_dialog_with_a_number_of_either_sign(store, home):
    for chat in (7, -(1 << 61)):
        said(store, chat, PLAN)
    assert knows(store, home.home, PLAN)
    said(store, 9, PLAN)
    assert not knows(store, home.home, PLAN)


def test_what_people_wrote_in_sets_counts_and_what_models_made_does_not(store, home):
    turns = [
        {"speaker": "other", "bubbles": ["hey", PLAN]},
        {"speaker": "owner", "bubbles": [OTHER_PLAN, {"text": PLAN, "authored": False}]},
        {"speaker": "other", "bubbles": [{"text": f"[forwarded] {OTHER_PLAN} for good", "authored": False}]},
    ]
    for name, is_synthetic in (("real", 0), ("made", 1)):
        store.db.table("sets").insert(
            {"name": name, "kind": "transcript", "weight": 1.0, "is_synthetic": is_synthetic, "added_at": 1.0}
        )
    row = {"number": 1, "turns": json.dumps(turns), "owner_turns": 1, "characters": 1}
    store.db.table("set_rows").insert(row | {"name": "made"})
    assert not knows(store, home.home, PLAN)
    store.db.table("set_rows").insert(row | {"name": "real"})
    assert knows(store, home.home, PLAN)
    assert not knows(store, home.home, OTHER_PLAN)
    assert knows(store, home.home, f"{OTHER_PLAN} for good")


def test_what_is_forgotten_is_gone_with_the_next_reading(store, home):
    said(store, 7, PLAN)
    said(store, 8, OTHER_PLAN)
    assert knows(store, home.home, PLAN)
    store.db.execute("delete from messages where chat_id = 7")
    assert not knows(store, home.home, PLAN) and knows(store, home.home, OTHER_PLAN)


def test_texts_too_short_for_a_window_are_not_even_read(store, home):
    said(store, 7, "ok", "see you tonight then", "我们打算在大家醒来之前把那条旧船漆成绿色吧")
    found = overhear(store.db, home.home)
    assert found.count == 1


def test_forgetting_a_dialog_takes_its_words_out_and_leaves_those_of_others(store, home):
    said(store, 7, PLAN)
    said(store, 8, OTHER_PLAN)
    later = START + timedelta(days=1)
    assert not (home.home / OVERHEARD_FILE).exists()
    forget(store, home, 9, later, later)
    assert not (home.home / OVERHEARD_FILE).exists(), "where nothing was noted nothing need be noted anew"
    assert knows(store, home.home, PLAN)
    forget(store, home, 7, later, later)
    kept = Overheard.open(home.home)
    assert kept is not None and not kept.found_in(plain(PLAN)) and kept.found_in(plain(OTHER_PLAN))


def test_an_encrypted_database_is_read_as_well_and_the_note_holds_no_word(home, monkeypatch):
    (home.home / "database-key").touch(mode=0o600)
    (home.home / "database-key").write_text("0123456789abcdef" * 4)
    monkeypatch.setenv("TWIN_STORAGE__KEY", "file")
    settings = load_settings()
    with Store.of(settings) as store:
        said(store, 7, PLAN)
    assert b"SQLite format" not in settings.database.read_bytes()[:16]
    assert Guard.open(settings).catches(Conversation(()), [], PLAN) == "others"
    note = (home.home / OVERHEARD_FILE).read_bytes()
    assert not any(word.encode() in note for word in PLAN.split() if len(word) > 4)

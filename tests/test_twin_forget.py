"""Forgetting: no byte of it stays in the home, it never comes back, and what learned from it may not serve."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

import training.dataset
import twin.forget
import twin.forget_cli
from inference.doctor import examine
from tests import chats
from tests.blank import blank_store
from tests.forgetting import (
    ANNA,
    BORIS,
    KEPT,
    NOW,
    PLANTED,
    START,
    adapter,
    fill,
    found_in,
    message,
    remember,
    session,
    snapshot,
)
from training.scheduler import queue_if_due
from twin import search_index
from twin.errors import AdapterError, DatasetError, StoreError
from twin.forget import Forgotten, forget, preview, undo
from twin.forgotten import Forgettings
from twin.registry import Manifest, Registry
from twin.search import EVERYWHERE, Query, search
from twin.settings import Settings, load_settings
from twin.store import Store

_TABLES = ("bot_messages", "bot_inbox", "business_drafts", "set_rows", "recipe_answers")


def test_no_byte_of_a_forgotten_dialog_stays_in_the_home_and_others_are_untouched(home: Settings, store: Store) -> None:
    fill(store)
    remember(home)
    store.db.execute("insert into bot_people (user_id, name, is_allowed) values (?, ?, 1)", [ANNA, PLANTED])
    boris = store.messages(BORIS)
    with Store.open(home.database) as reader:
        assert reader.message_count() == 11
        assert found_in(home.home, PLANTED) != []
        told = forget(store, home, ANNA, NOW, NOW)
        assert found_in(home.home, PLANTED) == []
        assert reader.message_count() == 5
    assert told.rows == {"messages": 6} | dict.fromkeys(_TABLES, 1) | {"bot_messages": 2}
    assert len(told.snapshots) == 1
    assert found_in(home.home, KEPT) == ["train.jsonl", "twin.db"]
    assert (store.messages(ANNA), store.messages(BORIS)) == ([], boris)
    assert search(store, Query.parse(PLANTED), EVERYWHERE) == []
    assert len(search(store, Query.parse(KEPT), EVERYWHERE)) == 5
    for table in _TABLES:
        assert store.db.table(table).count == (2 if table == "bot_messages" else 1)
    assert [row["chat_id"] for row in store.db.table("cursors").rows] == [ANNA, BORIS]
    assert store.db.execute("select is_allowed from bot_people").fetchall() == [(1,)], "who may talk still may"
    store.db.execute("insert into search (search) values ('integrity-check')")


def test_a_preview_tells_the_same_and_changes_nothing(home: Settings, store: Store) -> None:
    fill(store)
    remember(home)
    adapter(Registry(home.adapters, store.db), "v1", "gone")
    Registry(home.adapters, store.db).promote("v1", "good", 1.0)
    planned = preview(store, home, ANNA, NOW)
    assert store.message_count() == 11 and found_in(home.home, PLANTED) != []
    assert planned == forget(store, home, ANNA, NOW, NOW)
    assert (planned.stale, planned.serving) == (("v1",), "v1")


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, -3]), st.integers(0, 9)), max_size=20, unique=True),
    st.lists(st.tuples(st.sampled_from([1, 2, -3]), st.integers(0, 11)), max_size=3),
    st.booleans(),
)
@given_settings(max_examples=60, deadline=None)
def test_what_is_forgotten_never_comes_back_and_nothing_else_is_missing(
    said: list[tuple[int, int]], wishes: list[tuple[int, int]], is_indexed: bool
) -> None:
    settings = Settings(home=Path("/nonexistent"))
    messages = [message(day, f"tea {day}", chat_id) for chat_id, day in said]
    with blank_store() as store:
        for chat_id in (1, 2, -3):
            store.add_dialog(chat_id, None)
        store.write_messages(messages)
        if is_indexed:
            search_index.update(store)
        for chat_id, day in wishes:
            forget(store, settings, chat_id, START + timedelta(days=day), NOW)
        left = {(m.chat_id, m.message_id): m for m in messages}
        for chat_id, day in wishes:
            left = {
                key: m for key, m in left.items() if m.chat_id != chat_id or m.sent_at >= START + timedelta(days=day)
            }
        for _ in range(2):
            search_index.update(store)
            stored = {(m.chat_id, m.message_id): m for chat_id in (1, 2, -3) for m in store.messages(chat_id)}
            assert stored == left
            assert len(search(store, Query.parse("tea"), EVERYWHERE, 99)) == len(left)
            store.write_messages([replace(m, edited_at=NOW) for m in messages if (m.chat_id, m.message_id) not in left])
        for chat_id in (1, 2, -3):
            undo(store, chat_id)
        store.write_messages(messages)
        assert store.message_count() == len(messages)


def test_only_what_was_said_before_a_day_is_forgotten(home: Settings, store: Store) -> None:
    fill(store)
    held = snapshot(home, [session(ANNA, PLANTED, day=1)])
    later = snapshot(home, [session(ANNA, "later", day=4)])
    told = forget(store, home, ANNA, START + timedelta(days=4), NOW)
    assert [m.message_id for m in store.messages(ANNA)] == [4, 5, 6]
    assert told.snapshots == (held,)
    assert [path.name for path in home.datasets.iterdir()] == [later]


def test_an_ingest_that_read_before_and_writes_afterwards_brings_nothing_back(home: Settings, store: Store) -> None:
    fill(store)
    with Store.open(home.database) as other, other.staging():
        other.stage([message(1, PLANTED), message(300, "new")])
        forget(store, home, ANNA, NOW, NOW)
        with other.atomic():
            assert other.leave_out_forgotten() == 1
            assert (other.leave_out_forgotten(), other.write_staged()) == (0, 1)
    assert [m.text for m in store.messages(ANNA)] == ["new"]


def test_a_lifted_wish_lets_everything_in_again_from_the_start(home: Settings, store: Store) -> None:
    fill(store)
    adapter(Registry(home.adapters, store.db), "v1", "gone")
    forget(store, home, ANNA, NOW, NOW)
    with pytest.raises(AdapterError, match="stale"):
        Registry(home.adapters, store.db).promote("v1", "by hand", 1.0)
    assert (undo(store, ANNA), undo(store, ANNA)) == (1, 0)
    assert [row["chat_id"] for row in store.db.table("cursors").rows] == [BORIS]
    assert store.write_messages([message(1, "again")]) == 1
    Registry(home.adapters, store.db).promote("v1", "by hand", 1.0)
    assert Forgettings(store.db).all() == [] and store.db.table("forgotten_snapshots").count == 0


def test_adapters_are_stale_if_their_training_set_held_it_or_nobody_can_tell(home: Settings, store: Store) -> None:
    fill(store)
    made = remember(home)
    registry = Registry(home.adapters, store.db)
    adapter(registry, "held", made["of both"])
    adapter(registry, "held-not", made["of Boris"])
    adapter(registry, "unknown", "gone")
    adapter(registry, "in-training", made["of both"], made_at=NOW + timedelta(hours=1))
    adapter(registry, "retrained", "built later", made_at=NOW + timedelta(hours=1))
    told = forget(store, home, ANNA, NOW, NOW)
    assert told.stale == ("unknown", "in-training", "held")
    for version in told.stale:
        with pytest.raises(
            AdapterError, match=r"is stale: it learned from messages that you wanted forgotten: retrain"
        ):
            registry.promote(version, "by hand", 1.0)
    registry.promote("held-not", "by hand", 1.0)
    registry.promote("retrained", "by hand", 2.0)
    assert registry.rollback(3.0) == "held-not"
    again = forget(store, home, BORIS, NOW, NOW + timedelta(hours=2))
    assert again.stale == ("unknown", "retrained", "in-training", "held-not", "held")
    assert again.snapshots == (made["of Boris"],)


def test_a_stale_version_is_never_gone_back_to(home: Settings, store: Store) -> None:
    fill(store)
    registry = Registry(home.adapters, store.db)
    adapter(registry, "v1", "gone")
    registry.promote("v1", "good", 1.0)
    forget(store, home, ANNA, NOW, NOW)
    adapter(registry, "v2", "later", made_at=NOW + timedelta(hours=1))
    registry.promote("v2", "good", 2.0)
    with pytest.raises(AdapterError, match="v1 is stale"):
        registry.rollback(3.0)
    assert registry.current() == "v2"


@pytest.mark.parametrize("damage", ["cut off", "no times", "no manifest", "empty", "made of it", "of a changed set"])
def test_a_training_set_that_does_not_tell_counts_as_one_that_held_it(
    home: Settings, store: Store, damage: str
) -> None:
    fill(store)
    store.db.execute("update sets set added_at = ?", [START.timestamp()])
    origin = {"made of it": f"set {ANNA}", "of a changed set": "no longer there"}.get(damage, f"set {BORIS}")
    fingerprint = snapshot(home, [session(BORIS, KEPT), session(0, "made", origin=origin)])
    folder = home.datasets / fingerprint
    match damage:
        case "cut off":
            (folder / "train.jsonl").write_text((folder / "train.jsonl").read_text()[:-9])
        case "no times":
            line = json.loads((folder / "train.jsonl").read_text().splitlines()[0])
            line["chat_id"] = ANNA
            del line["turns"][0]["started_at"]
            (folder / "val.jsonl").write_text(json.dumps(line) + "\n")
        case "no manifest":
            (folder / "manifest.json").unlink()
        case "empty":
            for path in folder.glob("*.jsonl"):
                path.unlink()
    assert forget(store, home, ANNA, START + timedelta(days=1), NOW).snapshots == (fingerprint,)
    assert not folder.exists()


def test_a_training_set_of_other_dialogs_and_other_sets_stays(home: Settings, store: Store) -> None:
    fill(store)
    fingerprint = snapshot(home, [session(BORIS, KEPT), session(0, "made", origin=f"set {BORIS}")])
    assert forget(store, home, ANNA, NOW, NOW).snapshots == ()
    assert (home.datasets / fingerprint).is_dir()


def test_while_another_process_reads_on_traces_may_stay_and_that_is_said(home: Settings, store: Store) -> None:
    fill(store)
    store.db.execute("pragma busy_timeout = 0")
    with Store.open(home.database) as reader:
        reader.db.conn.execute("begin")
        assert reader.message_count() == 11
        with pytest.raises(
            StoreError, match=r"traces of them may still be in the database's files.*run the same command"
        ):
            forget(store, home, ANNA, NOW, NOW)
        reader.db.conn.execute("rollback")
    assert store.messages(ANNA) == []
    forget(store, home, ANNA, NOW, NOW)
    assert found_in(home.home, PLANTED) == []


@pytest.mark.parametrize("step", ["_delete_messages", "_snapshots", "_remove_snapshots", "compact"])
def test_broken_off_at_any_step_the_same_command_finishes_it(
    home: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    fill(store)
    made = remember(home)
    adapter(Registry(home.adapters, store.db), "v1", made["of both"])
    sets = snapshot(home, [session(0, "made", origin=f"set {ANNA}")])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(twin.forget, step, stop)
        with pytest.raises(KeyboardInterrupt):
            forget(store, home, ANNA, NOW, datetime.now(UTC))
    assert store.write_messages([message(1, PLANTED), message(2, PLANTED)]) == 0
    if step == "_delete_messages":
        finding = next(finding for finding in examine(quick=True) if finding.check == "forgetting")
        assert not finding.ok and "twin forget 1" in finding.remedy
    else:
        assert store.messages(ANNA) == []
    assert Registry(home.adapters, store.db).is_stale(Manifest.read(home.adapters / "v1"))
    told = forget(store, home, ANNA, NOW, datetime.now(UTC))
    assert found_in(home.home, PLANTED) == []
    assert told.stale == ("v1",)
    assert not (home.datasets / sets).exists()
    assert all(wish.is_done for wish in Forgettings(store.db).all())
    assert next(finding for finding in examine(quick=True) if finding.check == "forgetting").ok


def test_a_long_dialog_is_forgotten_in_short_transactions(home: Settings, store: Store) -> None:
    store.add_dialog(ANNA, "Anna")
    store.write_messages([message(number, "tea") for number in range(12_001)])
    writes: list[str] = []
    store.db.conn.set_trace_callback(lambda sql: writes.append(sql) if sql.startswith("begin") else None)
    told = forget(store, home, ANNA, START + timedelta(days=12_000), NOW)
    assert told.rows["messages"] == 12_000 and [m.message_id for m in store.messages(ANNA)] == [12_000]
    assert len(writes) >= 4


def test_an_encrypted_database_forgets_as_well(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.home / "database-key").touch(mode=0o600)
    (home.home / "database-key").write_text("0123456789abcdef" * 4)
    monkeypatch.setenv("TWIN_STORAGE__KEY", "file")
    settings = load_settings()
    with Store.of(settings) as store:
        fill(store)
        assert forget(store, settings, ANNA, NOW, NOW).rows["messages"] == 6
        assert store.messages(BORIS)[0].text == f"{KEPT} 1"
        assert len(search(store, Query.parse(KEPT), EVERYWHERE)) == 5


def test_a_dataset_being_built_meanwhile_is_not_kept(
    home: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chat in (ANNA, BORIS):
        chats.fill(store, chat=chat)
    real = training.dataset.gather

    def forget_meanwhile(*arguments: Any, **options: Any) -> Any:
        gathered = real(*arguments, **options)
        with Store.open(home.database) as other:
            forget(other, home, ANNA, NOW, NOW)
        return gathered

    def finish_meanwhile(*arguments: Any, **options: Any) -> Any:
        gathered = real(*arguments, **options)
        Forgettings(store.db).finish(begun)
        return gathered

    with store.atomic():
        begun = Forgettings(store.db).add(ANNA, NOW, NOW)
    with monkeypatch.context() as patched:
        patched.setattr(training.dataset, "gather", finish_meanwhile)
        with pytest.raises(DatasetError, match="build it again"):
            training.dataset.build(store, home, workers=1)
    with monkeypatch.context() as patched:
        patched.setattr(training.dataset, "gather", forget_meanwhile)
        with pytest.raises(DatasetError, match="forgotten while the dataset was being built: build it again"):
            training.dataset.build(store, home, workers=1)
    assert list(home.datasets.iterdir()) == []
    built = training.dataset.build(store, home, workers=1)
    assert {session.chat_id for split in training.dataset.SPLITS for session in built.sessions(split)} == {BORIS}
    assert forget(store, home, BORIS, NOW, NOW).snapshots == (built.fingerprint,)
    assert not built.folder.exists()


def test_a_stale_newest_adapter_makes_a_retraining_due(home: Settings, store: Store) -> None:
    store.add_dialog(ANNA, "Anna")
    store.add_dialog(BORIS, "Boris")
    store.write_messages([message(number, "tea", BORIS) for number in range(500)])
    registry = Registry(home.adapters, store.db)
    adapter(registry, "v1", "gone")
    adapter_turns = {"owner_turns": 250}
    path = home.adapters / "v1" / "twin.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | adapter_turns))
    assert queue_if_due(home, 1.0) is None
    forget(store, home, ANNA, NOW, NOW)
    assert queue_if_due(home, 2.0) is not None


def test_an_empty_forgetting_is_told_as_such(home: Settings, store: Store) -> None:
    store.add_dialog(ANNA, "Anna")
    rows = dict.fromkeys(("messages", *_TABLES), 0)
    assert forget(store, home, ANNA, NOW, NOW) == Forgotten(ANNA, NOW, rows, (), (), None)

"""The SQLite file: messages in, messages out, never lossy, never twice."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.blank import blank_store
from twin.database import open_database
from twin.errors import StoreError
from twin.messages import Message
from twin.settings import Settings
from twin.store import Store, Written

START = datetime(2026, 1, 1, tzinfo=UTC)

VERSIONS = st.builds(
    lambda chat_id, message_id, told, edited, text, detail: Message(
        chat_id=chat_id,
        message_id=message_id,
        sent_at=START + timedelta(seconds=message_id),
        sender_id=7 if told else None,
        is_owner=bool(message_id % 2),
        text=text,
        reply_to=message_id - 1 if told else None,
        via_bot="gif" if told and message_id == 3 else None,
        edited_at=START + timedelta(days=edited) if edited else None,
        media_note=detail,
        entities=detail,
    ),
    st.integers(1, 2),
    st.integers(1, 6),
    st.booleans(),
    st.integers(0, 3),
    st.text(max_size=12),
    st.none() | st.just("[]"),
)


def message(message_id: int, text: str = "hi", *, chat_id: int = 1, is_owner: bool = True) -> Message:
    return Message(chat_id, message_id, START + timedelta(seconds=message_id), 7, is_owner, text)


def filled(batches: list[list[Message]]) -> list[Message]:
    """What a blank store holds after these batches."""
    with blank_store() as store:
        for chat_id in (1, 2):
            store.add_dialog(chat_id, None)
        for batch in batches:
            store.write_messages(batch)
        return [found for chat_id in (1, 2) for found in store.messages(chat_id)]


@given(data=st.data(), versions=st.lists(VERSIONS, unique_by=lambda m: (m.chat_id, m.message_id, m.edited_at)))
@settings(max_examples=60, deadline=None)
def test_any_order_and_repetition_of_batches_ends_in_the_same_table(
    data: st.DataObject, versions: list[Message]
) -> None:
    """Identity is (chat_id, message_id); of several versions of one message the one edited last is what it says, and
    the earliest what it said first."""
    again = data.draw(st.lists(st.sampled_from(versions), max_size=10)) if versions else []
    shuffled = data.draw(st.permutations([*versions, *again]))
    cut = data.draw(st.integers(0, len(shuffled)))
    once = filled([versions])
    assert filled([shuffled[:cut], shuffled[cut:], versions]) == once
    seen: dict[tuple[int, int], list[Message]] = {}
    for version in sorted(versions, key=lambda m: m.edited_at or START):
        seen.setdefault((version.chat_id, version.message_id), []).append(version)
    for row in once:
        mine = seen[row.chat_id, row.message_id]
        assert (row.text, row.edited_at, row.entities) == (mine[-1].text, mine[-1].edited_at, mine[-1].entities)
        assert row.first_text == (mine[0].text if len(mine) > 1 else None)
        assert row.sender_id == (7 if any(version.sender_id for version in mine) else None)


@given(data=st.data(), versions=st.lists(VERSIONS, unique_by=lambda m: (m.chat_id, m.message_id, m.edited_at)))
@settings(max_examples=60, deadline=None)
def test_what_two_databases_hold_comes_together_as_if_one_had_seen_all(
    data: st.DataObject, versions: list[Message]
) -> None:
    """What a row says of its first version and its deletion counts as much as having seen them."""
    parts = [
        filled([data.draw(st.lists(st.sampled_from(versions))) if versions else []])
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    rows = [replace(row, deleted_at=data.draw(st.none() | st.just(START))) for part in parts for row in part]
    deleted = {(row.chat_id, row.message_id) for row in rows if row.deleted_at}
    shuffled = data.draw(st.permutations(rows))
    merged = filled([shuffled, versions])
    assert filled([shuffled, versions, shuffled]) == filled([rows, shuffled, versions]) == merged
    seen = filled([versions])
    told = [replace(row, deleted_at=None) for row in merged]
    assert [(m.text, m.edited_at, m.first_text, m.first_edited_at, m.sender_id) for m in told] == [
        (m.text, m.edited_at, m.first_text, m.first_edited_at, m.sender_id) for m in seen
    ]
    assert {(row.chat_id, row.message_id) for row in merged if row.deleted_at} == deleted


def test_two_sightings_of_one_version_complete_each_other_and_the_text_before_an_edit_is_kept(store: Store) -> None:
    store.add_dialog(1, "Ada")
    seen_in_an_export = replace(message(1), sender_id=None, media="photo", reply_to=4)
    seen_live = replace(message(1), reactions='[{"emoji":"🙂"}]', media="photo", media_note="2 s")
    store.write_messages([seen_in_an_export])
    store.write_messages([seen_live])
    store.write_messages([seen_in_an_export])
    (row,) = store.messages(1)
    assert row == replace(seen_live, reply_to=4)
    edited = replace(seen_live, text="hello", edited_at=START + timedelta(days=1))
    assert store.write_messages([edited]) == 1
    assert store.messages(1) == [replace(edited, reply_to=4, first_text="hi")]
    assert store.mark_deleted(1, [1, 2], START + timedelta(days=2)) == 1
    assert store.mark_deleted(1, [1], START + timedelta(days=3)) == 0
    assert store.write_messages([seen_live]) == 0
    assert store.messages(1)[0].deleted_at == START + timedelta(days=2)


def test_writing_the_same_again_changes_nothing(store: Store) -> None:
    store.add_dialog(1, "Ada")
    assert store.write_messages([message(1), message(2)]) == 2
    assert store.write_messages([message(1), message(2)]) == 0
    assert store.write_messages([replace(message(2), text="changed"), message(3)]) == 2
    assert [found.text for found in store.messages(1)] == ["hi", "changed", "hi"]


def test_an_old_export_never_takes_back_a_newer_edit(store: Store) -> None:
    store.add_dialog(1, "Ada")
    edited = replace(message(1, "typo fixed"), edited_at=START + timedelta(days=1))
    store.write_messages([edited])
    assert store.write_messages([message(1, "tpyo")]) == 1
    assert store.messages(1) == [replace(edited, first_text="tpyo")]
    assert store.write_messages([message(1, "tpyo")]) == 0


def test_dialogs_are_counted_and_a_name_is_never_lost(store: Store) -> None:
    store.add_dialog(1, "Ada")
    store.add_dialog(2, None)
    store.add_dialog(1, None)
    store.write_messages([message(1), message(2, is_owner=False), message(3, chat_id=2)])
    ada, other = store.dialogs()
    assert (ada.name, ada.messages, ada.owner_messages) == ("Ada", 2, 1)
    assert (ada.first_at, ada.last_at) == (START + timedelta(seconds=1), START + timedelta(seconds=2))
    assert (other.name, other.messages) == (None, 1)
    assert (store.owner_messages(), store.message_count()) == (2, 3)


def test_a_turn_of_the_owner_is_a_run_of_messages_in_one_dialog_whatever_the_silence(store: Store) -> None:
    assert store.owner_turns() == 0
    for chat_id in (1, 2):
        store.add_dialog(chat_id, None)
    store.write_messages(
        [
            replace(message(9), sent_at=START),  # the later id, but the earlier time
            message(1),
            message(2, is_owner=False),
            message(3),
            replace(message(4), sent_at=START + timedelta(days=300)),
            message(1, chat_id=2),
            message(2, chat_id=2, is_owner=False),
            replace(message(3, chat_id=2), sent_at=START + timedelta(seconds=2)),  # of the same second
        ]
    )
    assert store.owner_turns() == 4


def test_staged_messages_lock_nothing_and_leave_nothing(home: Settings, store: Store) -> None:
    with store.staging():
        store.stage([message(1), message(2)])
        with Store.open(home.database) as other:
            other.db.execute("pragma busy_timeout = 0")
            other.add_dialog(1, "Ada")
            assert other.message_count() == 0
        store.stage([replace(message(2), text="changed")])
        assert store.write_staged() == 3
    assert [found.text for found in store.messages(1)] == ["hi", "changed"]
    with pytest.raises(RuntimeError), store.staging():
        store.stage([message(3)])
        raise RuntimeError
    assert list(store.db.query("select * from sqlite_temp_master")) == []
    assert store.message_count() == 2


def test_a_batch_that_fails_leaves_nothing_of_itself(store: Store) -> None:
    store.add_dialog(1, "Ada")
    with pytest.raises(sqlite3.IntegrityError):
        store.write_messages([message(1), message(1, chat_id=99)])
    assert store.message_count() == 0


def test_a_transaction_that_reads_first_waits_for_another_writer(home: Settings, store: Store) -> None:
    store.add_dialog(1, "Ada")
    started = threading.Event()

    def write_slowly() -> None:
        with Store.open(home.database) as other, other.atomic():
            other.write_messages([message(1)])
            started.set()
            time.sleep(0.2)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    started.wait(30)
    with store.atomic():
        seen = store.message_count()
        store.write_messages([message(2)])
    writer.join()
    assert (seen, store.message_count()) == (1, 2)


def test_an_inner_failure_can_be_survived_inside_one_transaction(store: Store) -> None:
    store.add_dialog(1, "Ada")
    with store.atomic():
        store.write_messages([message(1)])
        with pytest.raises(sqlite3.IntegrityError):
            store.write_messages([message(2, chat_id=99)])
    assert store.message_count() == 1


def test_a_finished_run_is_accounted_for(store: Store) -> None:
    store.record_ingest("export", 7, Written(added=2, unchanged=1), {"group": 3})
    row = next(iter(store.db.query("select * from ingest_runs")))
    assert (row["source"], row["added"], row["updated"], row["skipped"]) == ("export", 2, 0, '{"group": 3}')


def test_the_database_and_its_log_are_the_owners_alone(home: Settings, store: Store) -> None:
    store.add_dialog(1, "Ada")
    files = sorted(home.home.glob("twin.db*"))
    assert [file.name for file in files] == ["twin.db", "twin.db-shm", "twin.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


OPEN_MANY = """
import sys, time
from pathlib import Path
from twin.store import Store
folder, start = Path(sys.argv[1]), float(sys.argv[2])
for number in range(20):
    time.sleep(max(0, start + number * 0.05 - time.time()))
    with Store.open(folder / f"{number}.db") as store:
        store.add_dialog(1, "Ada")
"""


def test_processes_may_open_a_blank_database_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN_MANY, str(tmp_path), str(time.time() + 2)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [process.communicate(timeout=90)[1] for process in processes]
    assert errors == ["", "", ""]
    assert [process.returncode for process in processes] == [0, 0, 0]


def test_opening_twice_changes_nothing(home: Settings) -> None:
    with Store.open(home.database) as store:
        before = list(store.db.query("select * from _sqlite_migrations"))
    with Store.open(home.database) as store:
        assert list(store.db.query("select * from _sqlite_migrations")) == before


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "twin.db"
    newer = open_database(file)
    newer.execute("insert into _sqlite_migrations (migration_set, name, applied_at) values ('twin', 'm999_x', '')")
    newer.execute("pragma wal_checkpoint(truncate)")
    newer.close()
    before = file.read_bytes()
    with pytest.raises(StoreError, match="was written by a newer version of twin: upgrade twin, or point TWIN_HOME"):
        Store.open(file)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "twin.db"
    file.write_text("a shopping list, and quite a long one at that\n" * 40)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="is encrypted, or is no database: say where its key is"):
        Store.open(file)
    assert file.read_bytes() == before


def test_a_folder_in_the_databases_place_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path)


def test_a_damaged_database_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "twin.db"
    with Store.open(file) as store:
        store.add_dialog(1, "Ada")
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + b"\xff" * 4000 + whole[4100:])
    with pytest.raises(StoreError, match="restore it from a backup"):
        Store.open(file)

"""A build that takes finished conversations from the snapshot before gives what a build from nothing gives."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.test_training_dataset_properties import LONG, START, histories, said
from training import reading
from training.dataset import build
from training.snapshot import Snapshot
from twin.errors import DatasetError
from twin.messages import Message
from twin.sections import DatasetSettings, Privacy
from twin.settings import Settings
from twin.store import Store

CHANGES = ("none", "append", "edit", "delete", "insert", "exclude", "block", "temperature", "gap", "forget derived")


def settings_of(home: Path, **more) -> Settings:
    dataset = {"val_share": 0.15, "test_share": 0.15, "max_repeats": 2, "dialog_temperature": 0.2}
    chosen = {"words": frozenset({"Zanzibar"})} | {k: v for k, v in more.items() if k in ("words", "people")}
    return Settings(
        home=home,
        dataset=DatasetSettings(**dataset | {k: v for k, v in more.items() if k not in chosen}),
        privacy=Privacy(**chosen),
    )


def told(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.fingerprint, snapshot.cuts, snapshot.counts, snapshot.account, snapshot.timing


def outcome(store: Store, chosen: Settings) -> tuple[object, ...] | str:
    try:
        return told(build(store, chosen))
    except DatasetError as error:
        return str(error)


def change(store: Store, how: str, messages: list[Message], more: list[tuple]) -> dict[str, object]:
    """Do something to what is stored, or to the settings, of which the change is returned."""
    late = [replace(m, message_id=m.message_id + 5000, sent_at=m.sent_at + timedelta(days=9)) for m in more]
    some = messages[len(messages) // 3]
    if how == "append":
        store.write_messages(late)
    elif how == "edit":
        store.write_messages([replace(some, text="changed to kim.lee42@example.org", edited_at=some.sent_at)])
    elif how == "delete":
        store.mark_deleted(some.chat_id, [some.message_id], some.sent_at)
    elif how == "insert":
        store.write_messages([replace(some, message_id=9999, text=LONG)])
    elif how == "exclude":
        store.dialog_table.include(8, False)
    elif how == "forget derived":
        for table in ("derived_scrub", "derived_tokens", "derived_kept"):
            store.db.execute(f"delete from {table}")  # noqa: S608
        store.db.conn.commit()
    return {
        "block": {"words": frozenset({"summer"})},
        "temperature": {"dialog_temperature": 1.0, "max_repeats": 0},
        "gap": {"session_gap_minutes": 30},
    }.get(how, {})


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spoken=st.lists(said, min_size=30, max_size=80),
    more=st.lists(said, min_size=1, max_size=12),
    how=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3),
)
def test_whatever_changes_a_rebuild_is_as_good_as_a_build_from_nothing(tmp_path_factory, spoken, more, how):
    home = tmp_path_factory.mktemp("home")
    messages = [message for its in histories(spoken).values() for message in its]
    later = [message for its in histories(more).values() for message in its]
    chosen = settings_of(home)
    with Store.open(home / "twin.db") as store:
        for chat in (7, 8):
            store.add_dialog(chat, None)
        store.write_messages(messages)
        outcome(store, chosen)
        options: dict[str, object] = {}
        for step in how:
            options |= change(store, step, messages, later)
            chosen = settings_of(home, **options)
            again = outcome(store, chosen)
        vault = (home / "vault.json").read_text()
        for table in ("derived_scrub", "derived_kept"):
            store.db.execute(f"delete from {table}")  # noqa: S608
        store.db.conn.commit()
        shutil.rmtree(home / "datasets", ignore_errors=True)
        assert again == outcome(store, chosen)
        assert vault == (home / "vault.json").read_text()
    shutil.rmtree(home)


def long_history(store: Store, days: int = 40) -> None:
    """Daily conversations, some with a secret, some that quote the day before."""
    store.add_dialog(7, "Somebody")
    store.write_messages(
        [
            Message(
                7,
                day * 10 + number + 1,
                START + timedelta(days=day, minutes=number),
                1 if number % 2 else 7,
                bool(number % 2),
                f"{LONG}, says number {day}" if number == 3 else f"word{day}x{number} and nothing else",
                reply_to=(day - 1) * 10 + 2 if number == 4 and day else None,
            )
            for day in range(days)
            for number in range(6)
        ]
    )


@pytest.fixture
def read_messages(monkeypatch) -> list[int]:
    """How many messages each build reads."""
    counts: list[int] = []
    messages = reading._messages

    def counted(*arguments):
        found = messages(*arguments)
        counts.append(len(found))
        return found

    monkeypatch.setattr(reading, "_messages", counted)
    return counts


def test_a_rebuild_reads_only_what_came_after_the_finished_conversations(store, home, read_messages):
    long_history(store)
    first = build(store, home)
    assert sum(read_messages) == 240
    read_messages.clear()
    assert told(build(store, home)) == told(first)
    assert sum(read_messages) < 100
    store.write_messages([Message(7, 5000, START + timedelta(days=60), 1, True, "and one more")])
    read_messages.clear()
    build(store, home)
    assert sum(read_messages) < 100


@pytest.mark.parametrize(
    "statement",
    [
        "update messages set text = 'other words' where message_id = 5",
        "delete from messages where message_id = 5",
        "update messages set deleted_at = sent_at where message_id = 5",
        "insert into messages (chat_id, message_id, sent_at, is_owner, text) select 7, 7777, sent_at, 0, 'new' "
        "from messages where message_id = 5",
        "update messages set sent_at = sent_at + 86400 * 90 where message_id = 5",
    ],
)
def test_no_change_of_an_old_message_goes_unnoticed_whoever_makes_it(store, home, read_messages, statement):
    long_history(store)
    first = build(store, home)
    store.db.execute(statement)
    store.db.conn.commit()
    read_messages.clear()
    assert build(store, home).fingerprint != first.fingerprint
    assert sum(read_messages) >= 239


def test_a_snapshot_that_is_gone_or_damaged_is_not_relied_on(store, home, read_messages):
    long_history(store)
    first = build(store, home)
    (first.folder / "train.jsonl").write_text("{}\n")
    read_messages.clear()
    with pytest.raises(DatasetError, match="was altered"):
        build(store, home)
    shutil.rmtree(first.folder)
    assert told(build(store, home)) == told(first)
    assert sum(read_messages) >= 240


def test_what_changes_while_a_build_runs_is_read_by_the_next_one(store, home, read_messages):
    long_history(store)
    with Store.open(home.database) as other:

        def interfere(what, _share):
            if what == "Balancing":
                other.db.execute("update messages set text = 'changed meanwhile, all of it' where message_id = 5")
                other.db.conn.commit()

        first = build(store, home, on_progress=interfere)
    read_messages.clear()
    second = build(store, home)
    assert sum(read_messages) == 240 and second.fingerprint != first.fingerprint


def test_the_cuts_may_move_back_into_what_was_kept(store, home):
    long_history(store)
    build(store, home)
    earlier = home.model_copy(update={"dataset": DatasetSettings(val_from=START + timedelta(days=10))})
    again = told(build(store, earlier))
    store.db.execute("delete from derived_kept")
    store.db.conn.commit()
    assert told(build(store, earlier)) == again


def test_what_was_withheld_for_balance_is_taught_again_when_it_may_be(store, home):
    long_history(store)
    tight = home.model_copy(update={"dataset": DatasetSettings(dialog_cap=20)})
    assert build(store, tight).account.turns["train"]["dialog share"] > 20
    again = build(store, home)
    assert "dialog share" not in again.account.turns["train"]
    assert not any(turn.withheld == "dialog share" for s in again.sessions("train") for turn in s.turns)
    assert again.counts["train"].supervised_turns == sum(s.supervisable_turns for s in again.sessions("train"))

"""From a source into the database: nothing twice, nothing lost uncounted, all or nothing."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import pipeline
from ingest.pipeline import IngestReport, ingest
from ingest.source import Incoming, Owner, Tally
from tests.exports import ANNA, BORIS, NOON, OWNER, chat, full, opened, said, small_talk, without, write
from twin.errors import IngestError, StoreError
from twin.jobs import RETRAIN, JobQueue
from twin.messages import Message
from twin.settings import Settings
from twin.store import Store, Written


def bring(folder: Path, store: Store, export: Any, **options: Any) -> IngestReport:
    return ingest(opened(write(folder, export), **options), store)


def rows(store: Store) -> list[tuple[Any, ...]]:
    tables = ("dialogs", "messages", "ingest_runs")
    return [row for table in tables for row in store.db.execute(f"select * from {table} order by 1, 2")]  # noqa: S608


def test_everything_comes_in_and_is_accounted_for(tmp_path: Path, store: Store) -> None:
    report = bring(
        tmp_path, store, full(chat([*small_talk(), said(9, type="service")]), chat(small_talk(BORIS), BORIS))
    )
    assert report.written == Written(added=12, updated=0, unchanged=0)
    assert (report.messages, report.owner_messages, report.skipped) == (12, 6, {"service message": 1})
    assert report.first_at == datetime.fromtimestamp(NOON + 10, UTC)
    assert report.last_at == datetime.fromtimestamp(NOON + 60, UTC)
    assert [(dialog.name, dialog.messages) for dialog in store.dialogs()] == [("Anna", 6), ("Anna", 6)]


def test_a_dialog_comes_in_with_the_language_that_is_spoken_there(tmp_path: Path, store: Store) -> None:
    german = [said(n, text=f"Das ist heute schon die Nachricht, die ich dir schreiben wollte {n}") for n in range(1, 9)]
    bring(tmp_path, store, full(chat(german), chat(small_talk(BORIS), BORIS)))
    assert {dialog.chat_id: dialog.language for dialog in store.dialogs()} == {ANNA: "de", BORIS: None}


def test_the_same_again_changes_no_message(tmp_path: Path, store: Store) -> None:
    export = full(chat(small_talk()))
    bring(tmp_path, store, export)
    before = store.messages(ANNA)
    assert bring(tmp_path, store, export).written == Written(0, 0, 6)
    assert store.messages(ANNA) == before


def test_an_edit_updates_its_row_and_a_new_message_is_added(tmp_path: Path, store: Store) -> None:
    bring(tmp_path, store, chat(small_talk()))
    edited = [*small_talk(count=5), said(6, text="edited", edited_unixtime=str(NOON + 99)), said(7)]
    assert bring(tmp_path, store, chat(edited)).written == Written(1, 1, 5)
    assert store.messages(ANNA)[5].text == "edited"


def test_every_run_leaves_its_record(tmp_path: Path, store: Store) -> None:
    bring(tmp_path, store, chat([*small_talk(), said(9, text="")]))
    (run,) = store.db.query("select * from ingest_runs")
    assert (run["source"], run["owner_id"], run["added"]) == ("telegram-desktop result.json", OWNER, 6)
    assert run["skipped"] == '{"empty": 1}'


def test_a_dialog_of_which_nothing_comes_in_is_not_made(tmp_path: Path, store: Store) -> None:
    bring(tmp_path, store, full(chat(small_talk()), chat([said(9, type="service")], BORIS)))
    assert [dialog.chat_id for dialog in store.dialogs()] == [ANNA]


def test_an_export_without_a_message_of_the_owner_leaves_nothing(tmp_path: Path, store: Store) -> None:
    with pytest.raises(IngestError, match=r"No message is by the owner.*--owner-id"):
        bring(tmp_path, store, full(chat(small_talk()), owner=5))
    assert rows(store) == []


def test_two_peoples_histories_are_not_mixed_by_accident(tmp_path: Path, store: Store) -> None:
    bring(tmp_path, store, full(chat(small_talk())))
    other = full(chat([said(1, 5), said(2, ANNA)]), owner=5)
    with pytest.raises(IngestError, match="--owner-id 5"):
        bring(tmp_path, store, other)
    assert len(store.messages(ANNA)) == 6
    assert bring(tmp_path, store, other, asked=5).owner_messages == 1


class BreaksOff:
    """A source that fails after some messages."""

    name = "broken"
    owner = Owner(OWNER, "the test")

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.tally = Tally()

    def dialogs(self) -> Iterator[Incoming]:
        yield Incoming(ANNA, "Anna", self._messages())

    def _messages(self) -> Iterator[Message]:
        for number in range(1, 8):
            yield Message(ANNA, number, datetime.fromtimestamp(NOON, UTC), OWNER, True, "kept?")
        raise self.error


@pytest.mark.parametrize("error", [IngestError("broke off", "try again"), KeyboardInterrupt(), RuntimeError()])
def test_a_source_that_breaks_off_leaves_the_database_as_it_was(
    tmp_path: Path, store: Store, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "BATCH", 2)
    bring(tmp_path, store, chat(small_talk(count=2)))
    before = rows(store)
    with pytest.raises(type(error)):
        ingest(BreaksOff(error), store)
    assert rows(store) == before


class LooksAside:
    """A source that does something else between two of its messages."""

    name = "slow"
    owner = Owner(OWNER, "the test")

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.tally = Tally()

    def dialogs(self) -> Iterator[Incoming]:
        yield Incoming(ANNA, "Anna", self._messages())

    def _messages(self) -> Iterator[Message]:
        for number in range(1, 8):
            yield Message(ANNA, number, datetime.fromtimestamp(NOON, UTC), OWNER, True, "kept")
            if number == 5:
                self.act()


def test_others_write_at_once_while_a_source_is_read(
    home: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "BATCH", 2)

    def write_elsewhere() -> None:
        with Store.open(home.database) as other:
            other.db.execute("pragma busy_timeout = 0")
            assert other.message_count() == 0
            JobQueue(other.db).enqueue(RETRAIN, "the bot", 1.0)

    assert ingest(LooksAside(write_elsewhere), store).written == Written(7, 0, 0)
    assert JobQueue(store.db).open_job(RETRAIN) is not None


def test_anothers_history_that_came_in_meanwhile_is_not_mixed_either(home: Settings, store: Store) -> None:
    def be_overtaken() -> None:
        with Store.open(home.database) as other:
            other.record_ingest("quicker", 5, Written(), {})

    with pytest.raises(IngestError, match="holds the history of user 5"):
        ingest(LooksAside(be_overtaken), store)
    assert store.message_count() == 0


def test_of_a_message_that_stands_twice_in_a_file_the_later_edit_stays(tmp_path: Path, store: Store) -> None:
    newer = said(1, text="newer", edited_unixtime=str(NOON + 99))
    older = said(1, text="older", edited_unixtime=str(NOON + 50))
    assert bring(tmp_path, store, chat([older, newer, older])).written == Written(1, 1, 1)
    assert [message.text for message in store.messages(ANNA)] == ["newer"]


def test_a_database_that_refuses_is_explained(tmp_path: Path, store: Store) -> None:
    store.db.execute("create trigger full_disk before insert on messages begin select raise(abort, 'disk full'); end")
    with pytest.raises(StoreError, match=r"disk full.*as it was"):
        bring(tmp_path, store, chat(small_talk()))
    assert rows(store) == []


ODD = st.sampled_from([None, True, -1, 0, 2**64, 1.5, "", "x", [], {}, "user7", [{"type": "plain"}]])
MESSAGE = st.builds(
    lambda raw, keys, odd: without(raw, *keys) | odd,
    st.builds(said, st.integers(1, 12), st.sampled_from([OWNER, ANNA]), st.sampled_from(["", "marzipan", "да", "好"])),
    st.sets(st.sampled_from(["id", "date", "date_unixtime", "from_id", "from", "text", "type"]), max_size=2),
    st.dictionaries(
        st.sampled_from(["id", "date_unixtime", "from_id", "text", "type", "reply_to_message_id", "media_type"]),
        ODD,
        max_size=2,
    ),
)
KINDS = st.sampled_from(["personal_chat", "bot_chat", "private_group", "saved_messages", "news", None])
CHAT = st.builds(chat, st.lists(MESSAGE | ODD, max_size=8), st.sampled_from([ANNA, BORIS]), st.just("Anna"), KINDS)


@given(st.lists(CHAT, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_every_message_in_the_file_is_stored_or_counted_and_a_second_run_adds_nothing(
    tmp_path: Path, home: Any, chats: list[Any]
) -> None:
    everything = [*copy.deepcopy(chats), chat([said(99)], BORIS, "Boris")]
    in_file = sum(len(c["messages"]) for c in everything)
    (home.home / "one.db").unlink(missing_ok=True)
    with Store.open(home.home / "one.db") as store:
        report = bring(tmp_path, store, full(*everything))
        stored = [message for dialog in store.dialogs() for message in store.messages(dialog.chat_id)]
        again = bring(tmp_path, store, full(*everything))
        assert report.messages + Counter(report.skipped).total() == in_file
        assert len(stored) == report.written.added == store.message_count()
        assert again.written.added == 0

"""The snapshot: split by time, complete, immutable, and the same on every machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.dataset import SPLITS, build, find_cuts, load, newest
from twin.conversations import sessions
from twin.errors import DatasetError
from twin.messages import Message
from twin.sections import DatasetSettings
from twin.settings import Settings
from twin.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)


def message(number: int, minutes: float, owner: bool, text: str | None = None, chat: int = 7, **more) -> Message:
    return Message(
        chat, number, START + timedelta(minutes=minutes), 1 if owner else chat, owner, text or f"m{number}", **more
    )


def talk(store: Store, days: int, chat: int = 7, a_day: int = 6) -> None:
    """Every day one conversation: them, you, them, you ..."""
    store.add_dialog(chat, "someone")
    store.write_messages(
        [
            message(day * a_day + n + 1, day * 1440 + n, bool(n % 2), chat=chat)
            for day in range(days)
            for n in range(a_day)
        ]
    )


def test_held_out_parts_are_later_than_everything_learned_and_start_with_a_conversation(store, home):
    talk(store, 40)
    snapshot = build(store, home)
    times = {
        split: [turn.started_at for session in snapshot.sessions(split) for turn in session.turns] for split in SPLITS
    }
    assert max(times["train"]) < snapshot.cuts.val_from == min(times["val"])
    assert max(times["val"]) < snapshot.cuts.test_from == min(times["test"])
    assert {s: c.supervised_turns for s, c in snapshot.counts.items()} == {"train": 96, "val": 12, "test": 12}


def test_cuts_may_be_set_and_are_the_same_for_every_dialog(store, home):
    talk(store, 10, chat=7)
    talk(store, 10, chat=8)
    chosen = DatasetSettings(val_from=START + timedelta(days=6), test_from=START + timedelta(days=8))
    counts = build(store, home.model_copy(update={"dataset": chosen})).counts
    assert [counts[split].sessions for split in SPLITS] == [12, 4, 4]


def test_cuts_in_the_wrong_order_are_refused(store, home):
    talk(store, 10)
    with pytest.raises(DatasetError, match="exchange them"):
        wrong = DatasetSettings(val_from=START + timedelta(days=8), test_from=START + timedelta(days=3))
        build(store, home.model_copy(update={"dataset": wrong}))


def test_one_endless_conversation_is_cut_inside(store, home):
    talk(store, 1, a_day=100)
    counts = build(store, home).counts
    assert [counts[split].supervised_turns for split in SPLITS] == [41, 4, 5]


def test_the_same_messages_give_the_same_fingerprint_and_leave_the_snapshot_alone(store, home, tmp_path):
    talk(store, 12)
    first = build(store, home)
    stamp = (first.folder / "train.jsonl").stat().st_mtime_ns
    assert build(store, home) == first
    assert (first.folder / "train.jsonl").stat().st_mtime_ns == stamp
    with Store.open(tmp_path / "other.db") as other:
        talk(other, 12)
        assert build(other, home.model_copy(update={"home": tmp_path / "elsewhere"})).fingerprint == first.fingerprint
    store.write_messages([message(9999, 12 * 1440, False), message(10000, 12 * 1440 + 1, True)])
    assert build(store, home).fingerprint != first.fingerprint
    assert load(home.datasets, first.fingerprint) == first


def test_the_newest_snapshot_is_the_one_built_last(store, home):
    talk(store, 12)
    first = build(store, home)
    talk(store, 14)
    second = build(store, home)
    assert newest(home.datasets) == second != first


def test_an_altered_or_missing_snapshot_is_refused(store, home):
    with pytest.raises(DatasetError, match="No dataset was built yet"):
        newest(home.datasets)
    talk(store, 12)
    snapshot = build(store, home)
    with (snapshot.folder / "train.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(DatasetError, match="was altered"):
        load(home.datasets, snapshot.fingerprint)
    (snapshot.folder / "manifest.json").write_text("{")
    with pytest.raises(DatasetError, match="is damaged"):
        load(home.datasets, snapshot.fingerprint)
    with pytest.raises(DatasetError, match="There is no dataset 'nope'"):
        load(home.datasets, "nope")


@pytest.mark.parametrize("days", [0, 1])
def test_too_little_to_learn_from_is_said(store, home, days):
    talk(store, days, a_day=4)
    with pytest.raises(DatasetError, match="too few replies of yours"):
        build(store, home)
    assert not home.datasets.exists()


def test_media_and_forwards_are_context_but_not_supervised_and_are_counted(store, home):
    talk(store, 20)
    store.write_messages(
        [
            message(5001, 3000 * 10, False),
            message(5002, 3000 * 10 + 1, True, "", media="photo"),
            message(5003, 3000 * 10 + 2, False),
            message(5004, 3000 * 10 + 3, True, "a forwarded text", forwarded_from="x"),
        ]
    )
    snapshot = build(store, home)
    assert sum(turns.get("not own words", 0) for turns in snapshot.account.turns.values()) == 2


spoken = st.lists(
    st.tuples(st.booleans(), st.integers(0, 200), st.booleans()),
    min_size=8,
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoken)
def test_every_owner_turn_lands_in_exactly_one_part_or_is_counted(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("h")
    clock, messages = 0, []
    for number, (owner, gap, is_media) in enumerate(said):
        clock += gap
        messages.append(message(number + 1, clock, owner, media="photo" if is_media else None))
    with Store.open(folder / "twin.db") as store:
        store.add_dialog(7, None)
        store.write_messages(messages)
        try:
            snapshot = build(store, Settings(home=folder))
        except DatasetError:
            return
    shown = [b.text for split in SPLITS for s in snapshot.sessions(split) for t in s.turns for b in t.bubbles]
    assert len(shown) == len(messages) == snapshot.account.messages["shown"]
    latest_learned = max(t.ended_at for s in snapshot.sessions("train") for t in s.turns)
    assert latest_learned < snapshot.cuts.val_from <= snapshot.cuts.test_from
    assert snapshot.counts["train"].supervised_turns and snapshot.counts["val"].supervised_turns


def test_a_large_history_holds_out_no_more_than_the_limit():
    found = sessions([message(n, n * 61.0, bool(n % 2)) for n in range(4000)], timedelta(minutes=90))
    cuts = find_cuts(found, DatasetSettings(max_held_out_turns=50))
    moments = [t.started_at for s in found for t in s.turns if t.is_supervisable]
    assert sum(m >= cuts.test_from for m in moments) == 50
    assert sum(cuts.val_from <= m < cuts.test_from for m in moments) == 50


def test_an_answer_after_a_long_silence_is_known_by_its_question_and_a_name_brings_no_secret(store, home):
    talk(store, 40)
    store.add_dialog(9, "Anna +1 (415) 555-2671")
    asked = 2 * 1440 + 300
    store.write_messages(
        [
            message(1, asked, False, "what's the wifi password?", chat=9),
            message(2, asked + 90, True, "purplerain2024", chat=9),
            message(3, asked + 91, True, "see you", chat=9),
        ]
    )
    named = home.model_copy(update={"dataset": DatasetSettings(peer="name")})
    folder = build(store, named).folder
    everything = "".join(path.read_text() for path in folder.iterdir() if path.is_file())
    assert "see you" in everything
    assert "purplerain2024" not in everything
    assert "555-2671" not in everything
    assert "Anna [phone]" in everything

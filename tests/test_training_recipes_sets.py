"""Sets: all rows or none, mixed in by weight, the same on every machine."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.recipes.sets import SetRow, Sets
from twin.errors import DatasetError
from twin.messages import Bubble, Session, Turn

NOW = datetime(2025, 1, 1, tzinfo=UTC)
KNOWN_HALF = ["question 1", "question 2", "question 3", "question 5"]


def row(number: int, **more) -> SetRow:
    return SetRow((Turn.of("other", [f"question {number}"]), Turn.of("owner", [f"answer {number}", "🙂\n↵"])), **more)


def put(store, name: str = "friends", count: int = 3, **more) -> Sets:
    sets = Sets(store.db)
    sets.put(name, [row(number) for number in range(count)], kind="qa", now=NOW, **more)
    return sets


def test_a_set_is_listed_with_its_counts_and_its_rows_come_back(store):
    sets = put(store, source="x.jsonl")
    (info,) = sets.all()
    assert (info.name, info.kind, info.weight, info.source, info.added_at) == ("friends", "qa", 1.0, "x.jsonl", NOW)
    assert (info.rows, info.owner_turns) == (3, 3)
    assert info.characters == 3 * (len("answer 0") + 1 + len("🙂\n↵") + 1)
    assert list(sets.rows("friends")) == [row(number) for number in range(3)]


def test_what_is_withheld_or_no_own_words_stays_so(store):
    turns = (
        Turn("other", (Bubble("hey"),)),
        Turn("owner", (Bubble("[photo]", authored=False), Bubble("look"))),
        Turn("other", (Bubble("the code?"),)),
        Turn("owner", (Bubble("1234"),), withheld="secret"),
    )
    sets = Sets(store.db)
    sets.put("mixed", [SetRow(turns, system="be kind", chats=(7, 9))], kind="openai", now=NOW)
    assert list(sets.rows("mixed")) == [SetRow(turns, "be kind", (7, 9))]
    assert (sets.find("mixed").owner_turns, sets.find("mixed").characters) == (1, 5)


def test_sessions_carry_their_sets_name_and_no_times(store):
    (found,) = put(store, count=1).sessions()
    assert found == Session(0, row(0).turns, origin="friends")
    assert all(turn.started_at is None for turn in found.turns)


@pytest.mark.parametrize(("weight", "expected"), [(0, 0), (1, 40), (2, 80), (3.0, 120)])
def test_whole_weights_repeat_every_row(store, weight, expected):
    found = list(put(store, count=40, weight=weight).sessions())
    assert len(found) == expected
    assert set(Counter(session.turns for session in found).values()) <= {weight}


def test_a_fraction_takes_the_same_rows_on_every_machine_and_a_larger_one_more_of_them(store):
    sets = put(store, count=400)

    def taken(weight: float) -> list[Session]:
        sets.weigh("friends", weight)
        return list(sets.sessions())

    half, more = taken(0.5), taken(0.8)
    assert 160 < len(half) < 240 and 290 < len(more) < 350
    assert set(half) < set(more)
    assert [session.turns[0].bubbles[0].text for session in half[:4]] == KNOWN_HALF, "as on every machine"
    assert len(taken(1.5)) == 400 + len(half)


def test_the_rows_of_a_fraction_stay_when_others_come(store):
    sets = put(store, count=50, weight=0.5)
    before = list(sets.sessions())
    sets.put("friends", [row(number) for number in (*range(1000, 1030), *range(50))], kind="qa", now=NOW)
    assert [session for session in sets.sessions() if session in before] == before
    assert sets.find("friends").weight == 0.5, "a set that is replaced keeps its weight"


def test_an_error_half_way_leaves_the_set_as_it_was(store):
    sets = put(store)

    def broken():
        yield from (row(number) for number in range(2500))
        raise ValueError

    with pytest.raises(ValueError):
        sets.put("friends", broken(), kind="qa", now=NOW)
    with pytest.raises(ValueError):
        sets.put("new", broken(), kind="qa", now=NOW)
    assert [(info.name, info.rows) for info in sets.all()] == [("friends", 3)]
    sets.put("friends", [row(9)], kind="qa", now=NOW)
    assert list(sets.rows("friends")) == [row(9)]


def test_rows_that_take_long_lock_nothing(home, store):
    from twin.store import Store

    sets = Sets(store.db)

    def slow():
        yield from (row(number) for number in range(1500))
        with Store.open(home.database) as other:
            other.db.execute("insert into dialogs (chat_id, kind) values (1, 'person')")
        yield row(1500)

    assert sets.put("slow", slow(), kind="qa", now=NOW).rows == 1501
    assert store.db.table("dialogs").count == 1


def test_a_removed_set_is_gone_and_an_unknown_one_is_said(store):
    sets = put(store)
    assert sets.remove("friends").rows == 3
    assert sets.all() == [] and list(sets.sessions()) == []
    assert store.db.table("set_rows").count == 0
    for ask in (lambda: sets.remove("friends"), lambda: list(sets.rows("friends")), lambda: sets.weigh("friends", 1)):
        with pytest.raises(DatasetError, match="no set of that name: `twin dataset sets list`"):
            ask()


@pytest.mark.parametrize("name", ["", "telegram", "a b", "../x", "-x", "x" * 65, "a\n"])
def test_odd_names_are_refused(store, name):
    with pytest.raises(DatasetError, match="cannot be the name of a set"):
        put(store, name)


@pytest.mark.parametrize("weight", [-1, 101, float("nan"), float("inf")])
def test_odd_weights_are_refused(store, weight):
    with pytest.raises(DatasetError, match="cannot be a weight"):
        put(store, weight=weight)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
turns = st.builds(
    Turn,
    st.sampled_from(["owner", "other"]),
    st.lists(st.builds(Bubble, words, st.booleans()), min_size=1, max_size=3).map(tuple),
    withheld=st.sampled_from([None, "secret"]),
)
rows = st.lists(st.builds(SetRow, st.lists(turns, min_size=1, max_size=4).map(tuple), words), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_any_rows_come_back_as_they_were(store, found):
    sets = Sets(store.db)
    info = sets.put("any", found, kind="qa", now=NOW)
    assert list(sets.rows("any")) == found
    learned = [turn for each in found for turn in each.turns if turn.is_supervisable]
    assert (info.rows, info.owner_turns) == (len(found), len(learned))
    assert info.characters == sum(turn.characters for turn in learned)

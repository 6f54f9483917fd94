"""What Telegram still holds, against what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from twin.cursors import Cursor, Cursors
from twin.messages import Message
from twin.presence import Stored, chats_of, correct, gone, newest_of, stored_between, stored_of
from twin.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)


def filled(store: Store, chat_id: int, *numbers: int) -> None:
    store.add_dialog(chat_id, None)
    store.write_messages([Message(chat_id, n, START + timedelta(days=n), 7, False, "hi") for n in numbers])


def test_stored_rows_are_found_by_range_and_by_id_with_their_marks(store: Store) -> None:
    filled(store, 1, 2, 4, 6)
    filled(store, 2, 3)
    store.mark_deleted(1, [4], START)
    at = int((START + timedelta(days=4)).timestamp())
    assert stored_between(store.db, 1, 3, 6)[4] == Stored(at, True, False)
    assert stored_between(store.db, 1, 3, 6).keys() == {4, 6}
    assert stored_of(store.db, 1, [2, 3, 6, 6]).keys() == {2, 6}
    assert stored_of(store.db, 1, []) == {}
    assert newest_of(store.db, 1) == (6, int((START + timedelta(days=6)).timestamp()))
    assert newest_of(store.db, 9) == (0, 0)


def test_ids_are_looked_for_only_in_dialogs_of_the_live_account(store: Store) -> None:
    filled(store, 1, 2)
    filled(store, -5, 2, 3)  # from another messenger, with ids of its own
    Cursors(store.db).move(1, None, Cursor(2, 2), 100, START)
    assert chats_of(store.db, [2, 3]) == {2: 1}


def test_what_telegram_contradicts_is_taken_back(store: Store) -> None:
    filled(store, 1, 1, 2, 3)
    store.mark_deleted(1, [1, 2], START)
    store.db.execute("update messages set reactions = '[]' where message_id in (2, 3)")
    rows = stored_between(store.db, 1, 1, 3)
    assert correct(store.db, 1, rows, {1: False, 2: False, 3: True, 9: False}) == 3
    after = stored_between(store.db, 1, 1, 3)
    assert [row.is_deleted for row in after.values()] == [False] * 3
    assert [row.has_reactions for row in after.values()] == [False, False, True]
    assert correct(store.db, 1, after, {1: False, 2: False, 3: True}) == 0


ROWS = st.dictionaries(
    st.integers(1, 9), st.builds(Stored, st.sampled_from([1, 100, 200]), st.booleans(), st.booleans())
)


@given(ROWS, st.sets(st.integers(1, 9)), st.sampled_from([None, 0, 100, 101]))
def test_gone_is_what_is_stored_young_unmarked_and_not_there(
    rows: dict[int, Stored], standing: set[int], since: int | None
) -> None:
    found = gone(rows, standing, None if since is None else datetime.fromtimestamp(since, UTC))
    assert set(found) == {
        number
        for number, row in rows.items()
        if number not in standing and not row.is_deleted and row.sent_at >= (since or 0)
    }

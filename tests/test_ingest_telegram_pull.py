"""Dialogs of the live account into the database: both directions, edits, deletions, cursors, what is left out."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from ingest.telegram_account import RemoteDialog
from ingest.telegram_pull import Pull, Pulled
from ingest.telegram_rows import Rows
from ingest.telethon_account import TelethonAccount
from ingest.telethon_client import make_client
from tests.exports import ANNA, BORIS, OWNER
from tests.telegram_objects import reactions, said, service
from tests.telegram_server import API_HASH, API_ID, Server, client_of, session_text, talk
from twin.cursors import Cursor, Cursors
from twin.errors import AccountError, StoreError
from twin.messages import Message
from twin.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARZIPAN = timedelta(minutes=1)


async def no_wait(seconds: float, why: str) -> None:
    await asyncio.sleep(0)


def pull(
    server: Server,
    store: Store,
    *,
    days: float = 10_000,
    now: datetime = NOW,
    takeout: bool = False,
    on_page: Callable[[Pulled], None] = lambda _: None,
    only: Iterable[int] = (ANNA, BORIS),
) -> dict[int, Pulled]:
    """One whole run over the account; what became of each dialog."""

    async def run() -> dict[int, Pulled]:
        account = TelethonAccount(client_of(server, make_client(session_text(), API_ID, API_HASH)), no_wait)
        await account.connect()
        try:
            since = now - timedelta(days=days)
            work = Pull(account, Rows(store, OWNER, since, lambda: now), since, on_page)
            await work.run([one for one in await account.dialogs() if one.chat_id in set(only)], takeout=takeout)
            return work.pulled
        finally:
            await account.close()

    return asyncio.run(run())


def texts(store: Store, chat_id: int = ANNA) -> dict[int, str]:
    return {message.message_id: message.text for message in store.messages(chat_id)}


def stored(store: Store, number: int, chat_id: int = ANNA) -> Message:
    return next(message for message in store.messages(chat_id) if message.message_id == number)


@pytest.fixture(params=[False, True], ids=["shrinking", "filling"])
def server(request: pytest.FixtureRequest) -> Server:
    """Anna's dialog of three pages and Boris's of one."""
    server = Server(fills=request.param)
    talk(server, ANNA, 250)
    talk(server, BORIS, 5)
    return server


def test_a_first_pull_brings_everything_and_the_second_asks_for_nothing_more(server: Server, store: Store) -> None:
    first = pull(server, store, days=0)
    assert texts(store) == {number: one.message for number, one in server.histories[ANNA].items()}
    assert (first[ANNA].counts.added, first[BORIS].counts.added) == (250, 5)
    assert first[ANNA].is_complete and first[ANNA].total == 250
    assert Cursors(store.db).get(ANNA) == Cursor(min(server.histories[ANNA]), max(server.histories[ANNA]), True)
    server.requests.clear()
    second = pull(server, store, days=0)
    assert "GetHistory" not in server.requests
    assert [pulled.counts.changed for pulled in second.values()] == [0, 0]


def test_who_is_talked_to_is_known_with_name_username_and_language(server: Server, store: Store) -> None:
    for number in range(40):
        server.add(said(server.last_id + 1, f"Heute backen wir wieder einen schönen Kuchen mit Nüssen {number}"))
    pull(server, store)
    (anna,) = [dialog for dialog in store.dialogs() if dialog.chat_id == ANNA]
    assert (anna.name, anna.username, anna.language) == ("Anna", "anna_a", "de")


def test_what_is_new_comes_in_order_over_several_pages(server: Server, store: Store) -> None:
    pull(server, store, days=0)
    talk(server, ANNA, 230)
    seen: list[int] = []
    pulled = pull(server, store, days=0, on_page=lambda one: seen.append(one.read))
    assert pulled[ANNA].counts.added == 230
    assert seen == [100, 200, 230]
    assert set(texts(store)) == set(server.histories[ANNA])
    assert server.requests.count("GetHistory") == 5 + 3  # first: three pages, an empty one, and Boris's


def test_a_pull_that_is_cut_short_goes_on_where_it_was_in_both_directions(server: Server, store: Store) -> None:
    count = 0

    def cut(request: Any) -> None:
        nonlocal count
        count += isinstance(request, functions.messages.GetHistoryRequest)
        if count == 3:
            raise errors.AuthKeyUnregisteredError(request)

    server.before = cut
    with pytest.raises(AccountError):
        pull(server, store, days=0)
    newest = max(server.histories[ANNA])
    cursor = Cursors(store.db).get(ANNA)
    assert cursor is not None and cursor.newest_id == newest and not cursor.is_complete
    server.before = lambda _: None
    talk(server, ANNA, 130)
    again = pull(server, store, days=0)
    assert set(texts(store)) == set(server.histories[ANNA])
    assert again[ANNA].counts.unchanged == 0  # nothing was read twice
    assert Cursors(store.db).get(ANNA) == Cursor(min(server.histories[ANNA]), max(server.histories[ANNA]), True)


def test_rows_and_cursor_stand_or_fall_together(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> bool:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(Cursors, "move", refuse)
    with pytest.raises(StoreError, match=r"disk full.*nothing that came in is lost"):
        pull(server, store)
    assert store.message_count() == 0
    assert store.dialogs() == []


def test_two_runs_at_once_leave_no_gap(server: Server, store: Store) -> None:
    """A cursor that another process moved meanwhile is not moved from where it no longer is."""
    cursors, at = Cursors(store.db), NOW
    assert cursors.move(ANNA, None, Cursor(10, 20), OWNER, at)
    assert not cursors.move(ANNA, None, Cursor(50, 60), OWNER, at)
    assert not cursors.move(ANNA, Cursor(11, 20), Cursor(5, 20), OWNER, at)
    assert cursors.get(ANNA) == Cursor(10, 20)
    assert cursors.move(ANNA, Cursor(10, 20), Cursor(1, 20, True), OWNER, at)
    assert cursors.all() == {ANNA: Cursor(1, 20, True)} and cursors.owner() == OWNER


def test_an_edit_in_the_window_updates_its_row_and_keeps_what_it_said_first(server: Server, store: Store) -> None:
    pull(server, store)
    number = list(server.histories[ANNA])[-150]  # on the second page
    server.edit(ANNA, number, "nougat", NOW)
    assert pull(server, store)[ANNA].counts.updated == 1
    message = stored(store, number)
    assert (message.text, message.first_text, message.edited_at) == ("nougat", f"marzipan {number}", NOW)


def test_an_edit_before_the_window_is_not_looked_for(server: Server, store: Store) -> None:
    pull(server, store)
    number = next(iter(server.histories[ANNA]))
    server.edit(ANNA, number, "nougat", NOW)
    sent = server.histories[ANNA][max(server.histories[ANNA])].date
    server.requests.clear()
    pull(server, store, now=sent + timedelta(days=1), days=1.01)
    assert server.requests.count("GetHistory") == 2  # the newest page of each dialog
    assert stored(store, number).text == f"marzipan {number}"


def test_what_was_deleted_in_the_window_is_marked_and_stays(server: Server, store: Store) -> None:
    pull(server, store)
    numbers = list(server.histories[ANNA])
    doomed = [numbers[0], numbers[100], numbers[101], numbers[-1]]
    server.delete(ANNA, *doomed)
    pulled = pull(server, store)
    assert pulled[ANNA].counts.deleted == 4
    assert {message.message_id for message in store.messages(ANNA) if message.deleted_at == NOW} == set(doomed)
    assert store.message_count() == 255
    assert pull(server, store)[ANNA].counts.deleted == 0


def test_a_history_that_was_cleared_long_after_it_was_said_stays_as_it_is(server: Server, store: Store) -> None:
    pull(server, store)
    server.delete(ANNA, *list(server.histories[ANNA])[:-1])
    assert pull(server, store, days=2)[ANNA].counts.deleted == 0
    assert all(message.deleted_at is None for message in store.messages(ANNA))


def test_what_was_taken_for_deleted_and_stands_is_taken_back(server: Server, store: Store) -> None:
    pull(server, store)
    number = next(iter(server.histories[ANNA]))
    store.mark_deleted(ANNA, [number], NOW)
    assert pull(server, store)[ANNA].counts.updated == 1
    assert stored(store, number).deleted_at is None


def test_reactions_come_change_and_go(server: Server, store: Store) -> None:
    number = next(iter(server.histories[ANNA]))
    server.react(ANNA, number, reactions(("👍", [ANNA])), NOW)
    pull(server, store)
    assert stored(store, number).reactions == '[{"emoji":"👍","by_owner":false,"by_other":true}]'
    server.react(ANNA, number, reactions(("👍", [ANNA, OWNER])))
    assert pull(server, store)[ANNA].counts.updated == 1
    server.react(ANNA, number, None)
    assert pull(server, store)[ANNA].counts.updated == 1
    message = stored(store, number)
    assert (message.reactions, message.edited_at, message.first_text) == (None, None, None)


def test_what_is_not_stored_is_counted_once_under_its_reason(server: Server, store: Store) -> None:
    server.add(service(server.last_id + 1), said(server.last_id + 2, "x", ttl_period=5))
    server.add(said(server.last_id + 1, ""), types.MessageEmpty(server.last_id + 2, types.PeerUser(ANNA)))
    first = pull(server, store, days=0)
    assert first[ANNA].counts.skipped == {
        "service message": 1,
        "self-destructing": 1,
        "empty": 1,
        "deleted meanwhile": 1,
    }
    assert first[ANNA].counts.added + first[ANNA].counts.skipped.total() == first[ANNA].read == 254
    assert pull(server, store, days=0)[ANNA].counts.skipped == {}


def test_what_the_owner_forgot_is_never_stored_again(server: Server, store: Store) -> None:
    numbers = list(server.histories[ANNA])
    before = server.histories[ANNA][numbers[50]].date
    store.db.table("forgotten").insert({"chat_id": ANNA, "before": int(before.timestamp()), "forgotten_at": 1.0})
    counts = pull(server, store)[ANNA].counts
    assert (counts.added, counts.skipped) == (200, {"forgotten by you": 50})
    assert set(texts(store)) == set(numbers[50:])
    again = pull(server, store)[ANNA].counts
    assert (again.added, again.unchanged, again.skipped) == (0, 200, {"forgotten by you": 50})


def test_a_dialog_of_which_nothing_is_stored_is_not_made(store: Store) -> None:
    server = Server()
    server.add(service(1))
    assert pull(server, store)[ANNA].counts.skipped == {"service message": 1}
    assert store.dialogs() == []
    assert Cursors(store.db).get(ANNA) == Cursor(1, 1, True)


def test_a_dialog_that_telegram_refuses_keeps_nobody_waiting(server: Server, store: Store) -> None:
    def refuse(request: Any) -> None:
        if isinstance(request, functions.messages.GetHistoryRequest) and request.peer.user_id == BORIS:
            raise errors.PeerIdInvalidError(request)

    server.before = refuse
    pulled = pull(server, store)
    assert "Telegram refused" in str(pulled[BORIS].refusal)
    assert pulled[ANNA].counts.added == 250


def test_a_first_pull_goes_by_takeout_and_ends_it_well(server: Server, store: Store) -> None:
    pull(server, store, takeout=True)
    assert server.takeouts == {1: True}
    assert server.counted["in takeout"] == 5 + 1
    assert store.message_count() == 255


def test_a_takeout_that_telegram_ends_early_is_done_without(server: Server, store: Store) -> None:
    def end(request: Any) -> None:
        if server.requests.count("GetHistory") == 3:
            server.takeouts.clear()

    server.before = end
    pull(server, store, takeout=True)
    assert store.message_count() == 255
    assert server.counted["outside"] >= 3


def test_rows_of_an_export_that_telegram_no_longer_has_are_marked_if_they_are_young(
    server: Server, store: Store
) -> None:
    store.add_dialog(ANNA, "Anna")
    ghosts = [2, server.last_id + 50]  # ids that Telegram does not have: between two others, and after all of them
    assert 2 not in server.histories[ANNA] and 5 not in server.histories[ANNA]
    store.write_messages([Message(ANNA, number, NOW - MARZIPAN, ANNA, False, "boo") for number in ghosts])
    store.write_messages([Message(ANNA, 5, NOW - timedelta(days=90), ANNA, False, "boo")])
    counts = pull(server, store, days=2)[ANNA].counts
    assert counts.deleted == 2
    assert [message.message_id for message in store.messages(ANNA) if message.deleted_at] == ghosts
    server.requests.clear()
    assert pull(server, store, days=0)[ANNA].counts.deleted == 0


def test_an_empty_dialog_has_a_cursor_from_which_it_goes_on(store: Store) -> None:
    server = Server()
    talk(server, ANNA, 3)
    only = RemoteDialog(ANNA, "Anna", None, 0, None, types.InputPeerUser(ANNA, ANNA * 7))
    full = dict(server.histories[ANNA])

    async def run(dialog: RemoteDialog) -> None:
        account = TelethonAccount(client_of(server, make_client(session_text(), API_ID, API_HASH)), no_wait)
        await account.connect()
        await Pull(account, Rows(store, OWNER, NOW, lambda: NOW), NOW).run([dialog])
        await account.close()

    server.histories[ANNA] = {}
    asyncio.run(run(only))
    assert Cursors(store.db).get(ANNA) == Cursor(0, 0, True)
    server.histories[ANNA] = full
    asyncio.run(run(RemoteDialog(ANNA, "Anna", None, max(full), None, only.peer)))
    assert len(texts(store)) == 3


def test_the_oldest_message_of_a_page_is_asked_for_with_the_right_offsets(server: Server, store: Store) -> None:
    """What is sent, field by field: Telegram counts `add_offset` towards older messages."""
    asked: list[tuple[int, int, int]] = []

    def note(request: Any) -> None:
        if isinstance(request, functions.messages.GetHistoryRequest) and request.peer.user_id == ANNA:
            asked.append((request.offset_id, request.add_offset, request.limit))

    server.before = note
    pull(server, store, days=0)
    numbers = sorted(server.histories[ANNA])
    assert asked == [(0, 0, 100), (numbers[150], 0, 100), (numbers[50], 0, 100), (numbers[0], 0, 100)]
    asked.clear()
    talk(server, ANNA, 1)
    pull(server, store, days=0)
    assert asked == [(numbers[-1] + 1, -100, 100)]

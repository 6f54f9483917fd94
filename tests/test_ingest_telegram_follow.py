"""Following: what happens is stored seconds later, through updates, gaps and reconnections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telethon.tl import types

from ingest.telegram_choice import Wishes, choose
from ingest.telegram_follow import Following, Rhythm
from ingest.telegram_pull import Pull
from ingest.telegram_rows import Rows
from ingest.telegram_updates import Hint, read_update
from ingest.telethon_account import TelethonAccount
from ingest.telethon_client import make_client
from tests.exports import ANNA, BORIS, OWNER
from tests.telegram_objects import START, channel, reactions, said, service, user
from tests.telegram_server import API_HASH, API_ID, Server, client_of, session_text, talk
from twin.messages import Message
from twin.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=10_000)
NEVER = 3600.0
HINTS_ONLY = Rhythm(gather=0.01, missed=NEVER, list=NEVER, rescan=NEVER)


async def no_wait(seconds: float, why: str) -> None:
    await asyncio.sleep(0.01)


class Followed:
    """An account that is followed into a database while a scenario plays."""

    def __init__(self, server: Server, store: Store, wishes: Wishes, rhythm: Rhythm) -> None:
        self.server, self.store = server, store
        self._wishes, self._rhythm = wishes, rhythm

    async def play(self, scenario: Callable[[Followed], Awaitable[None]]) -> None:
        self.account = TelethonAccount(client_of(self.server, make_client(session_text(), API_ID, API_HASH)), no_wait)
        await self.account.connect()
        self.account.be_patient()
        rows = Rows(self.store, OWNER, SINCE, lambda: NOW)
        self.pull = Pull(self.account, rows, SINCE)

        async def chosen() -> Any:
            excluded = self.store.dialog_table.excluded()
            return choose(await self.account.dialogs(), self._wishes, excluded).dialogs

        async with self.account.listening() as hints:
            dialogs = await chosen()
            await self.pull.run(dialogs)
            following = Following(self.account, self.pull, rows, chosen, lambda: None, self._rhythm)
            task = asyncio.ensure_future(following.run(hints, dialogs))
            try:
                await scenario(self)
                assert not task.done()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self.account.close()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds, generously."""
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)

    def messages(self, chat_id: int = ANNA) -> dict[int, Message]:
        return {message.message_id: message for message in self.store.messages(chat_id)}


@pytest.fixture
def server() -> Server:
    server = Server()
    talk(server, ANNA, 5)
    talk(server, BORIS, 5)
    return server


def follow(
    server: Server,
    store: Store,
    scenario: Callable[[Followed], Awaitable[None]],
    rhythm: Rhythm = HINTS_ONLY,
    wishes: Wishes | None = None,
) -> None:
    asyncio.run(Followed(server, store, wishes or Wishes(), rhythm).play(scenario))


def test_what_is_written_edited_liked_and_deleted_is_stored_as_it_happens(server: Server, store: Store) -> None:
    async def scenario(world: Followed) -> None:
        number = server.last_id + 1
        server.new(said(number, "nougat", by_owner=True))
        await world.until(lambda: number in world.messages())
        server.edit(ANNA, number, "more nougat", NOW)
        await world.until(lambda: world.messages()[number].text == "more nougat")
        assert world.messages()[number].first_text == "nougat"
        server.react(ANNA, number, reactions(("👍", [ANNA])))
        await world.until(lambda: world.messages()[number].reactions)
        server.react(ANNA, number, None)
        await world.until(lambda: world.messages()[number].reactions is None)
        server.delete(ANNA, number)
        await world.until(lambda: world.messages()[number].deleted_at == NOW)
        counts = world.pull.of(
            next(one.dialog for one in world.pull.pulled.values() if one.dialog.chat_id == ANNA)
        ).counts
        assert (counts.deleted, counts.updated) == (1, 3)

    follow(server, store, scenario)


def test_a_burst_in_several_dialogs_comes_in_whole(server: Server, store: Store) -> None:
    async def scenario(world: Followed) -> None:
        for turn in range(120):
            chat_id = (ANNA, BORIS)[turn % 2]
            server.new(said(server.last_id + 1 + turn % 3, f"burst {turn}", chat_id=chat_id))
        for chat_id in (ANNA, BORIS):
            await world.until(
                lambda chat_id=chat_id: world.messages(chat_id).keys() == server.histories[chat_id].keys()
            )

    follow(server, store, scenario)


@pytest.mark.parametrize("tells", ["all", "one by one", "nothing"])
def test_updates_that_got_lost_are_asked_for(server: Server, store: Store, tells: str) -> None:
    server.tells = tells

    async def scenario(world: Followed) -> None:
        server.silent = True
        number = server.last_id + 1
        server.new(said(number, "unheard"))
        first, second, *_ = sorted(server.histories[ANNA])
        server.edit(ANNA, first, "unseen", NOW)
        server.delete(ANNA, second)
        server.silent = False
        await world.until(lambda: number in world.messages())
        await world.until(lambda: world.messages()[first].text == "unseen")
        await world.until(lambda: world.messages()[second].deleted_at)

    follow(server, store, scenario, Rhythm(gather=0.01, missed=0.2, list=NEVER, rescan=NEVER))


def test_a_gap_in_the_updates_is_noticed_by_the_next_one(server: Server, store: Store) -> None:
    async def scenario(world: Followed) -> None:
        server.silent = True
        lost = server.last_id + 1
        server.new(said(lost, "unheard"))
        server.silent = False
        server.new(said(lost + 1, "heard"))
        await world.until(lambda: {lost, lost + 1} <= world.messages().keys())

    follow(server, store, scenario)


def test_after_a_disconnection_what_happened_meanwhile_is_filled_in(server: Server, store: Store) -> None:
    async def scenario(world: Followed) -> None:
        server.offline = True
        server.wires[0].drop(ConnectionError("lost"))
        numbers = [server.last_id + 1 + turn for turn in range(3)]
        for number in numbers:
            server.new(said(number, f"meanwhile {number}"))
        server.delete(ANNA, numbers[0])
        await asyncio.sleep(0.3)
        server.offline = False
        await world.until(lambda: set(numbers[1:]) <= world.messages().keys())
        assert numbers[0] not in world.messages()

    follow(server, store, scenario, Rhythm(gather=0.01, missed=0.2, list=NEVER, rescan=NEVER))


def test_the_list_of_chats_finds_what_no_update_told(server: Server, store: Store) -> None:
    async def scenario(world: Followed) -> None:
        server.users[300] = user(300, "Newcomer")
        server.add(said(server.last_id + 1, "hello", chat_id=300))
        server.add(said(server.last_id + 1, "nougat"))
        await world.until(lambda: world.messages(300) and server.last_id in world.messages())

    follow(server, store, scenario, Rhythm(gather=0.01, missed=NEVER, list=0.2, rescan=NEVER))


def test_the_window_is_read_again_now_and_then(server: Server, store: Store) -> None:
    async def scenario(world: Followed) -> None:
        number = min(server.histories[ANNA])
        server.histories[ANNA][number].message = "changed in silence"
        server.histories[ANNA][number].edit_date = NOW
        await world.until(lambda: world.messages()[number].text == "changed in silence")

    follow(server, store, scenario, Rhythm(gather=0.01, missed=NEVER, list=NEVER, rescan=0.2))


def test_somebody_new_comes_in_with_their_first_word_and_a_bot_does_not(server: Server, store: Store) -> None:
    async def scenario(world: Followed) -> None:
        server.users |= {300: user(300, "Newcomer"), 802: user(802, "Bot", bot=True, bot_info_version=1)}
        server.new(said(server.last_id + 1, "beep", chat_id=802))
        server.new(said(server.last_id + 1, "hello", chat_id=300))
        await world.until(lambda: world.messages(300))
        server.new(said(server.last_id + 1, "again", chat_id=300))
        await world.until(lambda: len(world.messages(300)) == 2)
        assert world.messages(802) == {}

    follow(server, store, scenario)


def test_whom_the_owner_leaves_out_stays_out(server: Server, store: Store) -> None:
    store.add_dialog(BORIS, "Boris")
    store.dialog_table.include(BORIS, False)

    async def scenario(world: Followed) -> None:
        server.new(said(server.last_id + 1, "secret", chat_id=BORIS))
        server.new(said(server.last_id + 1, "nougat"))
        await world.until(lambda: server.last_id in world.messages())
        assert world.messages(BORIS) == {}

    follow(server, store, scenario)


ANNAS = types.PeerUser(ANNA)


@pytest.mark.parametrize(
    ("update", "hint"),
    [
        (types.UpdateNewMessage(said(7), 1, 1), Hint(ANNA, new=7)),
        (types.UpdateNewMessage(service(7), 1, 1), Hint(ANNA, new=7)),
        (types.UpdateShortMessage(7, ANNA, "hi", 1, 1, START), Hint(ANNA, new=7)),
        (types.UpdateEditMessage(said(7), 1, 1), Hint(ANNA, changed=(7,))),
        (types.UpdateMessageReactions(ANNAS, 7, reactions()), Hint(ANNA, changed=(7,))),
        (types.UpdateDeleteMessages([7, 9], 1, 2), Hint(gone=(7, 9))),
        (types.UpdateDeleteMessages([], 1, 0), None),
        (types.UpdateMessageReactions(types.PeerChannel(9), 7, reactions()), None),
        (types.UpdateNewMessage(types.MessageEmpty(7, None), 1, 1), None),
        (types.UpdateUserStatus(ANNA, types.UserStatusEmpty()), None),
        (types.UpdateNewChannelMessage(said(7), 1, 1), None),
    ],
)
def test_an_update_is_read_as_a_hint_and_nothing_more(update: Any, hint: Hint | None) -> None:
    assert read_update(update) == hint


def test_a_message_in_a_group_is_no_hint(server: Server) -> None:
    message = said(7)
    message.peer_id = types.PeerChat(5)
    assert read_update(types.UpdateNewMessage(message, 1, 1)) is None
    assert channel(5, "x").title == "x"

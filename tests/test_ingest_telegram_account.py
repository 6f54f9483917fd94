"""What live ingest relies on in an account: one contract for the server of the tests and, with TWIN_LIVE=1, a real one.

    TWIN_LIVE=1 .venv/bin/python -m pytest -n 0 tests/test_ingest_telegram_account.py

reads, and only reads, the account whose session is in the home; TWIN_LIVE=takeout asks for a takeout too.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions

from ingest import telethon_client
from ingest.source import Skip
from ingest.telegram_account import PAGE, NoTakeout, Page, Refused, RemoteDialog, SessionGone
from ingest.telegram_message import read_message
from ingest.telegram_patience import Patience
from ingest.telegram_secrets import stored_api, stored_session
from ingest.telethon_account import TelethonAccount
from ingest.telethon_client import make_client
from tests.exports import ANNA, BORIS, OWNER
from tests.telegram_objects import channel, said, service, user
from tests.telegram_server import API_HASH, API_ID, Server, client_of, session_text, talk
from twin.errors import AccountError
from twin.settings import load_settings

LIVE, LIVE_HOME = os.environ.get("TWIN_LIVE", ""), os.environ.get("TWIN_HOME")
Opened = Callable[[], Any]


async def no_wait(seconds: float, why: str) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def on(server: Server, wait: Callable[[float, str], Awaitable[None]] = no_wait) -> AsyncIterator[TelethonAccount]:
    """An account of this server, connected."""
    account = TelethonAccount(client_of(server, make_client(session_text(), API_ID, API_HASH)), wait)
    await account.connect()
    try:
        yield account
    finally:
        await account.close()


def busy_server(*, fills: bool) -> Server:
    server = Server(fills=fills)
    talk(server, ANNA, 350)
    talk(server, BORIS, 30)
    talk(server, OWNER, 2)
    server.add(service(server.last_id + 1))
    server.chats = {1: channel(901, "News"), 2: channel(902, "Club", megagroup=True)}
    server.archived = {BORIS}
    return server


@asynccontextmanager
async def real() -> AsyncIterator[TelethonAccount]:
    settings = load_settings()
    api = stored_api(settings)
    assert api is not None, "log in with `twin ingest telegram` first"

    async def sit_out(seconds: float, why: str) -> None:
        await asyncio.sleep(seconds)

    account = TelethonAccount(make_client(stored_session(settings), api.id, api.hash), sit_out)
    await account.connect()
    try:
        yield account
    finally:
        await account.close()


@pytest.fixture(params=["shrinking", "filling", "real"])
def open_account(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """`async with open_account() as account`."""
    if request.param != "real":
        server = busy_server(fills=request.param == "filling")
        return lambda: on(server)
    if not LIVE:
        pytest.skip("TWIN_LIVE=1 reads a real account")
    if LIVE_HOME:
        monkeypatch.setenv("TWIN_HOME", LIVE_HOME)
    else:
        monkeypatch.delenv("TWIN_HOME")
    return real


async def longest(account: TelethonAccount) -> RemoteDialog:
    """A private dialog of several pages, if there is one among the newest."""
    people = [dialog for dialog in await account.dialogs() if dialog.reason is None][:10]
    totals = {dialog.chat_id: await account.total(dialog) for dialog in people}
    return max(people, key=lambda dialog: totals[dialog.chat_id])


def ids(page: Page) -> list[int]:
    return [message.id for message in page.messages]


def test_contract_the_list_has_every_chat_once_and_says_which_are_with_people(open_account: Opened) -> None:
    async def look() -> None:
        async with open_account() as account:
            me = await account.me()
            dialogs = await account.dialogs()
            assert me.id > 0
            assert len({(dialog.chat_id, dialog.reason) for dialog in dialogs}) == len(dialogs)
            assert [dialog.top_id for dialog in dialogs] == sorted((d.top_id for d in dialogs), reverse=True)
            people = [dialog for dialog in dialogs if dialog.reason is None]
            assert people and me.id not in {dialog.chat_id for dialog in people}
            assert {dialog.chat_id for dialog in dialogs if dialog.reason == "saved messages"} <= {me.id}

    asyncio.run(look())


def test_contract_older_pages_go_down_without_gaps_to_the_beginning(open_account: Opened) -> None:
    async def look() -> None:
        async with open_account() as account:
            dialog = await longest(account)
            seen: list[int] = []
            for _ in range(5):
                page = await account.older(dialog, seen[-1] if seen else 0)
                assert len(page.messages) <= PAGE <= 100
                assert page.total >= len(page.messages)
                if not page.messages:
                    break
                seen += ids(page)
            assert seen and seen == sorted(set(seen), reverse=True)
            assert ids(await account.older(dialog, 1)) == []

    asyncio.run(look())


def test_contract_newer_pages_go_up_over_the_same_messages(open_account: Opened) -> None:
    async def look() -> None:
        async with open_account() as account:
            dialog = await longest(account)
            page = await account.older(dialog, 0)
            down = ids(page) + ids(await account.older(dialog, min(ids(page))))
            start, up = min(down), [min(down)]
            while up[-1] < max(down):
                more = ids(await account.newer(dialog, up[-1]))
                assert more and min(more) > up[-1]
                up += sorted(more)
            assert set(down) <= set(up)
            assert ids(await account.newer(dialog, start))[-1:] == sorted(down)[1:2]
            assert ids(await account.newer(dialog, max(up) + 10**6)) == []

    asyncio.run(look())


def test_contract_single_messages_are_those_of_the_pages(open_account: Opened) -> None:
    async def look() -> None:
        async with open_account() as account:
            dialog = await longest(account)
            page = await account.older(dialog, 0)
            some = await account.by_ids(ids(page)[:5])
            told = {message.id: message for message in some.messages}
            for message in page.messages[:5]:
                assert told[message.id].to_dict() == message.to_dict()

    asyncio.run(look())


def test_contract_every_message_can_be_read_or_has_a_reason_not_to_be(open_account: Opened) -> None:
    async def look() -> None:
        async with open_account() as account:
            me = await account.me()
            for dialog in [dialog for dialog in await account.dialogs() if dialog.reason is None][:5]:
                page = await account.older(dialog, 0)
                for raw in page.messages:
                    try:
                        message = read_message(raw, dialog.chat_id, me.id, page.names)
                    except Skip as verdict:
                        assert str(verdict)
                    else:
                        assert message.sender_id in (me.id, dialog.chat_id)
                        assert message.is_owner == (message.sender_id == me.id)

    asyncio.run(look())


def test_contract_a_takeout_is_ended_or_its_wait_is_told(open_account: Opened, request: pytest.FixtureRequest) -> None:
    if "real" in request.node.name and LIVE != "takeout":
        pytest.skip("TWIN_LIVE=takeout asks for a takeout, of which Telegram tells all devices")

    async def look() -> None:
        async with open_account() as account:
            dialog = await longest(account)
            try:
                async with account.takeout():
                    assert ids(await account.older(dialog, 0))
            except NoTakeout as refusal:
                assert refusal.seconds
            assert ids(await account.older(dialog, 0))

    asyncio.run(look())


def test_the_list_is_read_to_its_end_whatever_is_pinned_or_in_the_archive() -> None:
    server = Server(dialogs_a_page=7)
    for number in range(300, 333):
        server.users[number] = user(number, f"Friend {number}")
        talk(server, number, 2)
    server.pinned, server.archived = {305, 306}, {310, 311}
    server.chats = {1: channel(901, "News")}

    async def look() -> list[RemoteDialog]:
        async with on(server) as account:
            return await account.dialogs()

    dialogs = asyncio.run(look())
    assert [dialog.chat_id for dialog in dialogs] == [*range(332, 299, -1), 901]
    assert dialogs[-1].reason == "in a channel"


def test_who_is_no_person_has_a_reason() -> None:
    server = Server()
    server.users |= {777000: user(777000, "Telegram"), 555: user(555, deleted=True)}
    for chat_id in (777000, 555, 801, OWNER, ANNA):
        talk(server, chat_id, 1)
    server.chats = {1: channel(901, "News"), 2: channel(902, "Club", megagroup=True)}

    async def look() -> dict[int, str | None]:
        async with on(server) as account:
            return {dialog.chat_id: dialog.reason for dialog in await account.dialogs()}

    assert asyncio.run(look()) == {
        777000: "from Telegram itself",
        801: "with a bot",
        OWNER: "saved messages",
        901: "in a channel",
        902: "in a group",
        555: None,
        ANNA: None,
    }


class Told:
    """Waits for nothing, and remembers what it was told."""

    def __init__(self) -> None:
        self.waits: list[tuple[float, str]] = []
        self.client: Any = None

    async def __call__(self, seconds: float, why: str) -> None:
        self.waits.append((seconds, why))
        if self.client is not None:
            self.client._flood_waited_requests.clear()  # it looks at the clock, for which no time has passed
        await asyncio.sleep(0)


class Fails:
    """The first `times` history requests end in an error."""

    def __init__(self, error: Callable[[Any], BaseException], times: int) -> None:
        self.error, self.left = error, times

    def __call__(self, request: Any) -> None:
        if isinstance(request, functions.messages.GetHistoryRequest) and self.left:
            self.left -= 1
            raise self.error(request)


def ask_history(server: Server, told: Told) -> int:
    """How many messages come back from one dialog."""

    async def look() -> int:
        async with on(server, told) as account:
            told.client = account.client
            (dialog,) = [one for one in await account.dialogs() if one.chat_id == ANNA]
            return len((await account.older(dialog, 0)).messages)

    return asyncio.run(look())


@pytest.fixture
def server() -> Server:
    server = Server()
    talk(server, ANNA, 3)
    return server


def test_a_flood_wait_is_sat_out_and_then_answered(server: Server) -> None:
    told = Told()
    server.before = Fails(lambda request: errors.FloodWaitError(request, 34), 2)
    assert ask_history(server, told) == 3
    assert told.waits == [(35, "Telegram asks to wait")] * 2


def test_a_flood_wait_of_hours_is_told_and_not_sat_out(server: Server) -> None:
    server.before = Fails(lambda request: errors.FloodWaitError(request, 7300), 1)
    with pytest.raises(AccountError, match=r"wait 2 hours 1 minute before going on: run this again.*nothing.*lost"):
        ask_history(server, Told())


def test_flood_waits_without_end_end_at_last(server: Server) -> None:
    told = Told()
    server.before = Fails(lambda request: errors.FloodWaitError(request, 5), 1_000)
    with pytest.raises(AccountError, match="asked to wait 10 times in a row"):
        ask_history(server, told)
    assert len(told.waits) == 10


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (lambda _: ConnectionError("reset"), "There is no connection to Telegram"),
        (lambda request: errors.TimedOutError(request, "Timeout"), "Telegram has trouble"),
        (lambda _: TimeoutError(), "Telegram did not answer in time"),
    ],
)
def test_a_failure_that_may_pass_is_tried_again_with_growing_pauses(
    server: Server, error: Callable[[Any], BaseException], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_sleep = asyncio.sleep
    monkeypatch.setattr("telethon.client.users.asyncio.sleep", lambda _: real_sleep(0))
    told = Told()
    server.before = Fails(error, 6)
    assert ask_history(server, told) == 3
    assert told.waits[0] == (1.0, f"{why} (attempt 1 of 8)")
    assert [seconds for seconds, _ in told.waits] == [2.0**n for n in range(len(told.waits))]
    server.before = Fails(error, 100)
    with pytest.raises(
        AccountError, match=rf"{why} \(tried 8 times\): check the network.*nothing that came in is lost"
    ):
        ask_history(server, told)


def test_a_request_that_is_never_answered_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()

    async def look() -> None:
        async with on(server, told) as account:
            dialogs = await account.dialogs()
            server.latency = 3600.0
            monkeypatch.setattr(telethon_client, "TIMEOUT_SECONDS", 0.05)
            account._patience = Patience(attempts=2)
            await account.older(dialogs[0], 0)

    with pytest.raises(AccountError, match=r"did not answer in time \(tried 2 times\)"):
        asyncio.run(look())


def test_a_connection_that_telethon_gives_up_is_made_anew(server: Server) -> None:
    told = Told()

    def cut(request: Any) -> None:
        if isinstance(request, functions.messages.GetHistoryRequest) and server.wires:
            server.before = lambda _: None
            server.wires[0].drop(ConnectionError("given up"))
            raise ConnectionError

    server.before = cut
    assert ask_history(server, told) == 3
    assert server.requests.count("GetConfig") == 2


def test_what_telegram_refuses_for_good_is_not_asked_again(server: Server) -> None:
    told = Told()
    server.before = Fails(lambda request: errors.PeerIdInvalidError(request), 100)
    with pytest.raises(Refused, match="Telegram refused"):
        ask_history(server, told)
    assert told.waits == []


@pytest.mark.parametrize(
    "error", [errors.AuthKeyUnregisteredError, errors.SessionRevokedError, errors.UserDeactivatedError]
)
def test_a_session_that_was_revoked_ends_with_one_clear_sentence(server: Server, error: Any) -> None:
    server.before = Fails(error, 100)
    with pytest.raises(SessionGone, match=r"no longer knows this session.*twin ingest logout.*twin ingest telegram"):
        ask_history(server, Told())


def test_a_text_that_is_no_session_is_told_as_a_session_that_is_gone() -> None:
    with pytest.raises(SessionGone):
        make_client("garbage", API_ID, API_HASH)


def test_without_a_network_it_ends_after_a_few_tries(server: Server) -> None:
    server.offline = True
    told = Told()
    with pytest.raises(AccountError, match=r"no connection to Telegram \(tried 3 times\): check the network"):
        ask_history(server, told)
    assert [seconds for seconds, _ in told.waits] == [1.0, 2.0]


def test_a_takeout_that_must_wait_says_how_long(server: Server) -> None:
    server.takeout_delay = 83_000

    async def look() -> None:
        async with on(server) as account, account.takeout():
            raise AssertionError("it was allowed")

    with pytest.raises(NoTakeout, match=r"only in 23 hours 3 minutes.*--no-takeout") as refusal:
        asyncio.run(look())
    assert refusal.value.seconds == 83_000


def test_a_takeout_ends_as_what_it_was(server: Server) -> None:
    async def look() -> None:
        async with on(server) as account:
            async with account.takeout():
                await account.older((await account.dialogs())[0], 0)
            with pytest.raises(RuntimeError):
                async with account.takeout():
                    raise RuntimeError

    asyncio.run(look())
    assert server.takeouts == {1: True, 2: False}
    assert server.counted["in takeout"] == 5  # list twice, page, and two ends


def test_nothing_of_what_telethon_logs_is_seen(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    server.add(said(server.last_id + 1, "marzipan marzipan"))
    server.before = Fails(lambda _: ConnectionError("reset"), 2)
    ask_history(server, Told())
    assert not [record for record in caplog.records if record.name.startswith("telethon")]
    assert logging.getLogger("telethon").level > logging.CRITICAL

"""Live runs, exports, kills, edits and deletions in any order end in the table of one undisturbed run."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telethon.tl import types

from ingest.pipeline import ingest
from ingest.telegram_pull import Pull
from ingest.telegram_rows import Rows
from ingest.telethon_account import TelethonAccount
from ingest.telethon_client import make_client
from tests.exports import ANNA, BORIS, OWNER, Raw, opened, write
from tests.telegram_export import export_of
from tests.telegram_objects import photo, reactions, said, service
from tests.telegram_server import API_HASH, API_ID, Server, client_of, session_text
from twin.cursors import Cursors
from twin.errors import IngestError
from twin.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVER = datetime(1990, 1, 1, tzinfo=UTC)
PAGE = 3
CHATS = st.sampled_from([ANNA, BORIS])
SMALL = st.integers(0, 12)
# What is the same whoever saw it first; what a message read before, and when it was found deleted, is looked at apart.
SAME = (
    "chat_id, message_id, sent_at, sender_id, is_owner, text, reply_to, forwarded_from, via_bot, media, media_note,"
    " entities, reactions, edited_at"
)


class Killed(Exception):
    """The process ends here."""


@dataclass
class World:
    """An account, the exports that were made of it, and the database."""

    store: Store
    folder: Path
    server: Server
    clock: int = 0
    exports: list[Raw] = field(default_factory=list)
    said_once: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))

    def say(self, chat_id: int, kinds: list[int]) -> None:
        for kind in kinds:
            number = self.server.last_id + 1 + kind % 2
            if kind == 0:
                self.server.new(service(number, chat_id=chat_id))
                continue
            fields: dict[str, Any] = {"by_owner": kind % 2 == 1}
            if kind == 2:
                fields["media"] = photo()
            elif kind == 3:
                fields["entities"] = [types.MessageEntityBold(0, 4)]
            elif kind == 4 and (earlier := self._texts(chat_id)):
                fields["reply_to"] = types.MessageReplyHeader(reply_to_msg_id=earlier[-1])
            self.server.new(said(number, f"word {number}", chat_id=chat_id, **fields))
            self.said_once[chat_id, number].append(f"word {number}")

    def edit(self, chat_id: int, which: int) -> None:
        if texts := self._texts(chat_id):
            self.clock += 1
            number = texts[which % len(texts)]
            text = f"word {number} after thought {self.clock}"
            self.server.edit(chat_id, number, text, NOW - timedelta(days=1) + timedelta(seconds=self.clock))
            self.said_once[chat_id, number].append(text)

    def delete(self, chat_id: int, which: int) -> None:
        if texts := self._texts(chat_id)[1:]:  # an empty dialog leaves the list of chats
            self.server.delete(chat_id, texts[which % len(texts)])

    def react(self, chat_id: int, which: int, by: int) -> None:
        if texts := self._texts(chat_id):
            givers = [[], [OWNER], [chat_id], [OWNER, chat_id]][by % 4]
            self.server.react(chat_id, texts[which % len(texts)], reactions(("👍", givers)) if givers else None)

    def export(self, chat_ids: list[int], age: int, is_killed: bool) -> None:
        """Export now, and ingest that or an older one."""
        self.exports.append(export_of(self.server, sorted(set(chat_ids))))
        raw = self.exports[-1 - age % len(self.exports)]
        with suppress(IngestError, Killed), killing(Store, "record_ingest", 0 if is_killed else None):
            ingest(opened(write(self.folder, raw)), self.store)

    def live(self, death: tuple[str, int] | None = None, takeout: bool = False) -> None:
        """One run, or the beginning of one: it dies at a request, before a commit or after one."""
        how, at = death or ("", 0)
        with (
            suppress(Killed),
            killing(Cursors, "move", at if how == "before a commit" else None),
            killing(Rows, "write", at if how == "after a commit" else None, is_after=True),
        ):
            asyncio.run(self._live(at if how == "at a request" else None, takeout))
        self.server.before = lambda _: None

    async def _live(self, requests: int | None, takeout: bool) -> None:
        account = TelethonAccount(client_of(self.server, make_client(session_text(), API_ID, API_HASH)), wait, PAGE)
        try:
            await account.connect()
            people = [dialog for dialog in await account.dialogs() if dialog.reason is None]
            self.server.before = dies_at(requests)
            await Pull(account, Rows(self.store, OWNER, EVER, lambda: NOW), EVER).run(people, takeout=takeout)
        finally:
            self.server.before = lambda _: None
            await account.close()

    def _texts(self, chat_id: int) -> list[int]:
        history = self.server.histories.get(chat_id, {})
        return sorted(number for number, one in history.items() if type(one).__name__ == "Message")


async def wait(seconds: float, why: str) -> None:
    await asyncio.sleep(0)


def dies_at(count: int | None) -> Callable[[Any], None]:
    left = count

    def before(request: Any) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left = None if left is None else left - 1

    return before


@contextmanager
def killing(owner: type, name: str, at: int | None, *, is_after: bool = False) -> Iterator[None]:
    """Let the call number `at` of a method be the last thing that happens."""
    real, left = getattr(owner, name), at

    def method(*args: Any, **named: Any) -> Any:
        nonlocal left
        is_last, left = left == 0, None if left is None else left - 1
        if is_last and not is_after:
            raise Killed
        answer = real(*args, **named)
        if is_last:
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, method)
        yield


DEATHS = st.none() | st.tuples(st.sampled_from(["at a request", "before a commit", "after a commit"]), SMALL)
EVENTS = st.one_of(
    st.tuples(st.just("say"), CHATS, st.lists(st.integers(0, 4), min_size=1, max_size=9)),
    st.tuples(st.just("edit"), CHATS, SMALL),
    st.tuples(st.just("delete"), CHATS, SMALL),
    st.tuples(st.just("react"), CHATS, SMALL, SMALL),
    st.tuples(st.just("export"), st.lists(CHATS, min_size=1, max_size=2), SMALL, st.booleans()),
    st.tuples(st.just("live"), DEATHS, st.booleans()),
)


def table(store: Store) -> dict[tuple[int, int], tuple[Any, ...]]:
    rows = list(store.db.execute(f"select {SAME} from messages"))  # noqa: S608 - a constant
    assert len(rows) == len({row[:2] for row in rows})
    return {(row[0], row[1]): row for row in rows}


@given(st.lists(EVENTS, max_size=14), st.booleans())
@settings(suppress_health_check=list(HealthCheck), max_examples=60, deadline=None)
def test_any_interleaving_ends_in_the_table_of_one_undisturbed_run(
    tmp_path: Path, events: list[Any], fills: bool
) -> None:
    with Store.scratch() as disturbed, Store.scratch() as undisturbed:
        world = World(disturbed, tmp_path, Server(fills=fills))
        world.say(ANNA, [1, 2, 3, 4, 0, 1, 2])
        world.say(BORIS, [2])
        for name, *arguments in events:
            getattr(world, name)(*arguments)
        world.live()
        World(undisturbed, tmp_path, world.server).live()

        expected, found = table(undisturbed), table(disturbed)
        assert {key: found.get(key) for key in expected} == expected
        deleted = dict(disturbed.db.execute("select chat_id || ' ' || message_id, deleted_at from messages"))
        for chat_id, number in found:
            is_there = number in world.server.histories[chat_id]
            assert is_there == ((chat_id, number) in expected)
            assert is_there == (deleted[f"{chat_id} {number}"] is None)
        for chat_id, number, text, first in disturbed.db.execute(
            "select chat_id, message_id, text, first_text from messages where first_text is not null"
        ):
            versions = world.said_once[chat_id, number]
            assert first in versions and text in versions
            assert versions.index(first) < versions.index(text)
        for chat_id, history in world.server.histories.items():
            cursor = Cursors(disturbed.db).get(chat_id)
            assert cursor is not None and cursor.is_complete
            assert cursor.oldest_id <= min(history) and max(history) <= cursor.newest_id

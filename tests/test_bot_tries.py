"""Trying a version: it answers the owner's own chat, and nobody else, until it is stopped or ends by itself."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.pauses import Pauses
from inference.generator import ANYHOW, TwinReply, Wish
from tests.bot_api import FRIEND, OWNER, BotApi, Parrot, bot_api, bot_settings, running_bot
from tests.bot_versions import publish
from twin.errors import AdapterError
from twin.forgotten import Forgettings
from twin.messages import Conversation
from twin.registry import Registry
from twin.store import Store

OLD, NEW = "20261101-040000-aaaa", "20261108-040000-bbbb"


@dataclass
class Versioned(Parrot):
    """Says which version writes; refuses those that are broken."""

    adapter: str | None = OLD
    broken: set[str] = field(default_factory=set)
    bubbles: int = 1

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        version = wish.version or self.adapter
        if wish.version in self.broken:
            raise AdapterError(f"The adapter {wish.version} was trained on another base model", "retrain")
        return TwinReply((f"{version} says hello",) * self.bubbles, version)


async def _try(api: BotApi, version: str = NEW) -> str:
    await api.changed(OWNER, f"version:show:{version}")
    return await api.changed(OWNER, api.buttons(OWNER)["Try"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    publish(tmp_path, OLD)
    publish(tmp_path, NEW, is_promoted=False)
    return tmp_path


def test_a_version_that_is_tried_answers_the_owner_alone_until_it_is_stopped_and_outlives_a_restart(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(home, api)
            async with running_bot(api, settings, Versioned):
                assert await api.told(OWNER, "hi") == f"{OLD} says hello"
                assert f"Version {NEW} answers you in this chat" in await _try(api)
                assert await api.told(OWNER, "hi") == f"{NEW} says hello"
                assert await api.told(FRIEND, "hi") == f"{OLD} says hello"
            async with running_bot(api, settings, Versioned):
                assert await api.told(OWNER, "hi") == f"{NEW} says hello"
                assert f"You try version {NEW}" in await api.told(OWNER, "/status")
                assert "try" not in await api.told(FRIEND, "/status")
                assert f"{NEW} (you try it)" in await api.told(OWNER, "/versions")
                assert "not tried any more" in await api.changed(OWNER, api.buttons(OWNER)["Stop trying"])
                assert await api.told(OWNER, "hi") == f"{OLD} says hello"
                assert "You try" not in await api.told(OWNER, "/status")
                assert "No version is being tried" in await api.changed(OWNER, "version:stop")

    asyncio.run(scene())


def test_why_names_the_version_that_was_tried_and_the_one_that_serves(home: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), Versioned):
            await api.told(OWNER, "hi")
            await _try(api)
            await api.told(OWNER, "hi")
            for version in (OLD, NEW):
                said = next(call.message_id for call in api.calls if call.text == f"{version} says hello")
                chat = {"id": OWNER, "type": "private", "first_name": "Somebody"}
                answered = {"reply_to_message": {"message_id": said, "date": 1, "chat": chat, "text": "?"}}
                assert f"Version {version} wrote that" in await api.told(OWNER, "/why", **answered)

    asyncio.run(scene())


def test_the_pace_is_that_of_the_version_that_writes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []
    for name in ("before_first", "before"):

        def pause(_: Pauses, adapter: str | None, __: Any, name: str = name) -> float:
            asked.append((name, adapter))
            return 0.0

        monkeypatch.setattr(Pauses, name, pause)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), lambda: Versioned(bubbles=2)):
            await _try(api)
            for user in (OWNER, FRIEND):
                await api.write(user, "hi")
                await api.until(lambda user=user: len(api.texts(user)) == 2)

    asyncio.run(scene())
    assert asked == [("before_first", NEW), ("before", NEW), ("before_first", OLD), ("before", OLD)]


def _deleted(home: Path) -> None:
    shutil.rmtree(home / "adapters" / NEW)


def _promoted(home: Path) -> None:
    with Store.open(home / "twin.db") as store:
        Registry(home / "adapters", store.db).promote(NEW, "by hand", time.time())


def _forgotten(home: Path) -> None:
    with Store.open(home / "twin.db") as store, store.atomic():
        now = datetime(2026, 11, 21, 13, tzinfo=UTC)
        Forgettings(store.db).add(5, now - timedelta(days=1), now)


@pytest.mark.parametrize(
    ("happens", "told"),
    [(_deleted, "There is no adapter"), (_promoted, "serves everybody now"), (_forgotten, "wanted forgotten")],
    ids=["deleted", "promoted", "stale"],
)
def test_a_trial_ends_by_itself_and_the_owner_is_told_why_once(home: Path, happens: Any, told: str) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(home, api)
            async with running_bot(api, settings, Versioned):
                await _try(api)
            happens(home)
            async with running_bot(api, settings, Versioned):
                await api.until(lambda: any(told in text for text in api.texts(OWNER)))
                await api.write(OWNER, "hi")
                await api.until(lambda: f"{OLD} says hello" in api.texts(OWNER))
            async with running_bot(api, settings, Versioned):
                await api.told(FRIEND, "hi")
                assert "You try" not in await api.told(OWNER, "/status")
            assert sum(told in text for text in api.texts(OWNER)) == 1
            assert api.texts(FRIEND) == [f"{OLD} says hello"]

    asyncio.run(scene())


def test_a_version_that_cannot_be_loaded_is_not_tried_any_more_and_the_one_that_serves_answers(home: Path) -> None:
    twin = Versioned(broken={NEW})

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), lambda: twin):
            await _try(api)
            await api.write(OWNER, "hi")
            await api.until(lambda: f"{OLD} says hello" in api.texts(OWNER))
            (why, _) = api.texts(OWNER)
            assert "cannot be tried" in why and "another base model" in why
            assert await api.told(OWNER, "hi") == f"{OLD} says hello"

    asyncio.run(scene())


def test_what_may_not_answer_is_not_tried_and_that_is_said(home: Path) -> None:
    (home / "adapters" / NEW / "adapter_model.safetensors").write_bytes(b"weightz")

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), Versioned):
            assert "was altered" in await _try(api)
            assert "There is no adapter" in await api.changed(OWNER, "version:try:../../x")
            await api.press(FRIEND, f"version:try:{OLD}")
            assert await api.told(OWNER, "hi") == f"{OLD} says hello"

    asyncio.run(scene())


def test_a_version_may_be_tried_while_none_serves(tmp_path: Path) -> None:
    publish(tmp_path, NEW, is_promoted=False)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: Versioned(adapter=None)):
            assert "not learned" in await api.told(OWNER, "hi")
            await _try(api)
            assert await api.told(OWNER, "hi") == f"{NEW} says hello"
            assert "not learned" in await api.told(FRIEND, "hi")

    asyncio.run(scene())

"""What has buttons: versions, going back, forgetting; and what the owner may ask and turn while the bot runs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from telegram.ext import ExtBot

from bot import wording
from bot.engine import Engine
from bot.phrases import phrase
from bot.switches import Switches
from bot.tries import Tries
from bot.versions import Versions
from inference.generator import ANYHOW, TwinReply, Wish
from inference.server.records import Records
from tests.bot_api import FAST, FRIEND, OWNER, STRANGER, TOKEN, Parrot, bot_api, bot_settings, running_bot
from tests.bot_versions import publish
from twin.evaluations import Evaluations
from twin.messages import Conversation, Session, Turn
from twin.registry import Registry
from twin.session_lines import write_session
from twin.settings import Settings
from twin.store import Store

OLD, NEW = "20261101-040000-aaaa", "20261108-040000-bbbb"


def _current(home: Path) -> str | None:
    with Store.open(home / "twin.db") as store:
        return Registry(home / "adapters", store.db).current()


def _answer_to(message_id: int) -> dict[str, Any]:
    chat = {"id": OWNER, "type": "private", "first_name": "Somebody"}
    return {"reply_to_message": {"message_id": message_id, "date": 1, "chat": chat, "text": "?"}}


def test_versions_are_shown_promoted_and_rolled_back_with_buttons(tmp_path: Path) -> None:
    publish(tmp_path, OLD)
    publish(tmp_path, NEW, is_promoted=False)
    systems = [{"name": "twin", "separation": {"fidelity": {"value": 0.87, "low": 0.8, "high": 0.9}, "auc": 0.71}}]
    with Store.open(tmp_path / "twin.db") as store:
        Evaluations(store.db).add(NEW, 1.0, "full", {"systems": systems})

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            listed = await api.told(OWNER, "/versions")
            assert f"{OLD} (serves)" in listed and f"{NEW}: fidelity 0.87" in listed
            shown = await api.changed(OWNER, api.buttons(OWNER)[NEW])
            assert "bits per character: 2.35" in shown and "Told from you (AUC): 0.71" in shown
            assert "answers from the next" in await api.changed(OWNER, api.buttons(OWNER)["Promote"])
            assert _current(tmp_path) == NEW
            assert f"{NEW} (serves)" in await api.changed(OWNER, api.buttons(OWNER)["Versions"])
            assert OLD in await api.changed(OWNER, api.buttons(OWNER)["Roll back"])
            assert _current(tmp_path) == OLD
            assert "no earlier adapter" in await api.told(OWNER, "/rollback")
            assert [call.method for call in api.calls].count("answerCallbackQuery") == 4

    asyncio.run(scene())


def test_the_owners_buttons_do_nothing_for_guests_and_strangers(tmp_path: Path) -> None:
    publish(tmp_path, OLD)
    publish(tmp_path, NEW, is_promoted=False)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await api.press(STRANGER, f"version:promote:{NEW}")
            await api.press(FRIEND, f"version:promote:{NEW}")
            await api.press(FRIEND, "version:back")
            told = "Only the owner can do that."
            await api.until(lambda: [call.text for call in api.calls].count(told) == 2)
            for command in ("/versions", "/rollback", "/why", "/settings temperature 0"):
                assert await api.told(FRIEND, command) == told
            await api.told(OWNER, "hi")
            answered = [call for call in api.calls if call.method == "answerCallbackQuery"]
            assert len(answered) == 2 and api.edits(FRIEND) == [] and api.methods(STRANGER) == []

    asyncio.run(scene())
    assert _current(tmp_path) == OLD


@pytest.mark.parametrize(
    "name", ["../../etc", "..", ".", "", "/etc/passwd", f"{OLD}/../{OLD}", "a\x00b", ".incoming-1-2", "x" * 50]
)
def test_a_button_with_a_path_in_it_leads_nowhere(tmp_path: Path, name: str) -> None:
    publish(tmp_path, OLD)
    (tmp_path / "etc").mkdir()

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert "There is no" in await api.changed(OWNER, f"version:promote:{name}")
            assert await api.changed(OWNER, f"version:show:{name}") == wording.NO_SUCH_VERSION

    asyncio.run(scene())
    assert _current(tmp_path) == OLD


@hypothesis_settings(max_examples=15)
@given(st.text(max_size=64))
def test_no_button_data_whatever_breaks_or_promotes_anything(tmp_path_factory: Any, data: str) -> None:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home)
    with Store.open(home / "twin.db") as store:
        registry, records = Registry(home / "adapters", store.db), Records(settings, lambda: 0.0)
        engine = Engine(settings, Parrot)
        tries = Tries(ExtBot(TOKEN), OWNER, engine, registry, records, Switches(store.db), FAST)
        versions = Versions(records, tries)
        for prefix in ("version:", "version:show:", "version:promote:", "version:try:"):
            text, _ = asyncio.run(versions.pressed(prefix + data))
            assert text
        assert registry.history() == [] and tries.version is None


def test_a_version_that_was_damaged_is_not_promoted_and_that_is_said(tmp_path: Path) -> None:
    publish(tmp_path, OLD)
    publish(tmp_path, NEW, is_promoted=False)
    (tmp_path / "adapters" / NEW / "adapter_model.safetensors").write_bytes(b"weightz")

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert "altered" in await api.changed(OWNER, f"version:promote:{NEW}")

    asyncio.run(scene())
    assert _current(tmp_path) == OLD


def test_a_guest_forgets_their_own_chat_after_saying_so_twice_and_no_other(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"disclosure": True})
            async with running_bot(api, settings, lambda: parrot):
                await api.write(FRIEND, "lemon tart")
                await api.until(lambda: "you said lemon tart" in api.texts(FRIEND))
                await api.told(OWNER, "plum cake")
                assert await api.told(FRIEND, "/forget") == phrase("en", "forget")
                assert await api.changed(FRIEND, api.buttons(FRIEND)["Keep"]) == phrase("en", "kept")
                assert await api.changed(FRIEND, "forget:everything") == phrase("en", "kept")
                assert await api.changed(FRIEND, "forget:yes") == phrase("en", "forgotten", count=2)
                assert "digital twin" in await api.told(FRIEND, "who are you")

    asyncio.run(scene())
    with Store.open(tmp_path / "twin.db") as store:
        kept = " ".join(text for (text,) in store.db.execute("select text from bot_messages"))
        assert "lemon" not in kept and "plum cake" in kept
        store.db.execute("pragma wal_checkpoint(truncate)")
    assert b"lemon tart" not in (tmp_path / "twin.db").read_bytes()
    assert parrot.asked[-1] == [("other", ["who are you"])]


def test_why_tells_the_version_and_the_nearest_moments_that_it_learned_from(tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "d"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    told = [("do you like pizza?", "love it"), ("where are you?", "at home"), ("see you at 8", "ok")]
    sessions = [Session(9, (Turn.of("other", [asked]), Turn.of("owner", [said]))) for asked, said in told]
    (folder / "train.jsonl").write_text("".join(map(write_session, sessions)))
    publish(tmp_path, OLD)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: Parrot(adapter=OLD)):
            await api.told(OWNER, "pizza tonight?")
            bubble = next(call.message_id for call in api.calls if call.text == "you said pizza tonight?")
            assert bubble is not None
            why = await api.told(OWNER, "/why", **_answer_to(bubble))
            assert f"Version {OLD} wrote that" in why
            assert "Asked: do you like pizza?\nYou: love it" in why and "where are you" not in why
            assert await api.told(OWNER, "/why") == wording.WHY_USAGE
            assert await api.told(OWNER, "/why", **_answer_to(999_999)) == wording.WHY_USAGE

    asyncio.run(scene())


def test_why_without_a_training_set_still_tells_the_version(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await api.told(OWNER, "hi")
            bubble = next(call.message_id for call in api.calls if call.text == "you said hi")
            assert bubble is not None
            why = await api.told(OWNER, "/why", **_answer_to(bubble))
            assert "Version v0 wrote that" in why and "twin dataset build" in why

    asyncio.run(scene())


@dataclass
class _Listening(Parrot):
    """Remembers at which temperature it was asked."""

    temperatures: list[float | None] = field(default_factory=list)

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        self.temperatures.append(wish.how.temperature if wish.how else None)
        return super().reply(conversation, wish)


def test_the_temperature_is_turned_while_the_bot_runs_and_outlives_a_restart(tmp_path: Path) -> None:
    twin = _Listening()

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, lambda: twin):
                await api.told(FRIEND, "one")
                assert "temperature: 0.4 (set here)" in await api.told(OWNER, "/settings temperature 0.4")
                await api.told(FRIEND, "two")
            async with running_bot(api, settings, lambda: twin):
                await api.told(FRIEND, "three")
                assert "pacing: fast (set here)" in await api.told(OWNER, "/settings pacing fast")
                assert "temperature: 1\n" in await api.told(OWNER, "/settings temperature default")
                await api.told(FRIEND, "four")

    asyncio.run(scene())
    assert twin.temperatures == [None, 0.4, 0.4, None]


@pytest.mark.parametrize(
    "words", ["temperature", "temperature nan", "temperature -1", "temperature 2.1", "pacing x", "x"]
)
def test_what_cannot_be_set_is_answered_with_what_can(tmp_path: Path, words: str) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert await api.told(OWNER, f"/settings {words}") == wording.SETTINGS_USAGE
            assert "(set here)" not in await api.told(OWNER, "/settings")

    asyncio.run(scene())


def test_no_command_or_button_brings_the_token_into_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("bot", "telegram", "twin"):
        caplog.set_level(logging.DEBUG, name)

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            for command in wording.OWNER_COMMANDS:
                await api.told(OWNER, f"/{command}")
            await api.changed(OWNER, "version:list")
            await api.press(OWNER, "nonsense")
            assert "again" in await api.told(OWNER, "/resume")
            assert not any(TOKEN in (call.text or "") for call in api.calls)

    asyncio.run(scene())
    assert caplog.records and TOKEN.split(":")[1] not in caplog.text

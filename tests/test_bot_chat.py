"""The twin in a chat, seen from both ends of a real Bot API conversation."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lo_bot_api_emulator import ApiRefusal

from bot.phrases import phrase
from inference.generator import ANYHOW, TwinReply, Wish
from tests.bot_api import FAST, FRIEND, OWNER, STRANGER, TOKEN, BotApi, Parrot, bot_api, bot_settings, running_bot
from twin.errors import ModelError
from twin.messages import Conversation
from twin.store import Store


def _rows(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with Store.open(home / "twin.db") as store:
        return list(store.db.execute(sql).fetchall())


def test_a_message_is_followed_by_typing_and_then_the_reply_bubble_by_bubble(tmp_path: Path) -> None:
    thinking = threading.Event()

    def say(heard: Sequence[str]) -> list[str]:
        assert thinking.wait(60)
        return ["first line\nsecond line", "another message"]

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: Parrot(say)):
            await api.write(FRIEND, "hi")
            await api.until(lambda: api.methods(FRIEND).count("sendChatAction") >= 2)
            thinking.set()
            await api.until(lambda: len(api.texts(FRIEND)) == 2)
            assert api.texts(FRIEND) == ["first line\nsecond line", "another message"]
            assert api.methods(FRIEND)[0] == "sendChatAction"

    asyncio.run(scene())


def test_nothing_to_say_is_said_by_silence(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            parrot = Parrot(lambda heard: [] if heard[-1] == "hm" else ["yes"])
            async with running_bot(api, bot_settings(tmp_path, api), lambda: parrot):
                await api.write(FRIEND, "hm")
                await api.write(FRIEND, "you there?")
                await api.until(lambda: api.texts(FRIEND) == ["yes"])

    asyncio.run(scene())


def test_a_stranger_gets_nothing_and_is_logged_once_by_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            for text in ("let me in", "/start", "/retrain"):
                await api.write(STRANGER, text)
            await api.write(FRIEND, "hi")
            await api.until(lambda: api.texts(FRIEND) == ["you said hi"])
            await api.until(lambda: not _rows(tmp_path, "select * from bot_inbox where answered_at is null"))
            assert api.methods(STRANGER) == []

    caplog.set_level(logging.INFO)
    asyncio.run(scene())
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("bot")]
    assert len([line for line in lines if str(STRANGER) in line]) == 1
    assert "let me in" not in caplog.text
    assert _rows(tmp_path, "select * from bot_messages where text like '%let me in%'") == []
    assert _rows(tmp_path, "select * from bot_inbox where payload like '%let me in%'") == []
    assert _rows(tmp_path, "select * from jobs") == []


def test_a_group_gets_nothing_even_from_the_owner(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            group = {"id": -77, "type": "group", "title": "us"}
            await api.write(OWNER, "hi all", chat=group)
            await api.write(OWNER, "hi")
            await api.until(lambda: api.texts(OWNER) == ["you said hi"])
            assert api.methods(-77) == []

    asyncio.run(scene())


def test_the_conversation_goes_on_after_a_restart_and_starts_afresh_after_reset(tmp_path: Path) -> None:
    parrot = Parrot(lambda heard: ["one", "two"])

    async def say(api: BotApi, text: str) -> None:
        before = len(api.texts(FRIEND))
        await api.write(FRIEND, text)
        await api.until(lambda: len(api.texts(FRIEND)) > before + (not text.startswith("/")))

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, lambda: parrot):
                await say(api, "hello")
            async with running_bot(api, settings, lambda: parrot):
                await say(api, "more")
                await say(api, "/reset")
                await say(api, "again")

    asyncio.run(scene())
    first = [("other", ["hello"])]
    assert parrot.asked == [
        first,
        [*first, ("owner", ["one", "two"]), ("other", ["more"])],
        [("other", ["again"])],
    ]
    speakers = _rows(tmp_path, "select speaker, text from bot_messages order by id")
    assert ("other", "hello") in speakers and ("reset", "") in speakers
    assert _rows(tmp_path, "select * from messages") == []


def test_no_more_is_read_than_the_settings_say(tmp_path: Path) -> None:
    parrot = Parrot(lambda heard: ["ok"])

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"history_messages": 2})
            async with running_bot(api, settings, lambda: parrot):
                for number in range(3):
                    await api.write(FRIEND, f"message {number}")
                await api.until(lambda: len(api.texts(FRIEND)) == 3)

    asyncio.run(scene())
    assert parrot.asked[-1] == [("owner", ["ok"]), ("other", ["message 2"])]


def test_media_stand_in_the_conversation_as_they_do_in_the_training_data(tmp_path: Path) -> None:
    parrot = Parrot(lambda heard: ["nice"])
    file = {"file_id": "f", "file_unique_id": "u"}
    sticker = file | {"type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False}

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: parrot):
            await api.write(FRIEND, "", photo=[file | {"width": 1, "height": 1}], caption="my cat")
            await api.until(lambda: len(api.texts(FRIEND)) == 1)
            await api.write(FRIEND, "", sticker=sticker | {"emoji": "😀"})
            await api.until(lambda: len(api.texts(FRIEND)) == 2)

    asyncio.run(scene())
    assert parrot.asked[-1] == [("other", ["[photo] my cat"]), ("owner", ["nice"]), ("other", ["[sticker 😀]"])]


def test_a_failing_reply_is_apologised_for_and_the_bot_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def say(heard: Sequence[str]) -> list[str]:
        if heard[-1] == "crash":
            raise RuntimeError(f"no idea what to make of {heard[-1]}")
        return ["fine"]

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: Parrot(say)):
            await api.write(FRIEND, "crash")
            await api.write(FRIEND, "and now?")
            await api.until(lambda: api.texts(FRIEND) == [phrase("en", "apology"), "fine"])

    asyncio.run(scene())
    assert "RuntimeError" in caplog.text and "crash" not in caplog.text


def test_a_slow_chat_does_not_hold_up_the_order_within_another(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            for number in range(5):
                await api.write(FRIEND, str(number))
                await api.write(OWNER, str(number))
            await api.until(lambda: len(api.texts(FRIEND)) == len(api.texts(OWNER)) == 5)
            assert api.texts(FRIEND) == api.texts(OWNER) == [f"you said {number}" for number in range(5)]

    asyncio.run(scene())


def test_a_chat_in_which_hundreds_of_messages_wait_does_not_hold_up_another(tmp_path: Path) -> None:
    free = threading.Event()

    def stuck(heard: Sequence[str]) -> list[str]:
        assert heard[-1] != "thinking" or free.wait(120)
        return [f"you said {heard[-1]}"]

    async def scene() -> None:
        async with bot_api() as api:
            plenty = {"messages_per_minute": 1_000}
            async with running_bot(api, bot_settings(tmp_path, api, telegram=plenty), lambda: Parrot(stuck)):
                await api.write(FRIEND, "thinking")
                await api.write(FRIEND, "/reset")  # waits for the answer, and whatever comes after it waits, too
                for number in range(300):
                    await api.write(FRIEND, str(number))
                await api.write(OWNER, "hi")
                await api.until(lambda: api.texts(OWNER) == ["you said hi"])
                assert api.texts(FRIEND) == []
                free.set()
                await api.until(lambda: len(api.texts(FRIEND)) == 302)

    asyncio.run(scene())


def test_a_reply_outlasts_errors_of_the_server(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            bot_api() as api,
            running_bot(api, bot_settings(tmp_path, api), lambda: Parrot(lambda _: ["a", "b"])),
        ):
            api.refuse["sendMessage"] = [
                ApiRefusal("Internal Server Error", 500),
                ApiRefusal("Too Many Requests: retry after 1", 429, {"retry_after": 1}),
            ]
            await api.write(FRIEND, "hi")
            await api.until(lambda: api.texts(FRIEND) == ["a", "b"])

    asyncio.run(scene())


def test_a_bubble_that_telegram_refuses_was_never_said(tmp_path: Path) -> None:
    parrot = Parrot(lambda heard: ["bad", "good"])

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: parrot):
            api.refuse["sendMessage"] = [ApiRefusal("Bad Request: message is invalid")]
            await api.write(FRIEND, "one")
            await api.until(lambda: api.texts(FRIEND) == ["good"])
            await api.write(FRIEND, "two")
            await api.until(lambda: len(api.texts(FRIEND)) == 3)

    asyncio.run(scene())
    assert parrot.asked[-1] == [("other", ["one"]), ("owner", ["good"]), ("other", ["two"])]


def test_a_message_longer_than_telegram_takes_is_sent_in_pieces(tmp_path: Path) -> None:
    long = "\N{GRINNING FACE}" * 2500

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: Parrot(lambda _: [long])):
            await api.write(FRIEND, "hi")
            await api.until(lambda: "".join(api.texts(FRIEND)) == long)

    asyncio.run(scene())


def test_messages_that_come_while_the_model_loads_are_answered_when_it_has(tmp_path: Path) -> None:
    loaded = threading.Event()

    def build() -> Parrot:
        assert loaded.wait(60)
        return Parrot()

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), build):
            await api.write(FRIEND, "hi")
            await api.until(lambda: "sendChatAction" in api.methods(FRIEND))
            loaded.set()
            await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    asyncio.run(scene())


def test_a_model_that_cannot_be_loaded_ends_the_bot_and_no_message_is_lost(tmp_path: Path) -> None:
    def build() -> Parrot:
        while not _rows(tmp_path, "select * from bot_inbox"):
            threading.Event().wait(0.01)
        raise ModelError("The base model is missing", "run `twin doctor`")

    async def scene() -> None:
        async with bot_api() as api:
            await api.write(FRIEND, "hi")
            with pytest.raises(ModelError):
                async with running_bot(api, bot_settings(tmp_path, api), build):
                    await api.until(lambda: False)
            assert api.texts(FRIEND) == []
            async with running_bot(api, bot_settings(tmp_path, api), Parrot):
                await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    asyncio.run(scene())


def test_chats_are_answered_beside_one_another_and_the_generator_is_closed_at_the_end(tmp_path: Path) -> None:
    together = threading.Barrier(2)

    class Meeting(Parrot):
        def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
            together.wait(60)  # neither chat is answered before both are asked
            return super().reply(conversation, wish)

    made: list[Meeting] = []

    def build() -> Meeting:
        made.append(Meeting())
        return made[0]

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), build):
            await api.write(FRIEND, "hi")
            await api.write(OWNER, "hi")
            await api.until(lambda: api.texts(FRIEND) and api.texts(OWNER))

    asyncio.run(scene())
    assert made[0].closed


def test_a_reply_in_the_middle_of_which_the_bot_stops_is_broken_off_and_answered_by_the_next(tmp_path: Path) -> None:
    asked = threading.Event()

    class Endless(Parrot):
        def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
            asked.set()
            while not wish.is_cancelled():
                threading.Event().wait(0.01)
            return TwinReply(("half of",), self.adapter, "cancelled")

    async def scene() -> None:
        async with bot_api() as api:
            async with running_bot(api, bot_settings(tmp_path, api), Endless):
                await api.write(FRIEND, "hi")
                await api.until(asked.is_set)
            assert api.texts(FRIEND) == []
            async with running_bot(api, bot_settings(tmp_path, api), Parrot):
                await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    asyncio.run(scene())


def test_the_token_is_in_no_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot, FAST):
            api.refuse["getUpdates"] = [ApiRefusal("Bad Gateway", 502)]
            api.refuse["sendMessage"] = [ApiRefusal("Forbidden: bot was blocked by the user", 403)]
            await api.write(FRIEND, "hi")
            await api.write(OWNER, "hi")
            await api.until(lambda: api.texts(OWNER) or api.texts(FRIEND))

    for name in ("bot", "telegram"):
        caplog.set_level(logging.DEBUG, name)
    asyncio.run(scene())
    assert caplog.records and TOKEN not in caplog.text and TOKEN.split(":")[1] not in caplog.text

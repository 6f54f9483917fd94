"""No message is lost and none answered twice: restarts, poison, and what ends the bot."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lo_bot_api_emulator import ApiRefusal

from bot.app import run_bot
from bot.history import History
from bot.inbox import KEEP_SECONDS, Inbox, read
from tests.bot_api import FAST, FRIEND, OWNER, TOKEN, BotApi, Parrot, bot_api, bot_settings, running_bot
from twin.errors import BotError
from twin.messages import Message
from twin.store import Store


def test_what_a_stopped_bot_left_open_is_answered_once_after_the_next_start(tmp_path: Path) -> None:
    asked, free = threading.Event(), threading.Event()

    def stuck(heard: Sequence[str]) -> list[str]:
        asked.set()
        assert free.wait(60)
        return ["too late"]

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            hasty = replace(FAST, grace=0.05, close=0.05)
            async with running_bot(api, settings, lambda: Parrot(stuck), hasty):
                for text in ("one", "two"):
                    await api.write(FRIEND, text)
                await api.until(asked.is_set)
            free.set()
            assert api.texts(FRIEND) == []
            for _ in range(2):
                async with running_bot(api, settings, Parrot):
                    await api.write(OWNER, "hi")
                    await api.until(lambda: len(api.texts(FRIEND)) == 2 and api.texts(OWNER))
            assert api.texts(FRIEND) == ["you said one", "you said two"]
        with Store.open(settings.database) as store:
            rows = store.db.execute("select text from bot_messages where chat_id = ? order by id", [FRIEND])
            assert [row[0] for row in rows] == ["one", "you said one", "two", "you said two"]

    asyncio.run(scene())


def test_a_reply_broken_off_between_bubbles_goes_on_where_it_was(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            slow = bot_settings(tmp_path, api, telegram={"bubble_pause_seconds": 3600})
            async with running_bot(api, slow, lambda: Parrot(lambda _: ["a", "b"]), replace(FAST, grace=0.05)):
                await api.write(FRIEND, "hi")
                await api.until(lambda: api.texts(FRIEND) == ["a"])
            async with running_bot(api, bot_settings(tmp_path, api), lambda: Parrot(lambda _: ["another reply"])):
                await api.until(lambda: api.texts(FRIEND) == ["a", "b"])
                await api.write(FRIEND, "and?")
                await api.until(lambda: api.texts(FRIEND)[2:] == ["another reply"])

    asyncio.run(scene())


def test_a_stopping_bot_finishes_the_reply_under_way(tmp_path: Path) -> None:
    asked, free = threading.Event(), threading.Event()

    def slow(heard: Sequence[str]) -> list[str]:
        asked.set()
        assert free.wait(60)
        return ["done", "and sent"]

    async def scene() -> None:
        async with bot_api() as api:
            parrot = Parrot(slow)
            async with running_bot(api, bot_settings(tmp_path, api), lambda: parrot) as stop:
                await api.write(FRIEND, "hi")
                await api.until(asked.is_set)
                stop.set()
                asyncio.get_running_loop().call_later(0.1, free.set)
            assert api.texts(FRIEND) == ["done", "and sent"]
            assert parrot.closed

    asyncio.run(scene())


def test_an_update_that_cannot_be_read_is_left_out_and_the_next_one_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await api.enqueue_update({"message": {"message_id": 1, "text": "poison"}}, token=TOKEN)
            await api.write(FRIEND, "hi")
            await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    asyncio.run(scene())
    assert "cannot be read" in caplog.text and "poison" not in caplog.text


@pytest.mark.parametrize("message", ["words", None, [], {"chat": 1}, {"chat": {"id": "x"}}, {"chat": {"id": [1]}}])
def test_whatever_an_update_looks_like_it_can_be_kept(tmp_path: Path, message: Any) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        update = {"update_id": 5, "message": message}
        assert Inbox(store.db, lambda: 0).keep(update)
        assert read(update) is None


def test_an_update_offered_twice_is_taken_once_and_forgotten_when_answered(tmp_path: Path) -> None:
    now = [1000.0]
    with Store.open(tmp_path / "twin.db") as store:
        inbox = Inbox(store.db, lambda: now[0])
        update = {"update_id": 5, "message": {"chat": {"id": 1}, "text": "private"}}
        assert inbox.keep(update) and not inbox.keep(update)
        assert inbox.open_updates() == [update]
        inbox.close(5)
        assert inbox.open_updates() == [] and not inbox.keep(update)
        assert "private" not in str(list(store.db.query("select * from bot_inbox")))
        now[0] += KEEP_SECONDS + 1
        inbox.prune()
        assert inbox.keep(update)


def test_the_ids_of_answered_updates_may_come_again_with_another_bot(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        history = History(store.db)
        for text in ("first bot", "second bot"):
            heard = Message(1, 9, datetime.fromtimestamp(0, UTC), 1, False, text)
            history.hear(5, heard)
            history.hear(5, heard)
            history.plan(5, 1, ["ok"], None, 0)
            history.settle(5)
        assert [message.text for message in history.messages(1, 10)] == ["first bot", "ok", "second bot", "ok"]


def _ends(tmp_path: Path, arrange: Callable[[BotApi], None], token: str = TOKEN) -> BotError:
    async def scene() -> None:
        async with bot_api() as api:
            arrange(api)
            await run_bot(bot_settings(tmp_path, api), token, Parrot, asyncio.Event(), FAST)

    with pytest.raises(BotError) as ended:
        asyncio.run(asyncio.wait_for(scene(), 60))
    return ended.value


def test_a_rejected_token_ends_the_bot_with_one_sentence_that_does_not_hold_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "987654321:AAwrong_token_wrong_token_wrong_token"
    error = _ends(tmp_path, lambda api: None, wrong)
    assert "rejects" in str(error) and "BotFather" in str(error)
    assert wrong not in str(error) + caplog.text


def test_what_is_no_token_is_not_even_tried(tmp_path: Path) -> None:
    assert "not one" in str(_ends(tmp_path, lambda api: None, "hunter2 and more"))


def test_a_second_poller_ends_the_bot_with_one_sentence(tmp_path: Path) -> None:
    def arrange(api: BotApi) -> None:
        api.refuse["getUpdates"] = [ApiRefusal("Conflict: terminated by other getUpdates request", 409)] * 3

    assert "Another program" in str(_ends(tmp_path, arrange))


def test_a_conflict_that_passes_is_no_end(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            api.refuse["getUpdates"] = [ApiRefusal("Conflict: terminated by other getUpdates request", 409)] * 2
            async with running_bot(api, bot_settings(tmp_path, api), Parrot):
                await api.write(FRIEND, "hi")
                await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    asyncio.run(scene())


def test_a_network_that_is_away_at_the_start_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            api.refuse["getMe"] = [ApiRefusal("Bad Gateway", 502)] * 3
            async with running_bot(api, bot_settings(tmp_path, api), Parrot):
                await api.write(FRIEND, "hi")
                await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    caplog.set_level(logging.INFO)
    asyncio.run(scene())
    assert caplog.text.count("cannot be reached") == 1 and "answers again" in caplog.text


def test_a_bot_that_reaches_nobody_stops_when_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"bot_api_url": "http://127.0.0.1:9"})
            async with running_bot(api, settings, Parrot):
                await api.until(lambda: "cannot be reached" in caplog.text)

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_without_an_owner_or_a_token_the_command_says_what_to_do(
    run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run_twin("bot")
    assert ran.code == 2 and "no bot token" in ran.err and "Traceback" not in ran.err
    monkeypatch.setenv("TWIN_BOT_TOKEN", TOKEN)
    ran = run_twin("bot")
    assert ran.code == 2 and "telegram.owner_id" in ran.err and TOKEN not in ran.err
    monkeypatch.setenv("TWIN_TELEGRAM__OWNER_ID", str(OWNER))
    monkeypatch.setenv("TWIN_TELEGRAM__BOT_API_URL", "localhost:8081")
    ran = run_twin("bot")
    assert ran.code == 2 and "bot_api_url" in ran.err


_STUCK = """
import sys, time
sys.path.insert(0, {root!r})
import bot.cli
from tests.bot_api import Parrot
bot.cli.build_generator = lambda settings: Parrot(lambda heard: time.sleep(3600))
from twin.cli import main
main(["--verbose", "bot"])
"""


def test_sigterm_ends_the_process_within_ten_seconds_even_in_a_reply_without_end(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def environment(api: BotApi) -> dict[str, str]:
        return os.environ | {
            "TWIN_HOME": str(tmp_path),
            "TWIN_BOT_TOKEN": TOKEN,
            "TWIN_TELEGRAM__OWNER_ID": str(OWNER),
            "TWIN_TELEGRAM__BUSY_SECONDS": "0",
            "TWIN_TELEGRAM__BOT_API_URL": api.url,
        }

    async def scene() -> None:
        async with bot_api() as api:
            with log.open("w") as output:
                process = subprocess.Popen(
                    [sys.executable, "-c", _STUCK.format(root=str(Path(__file__).parents[1]))],
                    env=environment(api),
                    stdout=output,
                    stderr=output,
                )
            try:
                await api.write(OWNER, "hi")
                await api.until(lambda: "sendChatAction" in api.methods(OWNER))
                told = time.monotonic()
                process.send_signal(signal.SIGTERM)
                await api.until(lambda: process.poll() is not None)
                assert process.returncode == 0
                assert time.monotonic() - told < 10
            finally:
                process.kill()
                process.wait()
            async with running_bot(api, bot_settings(tmp_path, api), Parrot):
                await api.until(lambda: api.texts(OWNER) == ["you said hi"])

    asyncio.run(scene())
    written = log.read_text()
    assert "Listening" in written and TOKEN.split(":")[1] not in written and "Traceback" not in written

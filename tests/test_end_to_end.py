"""The whole way, once: an export goes in, the bot answers, /retrain closes the loop."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bot_api import FRIEND, OWNER, TOKEN, bot_api
from tests.chats import ANSWERS, QUESTIONS, START
from twin.registry import Registry
from twin.store import Store


def export_of(days: int) -> dict[str, object]:
    """A single-chat export: every day a conversation of questions and the owner's answers."""
    messages = [
        {
            "id": day * 8 + n + 1,
            "type": "message",
            "date_unixtime": str(int(START.timestamp()) + day * 86400 + n * 60),
            "date": "2024-01-01T00:00:00",
            "from": "Me" if n % 2 else "Somebody",
            "from_id": "user1001" if n % 2 else "user7",
            "text": (ANSWERS if n % 2 else QUESTIONS)[(day + n // 2) % 4],
        }
        for day in range(days)
        for n in range(8)
    ]
    return {"name": "Somebody", "type": "personal_chat", "id": 7, "messages": messages}


def answered_by(home: Path, chat: int) -> list[str | None]:
    with Store.open(home / "twin.db") as store:
        rows = store.db.execute("select adapter from bot_messages where speaker = 'owner' and chat_id = ?", [chat])
        return [row[0] for row in rows]


@pytest.fixture
def twin(tmp_path, tiny_base):
    """`twin("train", "--json")`: a verb in a process of its own, in a home with 240 ingested messages."""
    options = {
        "TWIN_HOME": str(tmp_path / "home"),
        "TWIN_BASE__MODEL": str(tiny_base()),
        "TWIN_TRAIN__LEARNING_RATE": "0.02",
        "TWIN_TRAIN__BATCH_TOKENS": "256",
        "TWIN_REPLY__MAX_TOKENS": "16",
        "TWIN_WORKER__POLL_SECONDS": "0.1",
        "TWIN_TELEGRAM__PACING": "fast",
        "TWIN_TELEGRAM__DEBOUNCE_SECONDS": "0.2",
        "TWIN_TELEGRAM__BUSY_SECONDS": "0",
    }
    export = tmp_path / "result.json"
    export.write_text(json.dumps(export_of(days=30)))
    twin = Twin(os.environ | options)
    assert json.loads(twin("ingest", "export", str(export), "--json"))["added"] == 240
    return twin


@dataclass
class Twin:
    """The command line, as a user has it."""

    environment: dict[str, str]

    def __call__(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "twin", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "twin", *arguments], env=self.environment | more)


def test_twin_up_answers_retrains_answers_with_the_new_adapter_and_stops_cleanly(tmp_path, twin):
    home = tmp_path / "home"
    first = json.loads(twin("train", "--json"))
    assert first["promoted"]

    async def scene() -> None:
        async with bot_api() as api:
            up = twin.start(
                "up",
                TWIN_BOT_TOKEN=TOKEN,
                TWIN_TELEGRAM__BOT_API_URL=api.url,
                TWIN_TELEGRAM__OWNER_ID=str(OWNER),
                TWIN_TELEGRAM__ALLOWED_IDS=f"[{FRIEND}]",
                TWIN_TELEGRAM__DISCLOSURE="false",
            )
            try:
                await api.write(FRIEND, "hey")
                await api.until(lambda: answered_by(home, FRIEND), 120)
                assert set(answered_by(home, FRIEND)) == {first["version"]}
                assert api.methods(FRIEND)[0] == "sendChatAction"
                await api.write(OWNER, "/retrain")
                await api.until(lambda: any("answers from the next message" in m for m in api.shown(OWNER)), 240)
                with Store.open(home / "twin.db") as store:
                    second = Registry(home / "adapters", store.db).current()
                assert second not in (None, first["version"])
                before = len(answered_by(home, FRIEND))
                await api.write(FRIEND, "are you coming tonight?")
                await api.until(lambda: len(answered_by(home, FRIEND)) > before, 120)
                assert set(answered_by(home, FRIEND)[before:]) == {second}
            finally:
                up.terminate()
                assert await asyncio.to_thread(up.wait, 60) == 0

    asyncio.run(scene())

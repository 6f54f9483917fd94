"""The demo's corpus: a public chat history in the shape of a Telegram Desktop export."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SHA256 = "92a17e9470342fd34f81cb8892ecdd7e4e19a72dd2e3287c3b32c5720fa794f4"


def _load() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "demo" / "chitchat.py"
    spec = importlib.util.spec_from_file_location("chitchat", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chitchat = _load()
pytestmark = pytest.mark.xdist_group("demo-corpus")


@pytest.fixture(scope="module")
def corpus() -> dict[str, Any]:
    loaded: dict[str, Any] = chitchat.load_corpus()
    return loaded


def _messages(export: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for chat in export["chats"]["list"] for message in chat["messages"]]


def test_the_export_is_the_same_to_the_byte_everywhere(tmp_path: Path) -> None:
    chitchat.write_export(tmp_path / "result.json")
    assert hashlib.sha256((tmp_path / "result.json").read_bytes()).hexdigest() == SHA256


def test_the_owner_wrote_ten_thousand_messages_in_forty_dialogs(corpus: dict[str, Any]) -> None:
    export = chitchat.export_of(corpus=corpus)
    assert len(export["chats"]["list"]) == 40
    assert Counter(message["from_id"] == "user102" for message in _messages(export)) == {True: 10_807, False: 7_238}


def test_the_dialogs_hold_sixty_six_conversations(corpus: dict[str, Any]) -> None:
    assert sum(map(len, chitchat.dialogs_of(chitchat.OWNER, corpus))) == 66


def test_both_cuts_are_starts_of_conversations_which_none_straddles(corpus: dict[str, Any]) -> None:
    spans = [
        (lines[0]["timestamp"], lines[-1]["timestamp"])
        for conversations in chitchat.dialogs_of(chitchat.OWNER, corpus)
        for lines in conversations
    ]
    for cut in (chitchat.VAL_FROM, chitchat.TEST_FROM):
        stamp = cut.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert stamp in {start for start, _ in spans}
        assert not [span for span in spans if span[0] < stamp <= span[1]]


def test_any_participant_can_be_the_owner(corpus: dict[str, Any]) -> None:
    other = "31267496-e50f-4f91-a197-c5b1bfde803b"
    export = chitchat.export_of(other, corpus)
    owner = f"user{export['personal_information']['user_id']}"
    assert sum(message["from_id"] == owner for message in _messages(export)) > 1_000


def test_an_unknown_participant_is_refused_in_one_sentence(corpus: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match="choose the uuid"):
        chitchat.export_of("nobody", corpus)


def test_every_message_has_what_telegram_desktop_writes(corpus: dict[str, Any]) -> None:
    keys = ["id", "type", "date", "date_unixtime", "from", "from_id", "text", "text_entities"]
    assert {json.dumps(list(message)) for message in _messages(chitchat.export_of(corpus=corpus))} == {json.dumps(keys)}

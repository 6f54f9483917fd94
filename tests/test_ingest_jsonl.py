"""JSON lines: what a line may say, and that every line of no use is counted under its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.identity import chat_number
from tests.exports import ANNA, chat, full, said, write
from twin.messages import Message
from twin.settings import Settings
from twin.store import Store

Twin = Callable[..., Any]
LINE = {"chat": "Anna", "date": "2024-05-01T18:30:00+02:00", "sender": "Anna", "is_owner": False, "text": "marzipan"}
NUMBER = chat_number("jsonl", "Anna")


def saved(folder: Path, *lines: Any, name: str = "talk.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def stored(home: Settings, chat_id: int = NUMBER) -> list[Message]:
    with Store.open(home.database) as store:
        return store.messages(chat_id)


def counts(ran: Any) -> tuple[int, dict[str, int]]:
    told = json.loads(ran.out)
    return told["messages"], told["skipped"]


def test_a_line_is_a_message(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    owner = {**LINE, "date": 1714581000, "sender": None, "is_owner": True, "text": "hi\nthere"}
    ran = run_twin("ingest", "jsonl", saved(tmp_path, LINE, owner))
    assert (ran.code, ran.err) == (0, "") and "Anna" in ran.out and "50%" in ran.out
    first, second = stored(home)
    assert (first.text, first.is_owner, first.sent_at) == ("marzipan", False, datetime(2024, 5, 1, 16, 30, tzinfo=UTC))
    assert (second.text, second.is_owner) == ("hi\nthere", True)


def test_a_line_may_tell_more(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    more = {"reply_to": 3, "edited": 1714590000.5, "media": "photo", "media_note": "x", "forwarded_from": "News"}
    run_twin("ingest", "jsonl", saved(tmp_path, {**LINE, "chat_id": ANNA, "id": 7, "via_bot": "@gif", **more}))
    (message,) = stored(home, ANNA)
    assert (message.message_id, message.reply_to, message.media, message.media_note) == (7, 3, "photo", "x")
    assert (message.forwarded_from, message.via_bot) == ("News", "@gif")
    assert message.edited_at == datetime(2024, 5, 1, 19, 0, tzinfo=UTC)


def test_what_our_own_exports_tell_is_read_back(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    own = {
        "sender_id": 5,
        "entities": [{"type": "bold", "offset": 0, "length": 2}],
        "reactions": [{"emoji": "👍", "by_owner": True, "by_other": False}],
        "first_text": "before",
        "deleted": "2024-05-02T00:00:00+00:00",
        "edited": 1714590000,
    }
    run_twin("ingest", "jsonl", saved(tmp_path, {**LINE, **own}))
    (message,) = stored(home)
    assert (message.sender_id, message.first_text) == (5, "before")
    assert message.entities == '[{"type":"bold","offset":0,"length":2}]'
    assert message.reactions == '[{"emoji":"👍","by_owner":true,"by_other":false}]'
    assert message.deleted_at == datetime(2024, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "odd",
    [
        *({"entities": value} for value in (5, "x", [5], ["x"], [{}], [{"type": 5}], [{"type": "bold", "x": [1]}])),
        *({"reactions": value} for value in (5, ["x"], [{}], [{"emoji": 5, "by_owner": 1, "by_other": 1}])),
    ],
)
def test_formatting_and_reactions_of_another_shape_are_dropped_and_counted(
    run_twin: Twin, tmp_path: Path, odd: dict[str, Any]
) -> None:
    told = json.loads(run_twin("ingest", "jsonl", saved(tmp_path, {**LINE, **odd}), "--json").out)
    assert (told["added"], told["inexact"]) == (1, {"a detail of unknown shape left out": 1})


def test_with_telegrams_numbers_a_line_and_an_exports_message_are_one_row(
    run_twin: Twin, tmp_path: Path, home: Settings
) -> None:
    run_twin("ingest", "export", write(tmp_path, full(chat([said(1), said(7, ANNA, "marzipan")]))))
    run_twin("ingest", "jsonl", saved(tmp_path, {**LINE, "chat_id": ANNA, "id": 7, "date": 1700000070}))
    assert [message.message_id for message in stored(home, ANNA)] == [1, 7]


def test_chats_that_take_turns_are_told_apart_and_the_same_twice_stays_twice(
    run_twin: Twin, tmp_path: Path, home: Settings
) -> None:
    other = {**LINE, "chat": "Boris", "is_owner": True}
    path = saved(tmp_path, *[LINE, other] * 3)
    assert json.loads(run_twin("ingest", "jsonl", path, "--json").out)["added"] == 6
    assert [len(stored(home, chat_number("jsonl", name))) for name in ("Anna", "Boris")] == [3, 3]
    again = json.loads(run_twin("ingest", "jsonl", saved(tmp_path, *[LINE, other] * 4), "--json").out)
    assert (again["added"], again["unchanged"]) == (2, 6)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON object"),
        ("[]", "no JSON object"),
        ("\ufeffx", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"x": ' + "9" * 5_000 + "}", "no JSON object"),
        ({**LINE, "chat": None}, 'without a usable "chat"'),
        ({**LINE, "chat": " "}, 'without a usable "chat"'),
        ({**LINE, "chat": 5}, 'without a usable "chat"'),
        ({**LINE, "chat_id": "5"}, 'without a usable "chat_id"'),
        ({**LINE, "id": 2**63}, 'without a usable "id"'),
        ({**LINE, "id": True}, 'without a usable "id"'),
        ({**LINE, "text": None}, 'without a usable "text"'),
        ({**LINE, "text": ""}, "empty"),
        ({**LINE, "sender": ["x"]}, 'without a usable "sender"'),
        ({**LINE, "is_owner": "yes"}, 'without a usable "is_owner"'),
        ({**LINE, "is_owner": 1}, 'without a usable "is_owner"'),
        ({**LINE, "date": "yesterday"}, 'without a usable "date"'),
        ({**LINE, "date": True}, 'without a usable "date"'),
        ({**LINE, "date": -5}, 'without a usable "date"'),
        ({**LINE, "date": 10**18}, 'without a usable "date"'),
        ({**LINE, "date": float("nan")}, 'without a usable "date"'),
        ({**LINE, "edited": {}}, 'without a usable "edited"'),
    ],
)
def test_a_line_of_no_use_is_counted_under_its_reason(run_twin: Twin, tmp_path: Path, line: Any, reason: str) -> None:
    ran = run_twin("ingest", "jsonl", saved(tmp_path, LINE, line, "", "  "), "--json")
    assert counts(ran) == (1, {reason: 1})


def test_a_line_longer_than_any_message_is_counted_once(
    run_twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.jsonl._LONGEST", 1_000)
    path = saved(tmp_path, LINE, json.dumps({**LINE, "text": "x" * 5_000}), LINE)
    assert counts(run_twin("ingest", "jsonl", path, "--json")) == (2, {"no JSON object": 1})


def test_unknown_keys_are_left_out_by_name(run_twin: Twin, tmp_path: Path) -> None:
    odd = {**LINE, "mood": 1, "\x1b[2J": 2, **{f"key{number}": 0 for number in range(40)}}
    told = json.loads(run_twin("ingest", "jsonl", saved(tmp_path, odd), "--json").out)["inexact"]
    assert sum(told.values()) == 42 and len(told) <= 22
    assert all("\x1b" not in reason for reason in told)


def test_half_a_character_is_replaced_and_counted(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    ran = run_twin("ingest", "jsonl", saved(tmp_path, json.dumps({**LINE, "text": "\ud83d\ude00 \ud83d!"})), "--json")
    assert json.loads(ran.out)["inexact"] == {"half a character replaced": 1}
    assert stored(home)[0].text == "😀 \ufffd!"


def test_times_without_a_zone_are_read_as_wished_and_it_is_said(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    path = saved(tmp_path, {**LINE, "date": "2024-05-01 18:30"})
    out = run_twin("ingest", "jsonl", path, "--timezone", "Asia/Tokyo").out
    assert "Times without a zone were read as those of Asia/Tokyo." in out
    assert stored(home)[0].sent_at == datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


def test_a_file_without_one_message_is_refused_and_quotes_nothing(run_twin: Twin, tmp_path: Path) -> None:
    ran = run_twin("ingest", "jsonl", saved(tmp_path, '{"marzipan": 1}', "marzipan"))
    assert (ran.code, ran.out) == (2, "") and "is a message: give lines such as" in ran.err
    assert "marzipan" not in ran.err


def test_any_file_is_read_as_json_lines_if_that_is_asked_for(run_twin: Twin, tmp_path: Path) -> None:
    assert run_twin("ingest", "jsonl", saved(tmp_path, LINE, name="talk.txt")).code == 0

"""The table of formats: which file is read by whom, and what a new kind of file takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.formats import FORMATS, load, recognise
from ingest.identity import chat_number
from ingest.places import Place
from ingest.source import Evidence, Format, Incoming, OnBytes, Owner, Tally, Wishes
from tests.exports import ANNA, chat, small_talk, write
from twin.errors import IngestError
from twin.messages import Message
from twin.settings import Settings
from twin.store import Store

Twin = Callable[..., Any]


class Toy:
    """A source of another kind, whole: lines such as `me: hello`, a minute apart."""

    evidence = Evidence(is_marked=True)
    name = "toy"

    def __init__(self, place: Place, wishes: Wishes, on_bytes: OnBytes) -> None:
        self.place = place
        self.tally = Tally()

    def source(self, owner: Owner) -> Toy:
        self.owner = owner
        return self

    def dialogs(self) -> Iterator[Incoming]:
        yield Incoming(chat_number("toy", "them"), "them", self._messages())

    def _messages(self) -> Iterator[Message]:
        with self.place.open() as file:
            for number, line in enumerate(file, 1):
                who, _, text = line.decode().strip().partition(": ")
                if not text:
                    self.tally.messages["empty"] += 1
                    continue
                at = datetime.fromtimestamp(60 * number, UTC)
                yield Message(chat_number("toy", "them"), number, at, None, who == "me", text)


FORMAT = Format(version=1, fits=lambda name, head: name.endswith(".toy"), open=Toy)


def test_a_new_kind_of_file_takes_one_module_and_one_line(
    run_twin: Twin, tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "toy", "tests.test_ingest_formats:FORMAT")
    path = tmp_path / "talk.toy"
    path.write_text("me: hello\nthem: hi\nme:\n")
    told = json.loads(run_twin("ingest", "export", path, write(tmp_path, chat(small_talk())), "--json").out)
    assert (told["added"], told["skipped"], [file["source"] for file in told["files"]]) == (
        8,
        {"empty": 1},
        ["toy", "telegram-desktop result.json"],
    )
    with Store.open(home.database) as store:
        assert [message.text for message in store.messages(chat_number("toy", "them"))] == ["hello", "hi"]
        assert len(store.messages(ANNA)) == 6
    assert json.loads(run_twin("ingest", "export", path, "--json").out)["files"][0]["is_known"]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("result.json", "{}", "telegram"),
        ("anything", '\n {"name": "Anna",\n "type": "personal_chat"', "telegram"),
        ("page.html", "<html>", "telegram"),
        ("broken.json", "Dear diary", "telegram"),
        ("_chat.txt", "[05/03/2025, 10:14:33] Anna: hi", "whatsapp"),
        ("my chat", "\ufeff\u200e[3/5/25, 10:14:33\u202fPM] \u200eAnna: hi", "whatsapp"),
        ("x.txt", "Foreword\n5/3/25, 10:14 - Anna: hi", "whatsapp"),
        ("x.jsonl", "", "jsonl"),
        ("x.txt", '{"chat": "A", "date": 5, "sender": "A", "is_owner": false, "text": "x"}\n{', "jsonl"),
    ],
)
def test_each_kind_of_file_is_recognised(tmp_path: Path, name: str, content: str, kind: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert recognise(Place(tmp_path / name), FORMATS)[0] == kind


def test_a_file_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("Dear diary, marzipan")
    with pytest.raises(IngestError, match="is no export that is known here") as caught:
        recognise(Place(tmp_path / "diary.txt"), FORMATS)
    assert "marzipan" not in str(caught.value)


def test_every_line_of_the_table_leads_to_a_format() -> None:
    assert all(isinstance(load(name), Format) for name in FORMATS)


def test_numbers_for_chats_are_negative_of_62_bits_and_the_same_in_any_case() -> None:
    assert (
        chat_number("toy", "Anna  Schmidt ") == chat_number("toy", "anna schmidt") != chat_number("x", "anna schmidt")
    )
    assert all(-(2**62) <= chat_number("toy", str(number)) < 0 for number in range(1_000))

"""A chat of WhatsApp as a source: whose it is, with whom, at which times, and always under the same numbers."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import export_cli
from ingest.identity import chat_number
from ingest.whatsapp import Clock
from tests.exports import chat, full, small_talk, write
from twin.settings import Settings
from twin.store import Store

Twin = Callable[..., Any]
ANNA = chat_number("whatsapp", "Anna")
BERLIN = ("--timezone", "Europe/Berlin")
LRM = "\u200e"


def android(*lines: str) -> str:
    return "\n".join(f"13.03.25, {line}" for line in lines)


TALK = android(
    "10:14 - Messages and calls are end-to-end encrypted.",
    "10:14 - Anna: hey",
    "10:14 - Max: hi",
    "10:14 - Max: hi\nthere",
    "10:15 - Anna: <Media omitted>",
    "10:16 - Max: This message was deleted",
)


def saved(folder: Path, text: str, name: str = "_chat.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def told(store: Store, chat_id: int = ANNA) -> list[tuple[str, bool, str, str | None]]:
    return [(f"{m.sent_at:%H:%M:%S}", m.is_owner, m.text, m.media) for m in store.messages(chat_id)]


def test_a_chat_comes_in_with_its_times_sides_and_media(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    ran = run_twin("ingest", "whatsapp", saved(tmp_path, TALK), "--me", "max", *BERLIN)
    assert (ran.code, ran.err) == (0, "")
    assert "1 service message" in ran.out and "1 deleted by its sender" in ran.out
    assert "Dates from WhatsApp were read as day/month/year, times as those of Europe/Berlin." in ran.out
    with Store.open(home.database) as store:
        assert told(store) == [
            ("09:14:00", False, "hey", None),
            ("09:14:01", True, "hi", None),
            ("09:14:02", True, "hi\nthere", None),
            ("09:15:00", False, "", "file"),
        ]
        assert [(dialog.chat_id, dialog.name) for dialog in store.dialogs()] == [(ANNA, "Anna")]


def test_both_phones_of_a_chat_make_one_dialog(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    ios = f"[14/03/2025, 10:14:33] Anna: hey\r\n{LRM}[14/03/2025, 10:14:33] Max: {LRM}image omitted"
    run_twin("ingest", "export", saved(tmp_path / "1", TALK), saved(tmp_path / "2", ios), "--me", "Max", *BERLIN)
    with Store.open(home.database) as store:
        assert [(dialog.name, dialog.messages) for dialog in store.dialogs()] == [("Anna", 6)]
        assert told(store)[-2:] == [("09:14:33", False, "hey", None), ("09:14:34", True, "", "photo")]


def test_an_archive_is_read_where_it_is(run_twin: Twin, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "WhatsApp Chat - Anna.zip", "w") as archive:
        archive.writestr("_chat.txt", TALK)
        archive.writestr("IMG-20250313-WA0001.jpg", b"")
    out = run_twin("ingest", "whatsapp", tmp_path, "--me", "Max", "--json").out
    assert (json.loads(out)["added"], [path.name for path in tmp_path.iterdir() if path.name != "home"]) == (
        4,
        ["WhatsApp Chat - Anna.zip"],
    )


def test_the_same_again_changes_nothing_and_a_longer_export_adds_what_is_new(
    run_twin: Twin, tmp_path: Path, home: Settings
) -> None:
    run_twin("ingest", "whatsapp", saved(tmp_path / "1", TALK), "--me", "Max", *BERLIN)
    longer = saved(tmp_path / "2", TALK + "\n" + android("10:16 - Max: hi", "10:17 - Anna: bye"))
    counts = json.loads(run_twin("ingest", "whatsapp", longer, "--me", "Max", *BERLIN, "--json").out)
    assert (counts["added"], counts["updated"], counts["unchanged"]) == (2, 0, 4)
    shorter = saved(tmp_path / "3", android("10:15 - Anna: <Media omitted>", "10:16 - Max: hi"))
    counts = json.loads(run_twin("ingest", "whatsapp", shorter, "--me", "Max", *BERLIN, "--json").out)
    assert (counts["added"], counts["unchanged"]) == (0, 2)


WORDS = st.sampled_from(["hi", "ok", "see you", "да", "好"])
MINUTES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["Anna", "Max"]), WORDS), min_size=2, max_size=40)


@given(MINUTES, st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_any_part_of_a_chat_that_begins_with_a_minute_has_the_same_rows(
    run_twin: Twin, tmp_path: Path, home: Settings, steps: list[tuple[int, str, str]], data: st.DataObject
) -> None:
    home.database.unlink(missing_ok=True)
    at, lines = datetime(2025, 3, 13, 10, 0), []
    for minutes, name, text in [(0, "Anna", "hi"), (0, "Max", "hi"), *steps]:
        at += timedelta(minutes=minutes)
        lines.append((at, f"{at:%d.%m.%y, %H:%M} - {name}: {text}"))
    starts = [n for n, (at, _) in enumerate(lines) if n == 0 or lines[n - 1][0] < at]
    first = data.draw(st.sampled_from(starts))
    part = [line for _, line in lines[first : data.draw(st.integers(first + 1, len(lines)))]]
    for text in ("\n".join(line for _, line in lines), "\n".join(part)):
        run_twin("ingest", "export", saved(tmp_path / "x", text, "WhatsApp Chat with Anna.txt"), "--me", "Max", *BERLIN)
        with Store.open(home.database) as store:
            rows = {m.message_id: m for m in store.messages(ANNA)}
        assert len(rows) == len(lines)
        assert [m.text for m in sorted(rows.values(), key=lambda m: m.sent_at)] == [
            line.split(": ", 1)[1] for _, line in lines
        ]


def test_the_owner_who_is_not_named_is_asked_if_somebody_is_there(
    run_twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, TALK)
    ran = run_twin("ingest", "whatsapp", path)
    assert ran.code == 2 and "--me" in ran.err and "Anna" not in ran.err
    monkeypatch.setattr(export_cli, "is_interactive", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_, **__: 2)
    ran = run_twin("ingest", "whatsapp", path)
    assert ran.code == 0 and "1  Anna" in ran.out and "2  Max" in ran.out


def test_the_name_of_an_earlier_run_is_remembered(run_twin: Twin, tmp_path: Path) -> None:
    run_twin("ingest", "whatsapp", saved(tmp_path / "1", TALK), "--me", "Max")
    other = saved(tmp_path / "2", TALK.replace("Anna", "Boris"))
    assert run_twin("ingest", "whatsapp", other).code == 0
    assert run_twin("ingest", "whatsapp", saved(tmp_path / "1", TALK)).code == 0


def test_a_group_is_refused_by_the_number_of_its_people(run_twin: Twin, tmp_path: Path) -> None:
    ran = run_twin("ingest", "whatsapp", saved(tmp_path, TALK + "\n" + android("10:17 - Boris: hi")), "--me", "Max")
    assert ran.code == 2 and "is the chat of a group (3 people speak in it)" in ran.err


@pytest.mark.parametrize(
    ("text", "options", "problem"),
    [
        ("Dear diary, marzipan", (), "is no export that is known here"),
        (android("10:14 - Messages are encrypted"), (), "is no chat that WhatsApp exported"),
        ("1403/12/15, 22:14 - Anna: marzipan\n1403/12/15, 22:14 - Max: x", (), "in a way that is not known here"),
        (TALK, ("--timezone", "Mars/Olympus"), "There is no time zone called Mars/Olympus"),
        (TALK, ("--timezone", "../../etc/passwd"), "There is no time zone called"),
        (TALK, ("--me", "Moritz"), "is called as --me says"),
        (android("10:14 - Max: alone"), ("--me", "Max"), "does not tell whom the chat is with"),
    ],
)
def test_what_cannot_be_read_ends_in_one_sentence(
    run_twin: Twin, tmp_path: Path, text: str, options: tuple[str, ...], problem: str
) -> None:
    ran = run_twin("ingest", "whatsapp", saved(tmp_path, text), *(options or ("--me", "Max")))
    assert (ran.code, ran.out) == (2, "")
    assert problem in ran.err and ran.err.count("\n") == 1 and "marzipan" not in ran.err


def test_bytes_that_are_no_text_end_in_one_sentence(run_twin: Twin, tmp_path: Path) -> None:
    path = saved(tmp_path, TALK)
    path.write_bytes(path.read_bytes().replace(b"hey", b"\xff\xfe"))
    assert "is not valid UTF-8" in run_twin("ingest", "whatsapp", path, "--me", "Max").err


def test_a_chat_where_only_one_speaks_is_named_by_its_file(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    alone = saved(tmp_path, android("10:14 - Max: hello?"), "Чат WhatsApp с Anna.txt")
    run_twin("ingest", "whatsapp", alone, "--me", "Max")
    silent = saved(tmp_path / "2", android("10:14 - Boris: hello?"))
    run_twin("ingest", "whatsapp", silent, "--me", "Max")
    with Store.open(home.database) as store:
        assert {(dialog.name, dialog.owner_messages) for dialog in store.dialogs()} == {("Anna", 1), ("Boris", 0)}


def test_whatsapp_and_telegram_belong_to_the_same_owner(run_twin: Twin, tmp_path: Path) -> None:
    path = saved(tmp_path, TALK)
    assert run_twin("ingest", "whatsapp", path, "--me", "Max").code == 0
    assert run_twin("ingest", "export", write(tmp_path, full(chat(small_talk())))).code == 0
    assert run_twin("ingest", "whatsapp", saved(tmp_path, TALK.replace("hey", "ho"), "2.txt"), "--me", "Max").code == 0
    assert run_twin("ingest", "export", write(tmp_path, full(chat(small_talk()), owner=7), "7.json")).code == 2


def test_a_doubtful_order_of_day_and_month_is_said(run_twin: Twin, tmp_path: Path) -> None:
    ran = run_twin("ingest", "whatsapp", saved(tmp_path, TALK.replace("13.03", "03.04")), "--me", "Max")
    assert "read as day/month/year, though they could be meant otherwise" in ran.out


def test_every_entry_is_stored_or_counted(run_twin: Twin, tmp_path: Path) -> None:
    text = "Foreword\n\n" + TALK + "\n" + android("25:61 - Anna: when?", "10:17 - Anna: null", "10:17 - Anna: ")
    found = json.loads(run_twin("ingest", "whatsapp", saved(tmp_path, text), "--me", "Max", "--json").out)
    assert found["messages"] + sum(found["skipped"].values()) == 10
    assert found["skipped"] == {
        "before the first message": 1,
        "service message": 1,
        "deleted by its sender": 1,
        "without a time that can be read": 1,
        "self-destructing": 1,
        "empty": 1,
    }


def test_clocks_set_back_for_winter_show_their_hour_twice_and_it_is_read_twice() -> None:
    clock = Clock(ZoneInfo("Europe/Berlin"))
    shown = [datetime(2024, 10, 27, 2, 10), datetime(2024, 10, 27, 2, 50), datetime(2024, 10, 27, 2, 10)]
    assert [clock.utc(moment) for moment in shown] == [
        datetime(2024, 10, 27, 0, 10, tzinfo=UTC),
        datetime(2024, 10, 27, 0, 50, tzinfo=UTC),
        datetime(2024, 10, 27, 1, 10, tzinfo=UTC),
    ]


def test_a_clock_that_was_wrong_for_a_while_does_not_move_what_follows() -> None:
    clock = Clock(ZoneInfo("UTC"))
    clock.utc(datetime(2031, 1, 1))
    assert clock.utc(datetime(2025, 3, 13, 10, 14)) == datetime(2025, 3, 13, 10, 14, tzinfo=UTC)


@given(st.lists(st.integers(0, 3), max_size=80))
def test_entries_of_one_minute_keep_their_order(steps: list[int]) -> None:
    clock, at, times = Clock(ZoneInfo("UTC")), datetime(2025, 3, 13), []
    for minutes in steps:
        at += timedelta(minutes=minutes)
        times.append(clock.utc(at))
    assert times == sorted(set(times))

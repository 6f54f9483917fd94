"""`twin ingest`: what its reader sees, and bad input of every kind ending in one sentence."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.exports import ANNA, BORIS, OWNER, chat, full, said, small_talk, write
from twin.settings import Settings
from twin.store import Store

Twin = Callable[..., Any]
SECRET = "marzipan"  # the word in every text of tests.exports


def test_an_export_is_shown_by_dialogs_shares_years_and_what_was_left_out(run_twin: Twin, tmp_path: Path) -> None:
    export = full(chat([*small_talk(), said(9, type="service")]), chat([said(1)], 5, "Bot", "bot_chat"))
    ran = run_twin("ingest", "export", write(tmp_path, export))
    assert (ran.code, ran.err) == (0, "")
    for words in ("1 private dialog", "Anna", "50%", "2023-11-14", "6 messages added", "1 service message", "bot"):
        assert words in ran.out
    assert "You are user 100 (known from the export)" in ran.out
    assert SECRET not in ran.out


def test_the_same_account_is_there_for_scripts(run_twin: Twin, tmp_path: Path) -> None:
    told = json.loads(run_twin("ingest", "export", write(tmp_path, chat(small_talk())), "--json").out)
    assert (told["added"], told["messages"], told["owner_messages"], told["owner_id"]) == (6, 6, 3, OWNER)
    assert told["dialogs"] == [
        {
            "chat_id": ANNA,
            "name": "Anna",
            "messages": 6,
            "owner_messages": 3,
            "first_at": "2023-11-14T22:13:30+00:00",
            "last_at": "2023-11-14T22:14:20+00:00",
        }
    ]


def test_a_bad_file_among_good_ones_is_told_at_the_end_and_ends_in_exit_code_2(run_twin: Twin, tmp_path: Path) -> None:
    good = [write(tmp_path / str(n), full(chat(small_talk(300 + n), 300 + n, f"Friend {n}"))) for n in range(25)]
    bad = write(tmp_path / "bad", {SECRET: 1})
    ran = run_twin("ingest", "export", bad, *good, tmp_path / "nothing")
    assert ran.code == 2 and "25 private dialogs from 25 files" in ran.out and "... and 5 more" in ran.out
    first, second = ran.err.splitlines()
    assert f"{bad} is not a Telegram Desktop export" in first and "There is no file" in second
    told = json.loads(run_twin("ingest", "export", bad, *good, "--json").out)
    assert [failed["file"] for failed in told["failed"]] == [str(bad)] and len(told["files"]) == 25
    assert SECRET not in ran.out + ran.err + json.dumps(told)


def test_nothing_but_bad_files_is_nothing_but_sentences(run_twin: Twin, tmp_path: Path) -> None:
    ran = run_twin("ingest", "export", tmp_path / "one", tmp_path / "two")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 2)


def test_many_dialogs_end_in_a_line_for_the_others(run_twin: Twin, tmp_path: Path) -> None:
    chats = [chat(small_talk(number), number, f"Friend {number}") for number in range(300, 330)]
    out = run_twin("ingest", "export", write(tmp_path, full(*chats))).out
    assert "... and 10 more" in out and "Friend 319" in out and "Friend 320" not in out


def test_status_says_how_to_begin_and_then_what_is_there(
    run_twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert "twin ingest export PATH" in run_twin("ingest", "status").out
    run_twin("ingest", "export", write(tmp_path, full(chat(small_talk()), chat([said(9)], BORIS, None))))
    out = run_twin("ingest", "status").out
    assert "Anna" in out and f"deleted account {BORIS}" in out and "in all" in out
    told = json.loads(run_twin("ingest", "status", "--json").out)
    assert (told["messages"], told["owner_messages"], len(told["dialogs"])) == (7, 4, 2)


def test_a_name_cannot_steer_the_terminal(run_twin: Twin, tmp_path: Path) -> None:
    out = run_twin("ingest", "export", write(tmp_path, chat(small_talk(), name="\x1b[2J[bold]A"))).out
    assert "\x1b" not in out and "\N{REPLACEMENT CHARACTER}[2J[bold]A" in out


def test_names_that_only_joiners_hold_together_stay_together(run_twin: Twin, tmp_path: Path) -> None:
    names = ("\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}", "\u0645\u06cc\u200c\u0646\u0627")
    chats = [chat(small_talk(300 + number), 300 + number, name) for number, name in enumerate(names)]
    out = run_twin("ingest", "export", write(tmp_path, full(*chats))).out
    assert all(name in out for name in names)


def test_a_name_without_end_takes_one_line(run_twin: Twin, tmp_path: Path) -> None:
    out = run_twin("ingest", "export", write(tmp_path, chat(small_talk(), name="李 x" * 500))).out
    assert out.count("李") < 40 and "…" in out and len(out.splitlines()) < 12


def test_the_owner_may_be_told_for_one_run(run_twin: Twin, tmp_path: Path) -> None:
    path = write(tmp_path, chat([said(1, OWNER), said(2, ANNA), said(3, BORIS)]))
    assert run_twin("ingest", "export", path).code == 2
    assert run_twin("ingest", "export", path, "--owner-id", OWNER).code == 0


def _bad_inputs() -> dict[str, tuple[bytes, str]]:
    whole = json.dumps(full(chat(small_talk()))).encode()
    return {
        "empty": (b"", "is empty"),
        "no JSON": (b"Dear diary, marzipan", "is not JSON"),
        "HTML": (b"<html>marzipan", "HTML export"),
        "cut off in the middle": (whole[: len(whole) // 2], "cut off in the middle"),
        "cut off at the end": (whole[:-2], "cut off in the middle"),
        "no export": (b'{"marzipan": 1}', "is not a Telegram Desktop export"),
        "without the owner": (json.dumps(full(chat(small_talk()), owner=7)).encode(), "No message is by the owner"),
        "not UTF-8": (whole.replace(b"marzipan 3", b"marzipan \xff"), "is not valid UTF-8"),
    }


@pytest.mark.parametrize("kind", list(_bad_inputs()))
def test_bad_input_ends_in_one_sentence_with_a_remedy_and_writes_nothing(
    run_twin: Twin, tmp_path: Path, home: Settings, kind: str
) -> None:
    content, problem = _bad_inputs()[kind]
    path = tmp_path / "result.json"
    path.write_bytes(content)
    ran = run_twin("ingest", "export", path)
    assert (ran.code, ran.out) == (2, "")
    assert problem in ran.err and ran.err.count("\n") == 1
    assert SECRET not in ran.err
    with Store.open(home.database) as store:
        assert (store.message_count(), store.dialogs()) == (0, [])


def test_a_missing_file_and_a_folder_without_an_export_are_named(run_twin: Twin, tmp_path: Path) -> None:
    assert "There is no file" in run_twin("ingest", "export", tmp_path / "nothing.json").err
    assert "There is no result.json" in run_twin("ingest", "export", tmp_path).err


def test_a_database_of_a_newer_version_is_left_alone(run_twin: Twin, tmp_path: Path, home: Settings) -> None:
    Store.open(home.database).close()
    with sqlite3.connect(home.database) as db:
        db.execute("insert into _sqlite_migrations (migration_set, name, applied_at) values ('twin', 'm999', '')")
    db.close()
    ran = run_twin("ingest", "export", write(tmp_path, chat(small_talk())))
    assert ran.code == 2 and "newer version" in ran.err

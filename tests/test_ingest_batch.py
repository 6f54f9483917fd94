"""Many files in one run: each by itself, none twice, and a rehearsal that tells the truth and writes nothing."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest import desktop_export
from ingest.batch import Outcome, Request, ingest_files
from ingest.finding import find
from ingest.ownership import Claims
from ingest.source import Wishes
from tests.exports import ANNA, BORIS, OWNER, Raw, chat, full, said, small_talk, write
from twin.settings import Settings
from twin.store import Store, Written

Twin = Callable[..., Any]


def bring(store: Store, *paths: Path, is_rehearsal: bool = False, asked: int | None = None) -> list[Outcome]:
    claims = Claims(asked=asked, earlier=None)
    return ingest_files(find(paths), store, Request(Wishes(), claims, is_rehearsal=is_rehearsal))


def packed(path: Path, *exports: Any) -> Path:
    """Exports as folders of one archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, export in enumerate(exports):
            archive.writestr(f"ChatExport_{number}/result.json", json.dumps(export, ensure_ascii=False))
    return path


def rows(store: Store) -> list[tuple[Any, ...]]:
    return store.db.execute("select chat_id, message_id, text, is_owner from messages order by 1, 2").fetchall()


def tables(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in a database."""
    with sqlite3.connect(database) as db:
        names = [row[0] for row in db.execute("select name from sqlite_master where type = 'table'")]
        found = {name: db.execute(f"select * from {name}").fetchall() for name in names}  # noqa: S608 - their names
    db.close()
    return found


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder with two single chats, an archive of a third, and a broken one in between."""
    write(tmp_path / "in" / "ChatExport_1", chat(small_talk()))
    write(tmp_path / "in" / "ChatExport_2", chat(small_talk(BORIS, 50, 4), BORIS, "Boris"))
    packed(tmp_path / "in" / "ChatExport_3.zip", chat(small_talk(203, 80, 2), 203, "Chandra"))
    (tmp_path / "in" / "ChatExport_15").mkdir()
    (tmp_path / "in" / "ChatExport_15" / "result.json").write_text('{"name": "Anna", "type": "personal_chat", "messa')
    return tmp_path / "in"


def test_each_file_is_a_run_of_its_own_and_a_bad_one_stops_no_other(exports: Path, store: Store) -> None:
    outcomes = bring(store, exports)
    assert [outcome.error is None for outcome in outcomes] == [True, True, False, True]
    assert "cut off in the middle" in str(outcomes[2].error)
    assert [dialog.name for dialog in store.dialogs()] == ["Anna", "Boris", "Chandra"]
    assert store.db.table("ingest_runs").count == store.db.table("ingest_files").count == 3


def test_the_owner_of_single_chats_is_found_over_all_of_them(tmp_path: Path, store: Store) -> None:
    """Either alone could be anybody's: a third person wrote there, too."""
    one = write(tmp_path / "1", chat([*small_talk(count=2), said(9, 300)]))
    two = write(tmp_path / "2", chat([*small_talk(BORIS, 50, 2), said(60, 301)], BORIS))
    assert all(outcome.error for outcome in bring(store, one)) and rows(store) == []
    assert {outcome.report.owner.id for outcome in bring(store, one, two) if outcome.report} == {OWNER}


def test_earlier_runs_tell_the_owner(run_twin: Twin, tmp_path: Path) -> None:
    run_twin("ingest", "export", write(tmp_path / "1", full(chat(small_talk()))))
    ran = run_twin("ingest", "export", write(tmp_path / "2", chat([*small_talk(BORIS, 50, 2), said(60, 301)], BORIS)))
    assert (ran.code, ran.err) == (0, "")
    assert "You are user 100 (known from earlier runs)" in ran.out


def test_a_chat_in_which_only_the_other_wrote_comes_in_with_the_others(tmp_path: Path, store: Store) -> None:
    silent = write(tmp_path / "2", chat([said(50, BORIS)], BORIS, "Boris"))
    bring(store, write(tmp_path / "1", full(chat(small_talk()))), silent)
    assert [(dialog.name, dialog.owner_messages) for dialog in store.dialogs()] == [("Anna", 3), ("Boris", 0)]


def test_an_archive_gives_the_same_rows_as_its_files(tmp_path: Path, store: Store) -> None:
    every = [chat(small_talk()), full(chat(small_talk(BORIS, 50, 4), BORIS))]
    bring(store, *(write(tmp_path / str(number), export) for number, export in enumerate(every)))
    before = rows(store)
    outcomes = bring(store, packed(tmp_path / "a.zip", *every))
    assert [outcome.report.written for outcome in outcomes if outcome.report] == [Written(0, 0, 6), Written(0, 0, 4)]
    assert rows(store) == before


def test_two_exports_under_one_name_in_an_archive_are_both_read(tmp_path: Path, store: Store) -> None:
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for partner in (ANNA, BORIS):
            archive.writestr("result.json", json.dumps(full(chat(small_talk(partner), partner))))
    assert [outcome.is_known for outcome in bring(store, tmp_path / "a.zip")] == [False, False]
    assert [dialog.chat_id for dialog in store.dialogs()] == [ANNA, BORIS]
    assert [outcome.is_known for outcome in bring(store, tmp_path / "a.zip")] == [True, True]


def test_a_file_is_not_read_twice_and_shows_the_same_account(
    run_twin: Twin, tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, full(chat([*small_talk(), said(9, text="")]), chat([said(1)], 5, "Bot", "bot_chat")))
    first = json.loads(run_twin("ingest", "export", path, "--json").out)
    monkeypatch.setattr(desktop_export, "_survey", lambda _: pytest.fail("it was read again"))
    again = json.loads(run_twin("ingest", "export", path, "--json").out)
    (file,) = again.pop("files")
    assert (file["is_known"], first.pop("files")[0]["is_known"]) == (True, False)
    assert again == first | {"added": 0, "unchanged": 6}
    assert (
        "This very file was brought in before, byte for byte, and not read again."
        in run_twin("ingest", "export", path).out
    )
    with Store.open(home.database) as store:
        assert [run[0] for run in store.db.execute("select unchanged from ingest_runs order by id")] == [0, 6, 6]


def test_a_known_file_is_known_by_its_bytes_wherever_it_lies(tmp_path: Path, store: Store) -> None:
    export = chat(small_talk())
    bring(store, write(tmp_path / "1", export))
    assert bring(store, write(tmp_path / "elsewhere", export, "x.json"))[0].is_known
    assert not bring(store, write(tmp_path / "2", chat(small_talk(count=5))))[0].is_known


def read_again_after(act: Callable[[Store], object], tmp_path: Path, store: Store, **options: Any) -> Outcome:
    path = write(tmp_path, full(chat(small_talk()), chat(small_talk(BORIS, 50, 4), BORIS, "Boris")))
    bring(store, path)
    assert bring(store, path)[0].is_known
    act(store)
    (outcome,) = bring(store, path, **options)
    return outcome


def forget(store: Store) -> None:
    """As `twin forget` leaves the tables: rows gone, and a note that they stay gone."""
    store.db.execute("delete from messages where chat_id = ? and message_id < 4", [ANNA])
    store.db.table("forgotten").insert({"chat_id": ANNA, "before": 1_700_000_040, "forgotten_at": 1.0})


def test_what_the_owner_excluded_is_left_out_and_counted(tmp_path: Path, store: Store) -> None:
    outcome = read_again_after(lambda store: store.dialog_table.include(BORIS, False), tmp_path, store)
    assert not outcome.is_known and outcome.report
    assert outcome.report.skipped == {"excluded by you": 4}
    assert outcome.report.skipped_dialogs == {"excluded by you": 1}
    assert [dialog.chat_id for dialog in outcome.report.dialogs] == [ANNA]
    assert bring(store, tmp_path / "result.json")[0].is_known
    store.dialog_table.include(BORIS, True)
    assert not bring(store, tmp_path / "result.json")[0].is_known


def test_what_the_owner_forgot_stays_forgotten_and_is_counted(tmp_path: Path, store: Store) -> None:
    outcome = read_again_after(forget, tmp_path, store)
    assert not outcome.is_known and outcome.report
    assert outcome.report.skipped == {"forgotten by you": 3}
    assert [message.message_id for message in store.messages(ANNA)] == [4, 5, 6]


def test_another_owner_or_a_newer_reader_read_a_known_file_again(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not read_again_after(lambda _: None, tmp_path, store, asked=OWNER + 1).is_known
    newer = desktop_export.Format(
        desktop_export.FORMAT.version + 1, desktop_export.FORMAT.fits, desktop_export.DesktopExport.open
    )
    monkeypatch.setattr(desktop_export, "FORMAT", newer)
    assert not bring(store, tmp_path / "result.json")[0].is_known


def test_the_account_of_a_file_keeps_no_names_and_no_text(tmp_path: Path, store: Store) -> None:
    bring(store, write(tmp_path, full(chat(small_talk(), name="Anastasia"))))
    kept = json.dumps(list(store.db.query("select * from ingest_files")))
    assert "marzipan" not in kept and "Anastasia" not in kept


@pytest.mark.parametrize("is_there", [True, False])
def test_a_rehearsal_tells_what_would_come_in_and_writes_nothing(
    run_twin: Twin, tmp_path: Path, home: Settings, is_there: bool
) -> None:
    edited = [*small_talk(count=4), said(5, text="new words", edited_unixtime="1700009999"), said(7), said(8)]
    paths = [write(tmp_path / "2", chat(edited)), packed(tmp_path / "a.zip", chat([*edited, said(9, type="service")]))]
    if is_there:
        run_twin("ingest", "export", write(tmp_path / "1", chat(small_talk())))
    before = tables(home.database) if is_there else None
    told = json.loads(run_twin("ingest", "export", *paths, "--dry-run", "--json").out)
    assert (tables(home.database) if home.database.exists() else None) == before
    done = json.loads(run_twin("ingest", "export", *paths, "--json").out)
    assert told == done | {"dry_run": True}
    assert (told["added"], told["updated"], told["unchanged"]) == ((2, 1, 11) if is_there else (7, 0, 7))
    assert "Nothing was written" in run_twin("ingest", "export", *paths, "--dry-run").out


def test_a_rehearsal_knows_what_is_excluded_and_forgotten(tmp_path: Path, store: Store) -> None:
    outcome = read_again_after(forget, tmp_path, store, is_rehearsal=True)
    assert outcome.report and outcome.report.skipped == {"forgotten by you": 3}


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_file_that_changes_while_it_is_read_leaves_nothing(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
) -> None:
    path = write(tmp_path, chat(small_talk()))
    read_message = desktop_export.read_message

    def meddle(raw: Raw, *others: Any) -> Any:
        if raw["id"] == 3 and is_replaced:
            write(tmp_path / "2", chat(small_talk(count=5))).replace(path)
        elif raw["id"] == 3:
            path.write_text(path.read_text().replace("marzipan 6", "marzipan six"))
        return read_message(raw, *others)

    monkeypatch.setattr(desktop_export, "read_message", meddle)
    (outcome,) = bring(store, path)
    assert "changed while it was being read" in str(outcome.error)
    assert rows(store) == [] and store.db.table("ingest_runs").count == 0


def test_the_bytes_told_are_those_read(exports: Path, store: Store) -> None:
    told: list[int] = []
    found = find([exports])
    ingest_files(found, store, Request(Wishes(), Claims()), told.append)
    whole = [each.size for each in found if not isinstance(each, Exception) and "ChatExport_15" not in str(each)]
    broken = (exports / "ChatExport_15" / "result.json").stat().st_size
    assert sum(told) == 2 * sum(whole) + broken

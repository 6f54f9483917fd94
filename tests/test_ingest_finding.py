"""From paths to exports: files, folders, folders of folders, archives; and what people sent one another is none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ingest.finding import find
from ingest.places import Place
from twin.errors import IngestError


def made(root: Path, *files: str) -> Path:
    """Empty files below a folder; a name that ends in .zip becomes an archive with a result.json."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            archive(path, "result.json")
        else:
            path.write_text("{}")
    return root


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name in names:
            packed.writestr(name, "{}")
    return path


def names(root: Path, *paths: Path) -> list[str]:
    """What is found, relative to `root`, in its order; errors as their sentences."""
    return [
        str(each).replace(f"{root}/", "") if isinstance(each, Place) else each.problem for each in find(paths or [root])
    ]


def test_a_file_is_itself_whatever_its_name(tmp_path: Path) -> None:
    made(tmp_path, "my chats.json", "notes.txt")
    assert names(tmp_path, tmp_path / "my chats.json", tmp_path / "notes.txt") == ["my chats.json", "notes.txt"]


def test_a_folder_stands_for_the_result_json_in_it(tmp_path: Path) -> None:
    made(tmp_path, "ChatExport_2024-01-01/result.json", "ChatExport_2024-01-01/photos/p.jpg", "other.json")
    assert names(tmp_path, tmp_path / "ChatExport_2024-01-01") == ["ChatExport_2024-01-01/result.json"]


def test_a_folder_of_exports_gives_each_of_them_in_order(tmp_path: Path) -> None:
    made(
        tmp_path,
        "DataExport_2023-05-05/result.json",
        "ChatExport_2024-01-01/result.json",
        "ChatExport_2024-01-01 (1)/result (1).json",
        "whatsapp/WhatsApp Chat with Anna.txt",
        "whatsapp/unrelated.txt",
        "deeper/still/_chat.txt",
        "mine.jsonl",
        ".hidden/result.json",
        "old.zip",
    )
    archive(tmp_path / "holiday.zip", "beach.jpg")
    assert names(tmp_path) == [
        "mine.jsonl",
        "old.zip (result.json)",
        "ChatExport_2024-01-01/result.json",
        "ChatExport_2024-01-01 (1)/result (1).json",
        "DataExport_2023-05-05/result.json",
        "deeper/still/_chat.txt",
        "whatsapp/WhatsApp Chat with Anna.txt",
    ]


def test_archives_lie_in_folders_too_and_others_than_exports_are_nobodys_concern(tmp_path: Path) -> None:
    made(tmp_path, "one.zip", "notes.pdf")
    archive(tmp_path / "holiday.zip", "beach.jpg")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04rest")
    assert names(tmp_path) == ["one.zip (result.json)"]


def test_an_archive_that_is_called_an_export_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / "ChatExport_1.zip").write_bytes(b"PK\x03\x04rest")
    (problem,) = names(tmp_path)
    assert "is no whole zip archive" in problem


def test_what_people_sent_one_another_is_no_export(tmp_path: Path) -> None:
    made(
        tmp_path,
        "result.json",
        "files/result.json",
        "files/sent.zip",
        "chats/chat_1/files/_chat.txt",
        "ChatExport_2/result.json",
    )
    assert names(tmp_path) == ["result.json", "ChatExport_2/result.json"]
    packed = archive(
        tmp_path / "a.zip",
        "DataExport/result.json",
        "DataExport/chats/chat_1/files/result.json",
        "__MACOSX/result.json",
    )
    assert names(tmp_path, packed) == ["a.zip (DataExport/result.json)"]


def test_an_archive_of_several_exports_gives_each(tmp_path: Path) -> None:
    packed = archive(tmp_path / "a.zip", "x/ChatExport_1/result.json", "x/ChatExport_2/result.json", "_chat.txt")
    assert names(tmp_path, packed) == [
        "a.zip (x/ChatExport_1/result.json)",
        "a.zip (x/ChatExport_2/result.json)",
        "a.zip (_chat.txt)",
    ]


def test_an_html_export_is_refused_with_advice_wherever_it_lies(tmp_path: Path) -> None:
    made(tmp_path, "ChatExport_1/messages.html", "ChatExport_1/messages2.html", "ChatExport_2/result.json")
    made(tmp_path, "DataExport_3/export_results.html", "DataExport_3/chats/chat_1/messages.html")
    packed = archive(tmp_path / "ChatExport_4.zip", "ChatExport_4/messages.html")
    found = find([tmp_path])
    assert [str(each) for each in found if isinstance(each, Place)] == [str(tmp_path / "ChatExport_2" / "result.json")]
    for each, name in zip(
        (each for each in found if isinstance(each, IngestError)),
        (packed.name, "ChatExport_1", "DataExport_3"),
        strict=True,
    ):
        assert each.problem == f"{tmp_path / name} is an HTML export"
        assert "in the format JSON instead of HTML" in each.remedy


def test_a_pattern_that_no_shell_expanded_is_expanded(tmp_path: Path) -> None:
    made(tmp_path, "ChatExport_2/result.json", "ChatExport_1/result.json", "Chat[1].json")
    assert names(tmp_path, tmp_path / "ChatExport_*") == ["ChatExport_1/result.json", "ChatExport_2/result.json"]
    assert names(tmp_path, tmp_path / "Chat[1].json") == ["Chat[1].json"]


def test_what_is_given_twice_is_found_once(tmp_path: Path) -> None:
    made(tmp_path, "result.json", "one.zip")
    found = names(tmp_path, tmp_path, tmp_path / "result.json", tmp_path / "one.zip", tmp_path / "." / "one.zip")
    assert found == ["result.json", "one.zip (result.json)"]


def test_a_path_behind_which_there_is_nothing_stands_as_its_error(tmp_path: Path) -> None:
    empty = archive(tmp_path / "empty.zip")
    (tmp_path / "folder").mkdir()
    problems = names(tmp_path, tmp_path / "nothing", tmp_path / "folder", empty, made(tmp_path, "a.json") / "a.json")
    assert problems == [
        f"There is no file {tmp_path}/nothing",
        f"There is no result.json in {tmp_path}/folder",
        f"There is no result.json in {empty}",
        "a.json",
    ]


def test_a_link_that_leads_in_a_circle_ends(tmp_path: Path) -> None:
    made(tmp_path, "a/result.json")
    (tmp_path / "a" / "ChatExport_again").symlink_to(tmp_path, target_is_directory=True)
    assert names(tmp_path) == ["a/result.json"]


def test_a_folder_the_system_does_not_let_us_look_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert "Permission denied" in names(tmp_path)[0]

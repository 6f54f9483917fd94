"""Bytes on the disk and in archives: streamed, never unpacked, and every failure one sentence."""

from __future__ import annotations

import hashlib
import random
import zipfile
from pathlib import Path

import pytest

from ingest.places import Place, is_zip, members
from twin.errors import IngestError

TEXT = random.Random(1).randbytes(300_000).hex().encode()


def packed(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def places(path: Path) -> list[Place]:
    return [Place(path, info) for info in members(path)]


def read(place: Place) -> bytes:
    with place.open() as file:
        return file.read()


def encrypted(path: Path) -> Path:
    """The same archive with the bit set that says it is encrypted, in its directory and before its only member."""
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


def test_a_file_gives_its_bytes_size_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(TEXT)
    place = Place(path)
    assert (read(place), place.head(3), place.tail(3)) == (TEXT, TEXT[:3], TEXT[-3:])
    assert (place.size, place.name, place.part, str(place)) == (len(TEXT), "a.json", "", str(path))
    assert place.digest() == hashlib.sha256(TEXT).hexdigest()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_an_archive_gives_its_own_bytes(tmp_path: Path, method: int) -> None:
    path = packed(tmp_path / "a.zip", {"x/": b"", "x/a.json": TEXT, "b.json": b"b"}, method)
    first, second = places(path)
    assert (read(first), first.head(3), first.tail(3), first.size) == (TEXT, TEXT[:3], TEXT[-3:], len(TEXT))
    assert (first.name, str(first)) == ("a.json", f"{path} (x/a.json)")
    assert read(second) == b"b" and first.part != second.part
    assert first.digest() == second.digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_two_members_of_one_name_are_told_apart(tmp_path: Path) -> None:
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("result.json", "one")
        archive.writestr("result.json", "two")
    assert [read(place) for place in places(tmp_path / "a.zip")] == [b"one", b"two"]


def test_a_file_that_was_written_to_is_in_another_state(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"1")
    before = Place(path).state()
    path.write_bytes(b"22")
    assert Place(path).state() != before


def test_an_encrypted_archive_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (place,) = places(encrypted(packed(tmp_path / "a.zip", {"result.json": TEXT})))
    with pytest.raises(IngestError, match=r"is encrypted: unpack it with its password"):
        read(place)


@pytest.mark.parametrize("cut", [10, 1_000, 300_000, -1])
def test_a_part_of_an_archive_is_no_whole_archive(tmp_path: Path, cut: int) -> None:
    path = packed(tmp_path / "a.zip", {"result.json": TEXT})
    path.write_bytes(path.read_bytes()[:cut])
    assert is_zip(path)
    with pytest.raises(IngestError, match="is damaged, or one part of several"):
        members(path)


def test_the_last_part_of_a_split_archive_is_no_whole_archive(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"result.json": TEXT})
    path.write_bytes(path.read_bytes()[300_000:])
    with pytest.raises(IngestError, match="is damaged, or one part of several"):
        read(places(path)[0])


def test_changed_bytes_in_an_archive_are_noticed_at_the_latest_at_its_end(tmp_path: Path) -> None:
    chance = random.Random(3)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = packed(tmp_path / "a.zip", {"result.json": TEXT[:3_000]}, method)
        whole = path.read_bytes()
        for _ in range(60):
            content = bytearray(whole)
            content[chance.randrange(60, 1_500)] ^= 1 << chance.randrange(8)
            path.write_bytes(content)
            with pytest.raises(IngestError, match="is damaged"):
                read(places(path)[0])


def test_an_unknown_way_of_packing_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"result.json": TEXT})
    content = bytearray(path.read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 97
    path.write_bytes(content)
    with pytest.raises(IngestError, match="packed in a way that is not known here"):
        read(places(path)[0])


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("result.json", "w") as member:
        for _ in range(70):
            member.write(b" " * (1 << 20))
    with pytest.raises(IngestError, match=r"would grow from [\d,]+ to 73,400,320 bytes"):
        read(places(path)[0])


def test_a_name_that_points_elsewhere_is_read_and_nothing_is_written(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = packed(inside / "a.zip", {"../../result.json": b"{}", "/etc/\x1b[2Jresult.json": b"[]"})
    first, second = places(path)
    assert (read(first), read(second), first.name) == (b"{}", b"[]", "result.json")
    assert "\x1b" not in str(second)
    assert [each.name for each in tmp_path.rglob("*")] == ["inside", "a.zip"]


def test_what_the_system_does_not_let_us_read_says_why(tmp_path: Path) -> None:
    for act in (Place.state, Place.digest, Place.head, Place.size.fget):
        with pytest.raises(IngestError, match="No such file"):
            act(Place(tmp_path / "nothing"))  # type: ignore[misc]
    with pytest.raises(IngestError, match="Is a directory"):
        read(Place(tmp_path))

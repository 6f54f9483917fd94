"""The archive: plain tar for others, and for its reader a file in which every byte is known or proven."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import subprocess
import tarfile
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.backup_archive import CHECKSUM, read_files, read_manifest, write_archive
from twin.backup_manifest import FORMAT, MANIFEST, BackupManifest, Entry
from twin.errors import BackupError
from twin.migrations import migrations

FILES = {
    "twin.db": random.Random(1).randbytes(3_000),
    "vault.json": b"",
    "adapters/v1/twin.json": b"x" * 512,
    f"adapters/v1/{'long' * 40}.bin": b"y" * 513,
    "datasets/abc/wörter.jsonl": b"z",
}
SCHEMA = [migration.name for migration in migrations._migrations][-1]


def manifest_of(files: dict[str, bytes], **changes) -> BackupManifest:
    entries = {name: Entry(len(data), hashlib.sha256(data).hexdigest(), 1_700_000_000) for name, data in files.items()}
    manifest = BackupManifest("0.1.0", SCHEMA, "2026-05-01T12:00:00+00:00", False, None, entries)
    return replace(manifest, **changes)


def packed(files: dict[str, bytes], **changes) -> bytes:
    out = io.BytesIO()
    write_archive(out, manifest_of(files, **changes), lambda name: io.BytesIO(files[name]), lambda _: None)
    return out.getvalue()


WHOLE = packed(FILES)


class Kept(io.BytesIO):
    """Keeps what was written when it is closed."""

    def __init__(self, into: dict[str, bytes], name: str) -> None:
        super().__init__()
        self._into, self._name = into, name

    def close(self) -> None:
        if not self.closed:
            self._into[self._name] = self.getvalue()
        super().close()


def unpacked(data: bytes) -> dict[str, bytes]:
    source, kept = io.BytesIO(data), {}
    read_files(source, read_manifest(source), lambda name: Kept(kept, name), lambda _: None)
    return kept


def test_everything_comes_back_as_it_was() -> None:
    assert unpacked(WHOLE) == FILES


@given(st.dictionaries(st.sampled_from(sorted(FILES)), st.binary(max_size=2_000)))
def test_any_contents_come_back_as_they_were(files) -> None:
    files |= {"twin.db": b"database"}
    assert unpacked(packed(files)) == files


@pytest.mark.skipif(not (shutil.which("tar") and shutil.which("sha256sum")), reason="no tar here")
def test_other_tools_open_it_and_check_its_manifest(tmp_path) -> None:
    (tmp_path / "backup").write_bytes(WHOLE)
    subprocess.run(["tar", "-xf", "backup"], cwd=tmp_path, check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", CHECKSUM], cwd=tmp_path, check=True)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES
    with tarfile.open(tmp_path / "backup") as archive:
        assert archive.getnames() == [MANIFEST, CHECKSUM, *FILES]


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place, bit) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= 1 << bit
    with pytest.raises(BackupError):
        unpacked(bytes(damaged))


def test_every_byte_of_the_headers_and_paddings_is_fixed() -> None:
    for place in [*range(0, 4_096), *range(len(WHOLE) - 4_096, len(WHOLE))]:
        damaged = bytearray(WHOLE)
        damaged[place] ^= 1
        with pytest.raises(BackupError):
            unpacked(bytes(damaged))


@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_that_was_cut_off_is_noticed(length) -> None:
    with pytest.raises(BackupError):
        unpacked(WHOLE[:length])


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(BackupError):
        unpacked(WHOLE + b"\0")


@pytest.mark.parametrize(
    "name",
    [
        "../twin.db",
        "/etc/passwd",
        "adapters/../../x",
        "adapters/v1/..",
        "adapters/v1/.",
        "adapters/v1/a/b",
        "adapters/../x",
        "adapters/.incoming-1/x",
        "datasets/a\0b/c",
        "adapters/v1/a\\b",
        "adapters/v1/\x1b[2J",
        "runs/1/checkpoint.pt",
        ".bashrc",
        "",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(name) -> None:
    head = manifest_of({"twin.db": b"", name: b"x"}).as_bytes()
    with pytest.raises(BackupError, match="does not belong into a home"):
        BackupManifest.parse(head)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(kind) -> None:
    old = io.BytesIO(WHOLE)
    forged = io.BytesIO()
    with tarfile.open(fileobj=old) as source, tarfile.open(fileobj=forged, mode="w") as target:
        for member in source:
            if member.name == "twin.db":
                member.type, member.linkname, member.size = kind, "/etc/passwd", 0
            target.addfile(member, source.extractfile(member) if member.isreg() else None)
    with pytest.raises(BackupError):
        unpacked(forged.getvalue())


@cache
def values() -> dict[str, object]:
    import json

    return json.loads(manifest_of(FILES).as_bytes())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": FORMAT + 1, "twin": "9.0"}, r"newer version of twin \(9.0\)"),
        ({"schema": "m999_future", "twin": "9.0"}, r"newer version of twin \(9.0\)"),
        ({"schema": "m999_future", "twin": "\x1b[2J"}, "damaged|newer version of twin: "),
        ({"created_at": "2026-05-01T12:00:00"}, "damaged"),
        ({"created_at": 5}, "damaged"),
        ({"files": {}}, "damaged"),
        ({"files": []}, "damaged"),
        ({"files": {"twin.db": {"bytes": -1, "sha256": "0" * 64, "modified_at": 0}}}, "damaged"),
        ({"files": {"twin.db": {"bytes": 1, "sha256": "0", "modified_at": 0}}}, "damaged"),
        ({"files": {"twin.db": {"bytes": 1.5, "sha256": "0" * 64, "modified_at": 0}}}, "damaged"),
        ({"files": {"twin.db": {"bytes": 1, "sha256": 7, "modified_at": 0}}}, "damaged"),
        ({"serving": 5}, "damaged"),
        ({"database_encrypted": "no"}, "damaged"),
        ({"surplus": 1}, "damaged"),
    ],
)
def test_a_manifest_that_says_something_odd_is_refused(change, words) -> None:
    import json

    with pytest.raises(BackupError, match=words):
        BackupManifest.parse(json.dumps(values() | change).encode())


@given(st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_any_json_is_refused_in_one_sentence(value) -> None:
    import json

    with pytest.raises(BackupError):
        BackupManifest.parse(json.dumps(value).encode())


def test_a_file_that_changes_while_it_is_packed_is_noticed() -> None:
    for now in (b"other bytes", b"", FILES["twin.db"] + b"more"):
        changed = {**FILES, "twin.db": now}
        with pytest.raises(BackupError, match="changed while it was packed"):
            write_archive(io.BytesIO(), manifest_of(FILES), lambda name: io.BytesIO(changed[name]), lambda _: None)  # noqa: B023

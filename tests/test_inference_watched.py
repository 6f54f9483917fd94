"""A watched file: read again when it is another one, and never by two threads at once."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.watched import Watched


def test_a_file_is_read_when_it_comes_and_when_it_changes_and_not_in_between(tmp_path):
    file = tmp_path / "note"
    reads: list[str] = []

    def read(last: str) -> str:
        reads.append(last)
        return file.read_text()

    watched = Watched(file, read, "before")
    assert [watched.now(), watched.now(), reads] == ["before", "before", []]
    file.write_text("one")
    assert [watched.now(), watched.now()] == ["one", "one"] and reads == ["before"]
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert watched.now() == "two", "as long and as old, but another file"
    file.unlink()
    assert watched.now() == "two"
    assert reads == ["before", "one"]


def test_a_file_that_cannot_be_read_raises_until_it_can(tmp_path):
    file = tmp_path / "note"
    file.write_text("1")
    watched = Watched(file, lambda _: int(file.read_text()), 0)
    assert watched.now() == 1
    file.write_text("none at all")
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid"):
            watched.now()
    file.write_text("22")
    assert watched.now() == 22


def test_of_many_threads_one_reads(tmp_path):
    file = tmp_path / "note"
    file.write_text("1")
    reads: list[int] = []
    start = threading.Barrier(8)

    def read(_: str) -> str:
        reads.append(1)
        return file.read_text()

    watched = Watched(file, read, "")

    def ask(_: int) -> str:
        start.wait()
        return watched.now()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"1"}
    assert len(reads) == 1

"""SIGKILL at random moments, again and again: nothing half-ingested, nothing lost, the same table in the end."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.exports import OWNER, chat, full, said

PER_FILE = 4_000


def history(partner: int, first: int, edits: int) -> list[Any]:
    """Some thousand messages; `edits` of them read otherwise than in a history without."""
    messages = []
    for number in range(first, first + PER_FILE):
        edited = {"edited_unixtime": "1800000000"} if number - first < edits else {}
        text = f"marzipan {number}{'!' if edited else ''}"
        messages.append(said(number, OWNER if number % 2 else partner, text, **edited))
    return messages


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two exports of one chat, the newer one first, with edits; and an archive with another chat."""
    folder = tmp_path_factory.mktemp("exports")
    newer, older = folder / "newer.json", folder / "older.json"
    newer.write_text(json.dumps(full(chat(history(201, 1, 500), 201))))
    older.write_text(json.dumps(full(chat(history(201, 1 - PER_FILE // 2, 0), 201))))
    with zipfile.ZipFile(folder / "third.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ChatExport/result.json", json.dumps(chat(history(202, 50_000, 0), 202)))
    return [newer, older, folder / "third.zip"]


def start(home: Path, exports: list[Path]) -> subprocess.Popen[bytes]:
    home.mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-m", "twin", "ingest", "export", *map(str, exports), "--json"]
    environment = {**os.environ, "TWIN_HOME": str(home), "TWIN_OWNER__ID": str(OWNER)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(home: Path, exports: list[Path]) -> float:
    """A run that nobody disturbs; returns how long it took, in seconds."""
    started = time.monotonic()
    with start(home, exports) as process:
        _, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, b"")
    return time.monotonic() - started


def look(home: Path) -> tuple[list[Any], int, int]:
    """Every message, how many runs are recorded, and how many files are known; the database must be whole."""
    with closing(sqlite3.connect(home / "twin.db")) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        names = [row[1] for row in db.execute("pragma table_info(messages)") if row[1] != "id"]
        rows = db.execute(f"select {', '.join(names)} from messages order by 1, 2").fetchall()  # noqa: S608
        runs, files = (
            db.execute(f"select count(*) from {table}").fetchone()[0]  # noqa: S608
            for table in ("ingest_runs", "ingest_files")
        )
    return rows, runs, files


def expect_nothing_lost(folder: Path, exports: list[Path], kills: int, seed: int) -> int:
    """Kill so many runs at random moments, in a new home whenever one ended first; looks at the database after each.

    Returns:
        after how many kills some of the files, but not all, were in the database.
    """
    chance = random.Random(seed)
    whole = finish(folder / "undisturbed", exports)
    expected, _, _ = look(folder / "undisturbed")
    starting = finish(folder / "undisturbed", exports)
    homes, killed, parts = 0, 0, 0
    while killed < kills:
        homes += 1
        home = folder / f"home-{homes}"
        is_done = False
        while not is_done and killed < kills:
            with start(home, exports) as process:
                time.sleep(chance.uniform(0.2 * starting, whole))
                process.send_signal(signal.SIGKILL)
                is_done = process.wait() == 0
            killed += not is_done
            if (home / "twin.db").exists():
                rows, runs, files = look_if_made(home)
                assert len(rows) in (0, PER_FILE, PER_FILE * 3 // 2, PER_FILE * 5 // 2)
                parts += len(rows) not in (0, len(expected))
                assert runs >= files and (runs > 0) == bool(rows)
        finish(home, exports)
        assert look(home)[0] == expected
        assert not list(home.glob("*.tmp")) and {path.name for path in home.iterdir()} <= {"twin.db", "tmp"}
    return parts


def look_if_made(home: Path) -> tuple[list[Any], int, int]:
    """As `look`; nothing, if the run was killed before the database had tables."""
    with closing(sqlite3.connect(home / "twin.db")) as db:
        if not db.execute("select 1 from sqlite_master where name = 'ingest_files'").fetchone():
            return [], 0, 0
    return look(home)


def test_a_run_killed_ten_times_loses_nothing_and_takes_nothing_twice(tmp_path: Path, exports: list[Path]) -> None:
    expect_nothing_lost(tmp_path, exports, kills=10, seed=1)


@pytest.mark.slow
def test_sixty_kills_in_every_phase_lose_nothing_and_take_nothing_twice(tmp_path: Path, exports: list[Path]) -> None:
    assert expect_nothing_lost(tmp_path, exports, kills=60, seed=2) > 0

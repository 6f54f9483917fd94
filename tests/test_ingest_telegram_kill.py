"""Pulls killed with SIGKILL at random moments, again and again: nothing is missing, nothing is there twice."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.killed_pull import pull, world
from twin.cursors import Cursors
from twin.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
SAME = "chat_id, message_id, sent_at, sender_id, is_owner, text, reply_to, media, entities, reactions, edited_at"


class Runs:
    """The process that forks pulls of one database."""

    def __init__(self, database: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.killed_pull", str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, *line: Any) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, line)) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def table(database: Path) -> dict[tuple[int, int], Any]:
    with Store.open(database) as store:
        assert store.db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert all(cursor.is_complete for cursor in Cursors(store.db).all().values())
        rows = list(store.db.execute(f"select {SAME} from messages"))  # noqa: S608 - a constant
        return {(row[0], row[1]): row for row in rows}


def deleted(database: Path) -> set[tuple[int, int]]:
    with Store.open(database) as store:
        return set(store.db.execute("select chat_id, message_id from messages where deleted_at is not null"))


def check_after_kills(folder: Path, kills: int) -> None:
    """Kill until that many pulls died, in a world that changes meanwhile; then let one through and compare."""
    chance, age, killed = random.Random(kills), 0, 0
    disturbed, undisturbed = folder / "disturbed.db", folder / "undisturbed.db"
    longest = 0.05
    with Runs(disturbed) as runs:
        while killed < kills:
            fate = runs.run(age, chance.uniform(0, longest))
            assert fate in ("killed", "done")
            killed += fate == "killed"
            longest = longest * 1.3 if fate == "killed" else longest * 0.7  # so that about half of them get far
            age += chance.random() < 0.3
        assert runs.run(age) == "done"
    asyncio.run(pull(world(age), undisturbed))
    expected, found = table(undisturbed), table(disturbed)
    assert {key: found.get(key) for key in expected} == expected
    assert found.keys() - expected.keys() == deleted(disturbed)
    there = world(age).histories
    assert not any(number in there[chat_id] for chat_id, number in deleted(disturbed))
    assert len(expected) == sum(type(one).__name__ == "Message" for all_ in there.values() for one in all_.values())


def test_ten_kills_leave_the_table_of_an_undisturbed_run(tmp_path: Path) -> None:
    check_after_kills(tmp_path, 10)


@pytest.mark.slow
def test_sixty_kills_leave_the_table_of_an_undisturbed_run(tmp_path: Path) -> None:
    check_after_kills(tmp_path, 60)

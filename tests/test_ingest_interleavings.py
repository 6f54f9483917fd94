"""Any interleaving of exports, kills and re-runs ends in the same table: newer and older ones, whole and in parts."""

from __future__ import annotations

import copy
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.batch import Request, ingest_files
from ingest.finding import find
from ingest.ownership import Claims
from ingest.source import Wishes
from tests.exports import ANNA, BORIS, NOON, OWNER, Raw, chat, full, said
from twin.errors import StoreError
from twin.store import Store

TEXTS = st.sampled_from(["marzipan", "ahoy", "да", "好", "x" * 40])
EXTRAS = st.sampled_from(
    [{}, {"photo": "p"}, {"reply_to_message_id": 1}, {"forwarded_from": "News"}, {"via_bot": "@b"}]
)


@dataclass(frozen=True)
class Said:
    """A message through its life: what it read first, and after each edit (at that many seconds)."""

    number: int
    partner: int
    sender: int
    texts: tuple[str, ...]
    edits: tuple[int, ...]
    extras: Raw

    def as_of(self, moment: int) -> Raw:
        """As an export of that moment has it."""
        done = [(edit, text) for edit, text in zip(self.edits, self.texts[1:], strict=True) if edit <= moment]
        edited = {} if not done else {"edited": "2024-01-01T00:00:00", "edited_unixtime": str(NOON + done[-1][0])}
        return said(self.number, self.sender, done[-1][1] if done else self.texts[0], **edited, **self.extras)


@dataclass(frozen=True)
class Snapshot:
    """One export: when it was made, which messages are in it, in which order, and in which form."""

    moment: int
    numbers: frozenset[int]
    order: int
    form: str

    def write(self, folder: Path, history: list[Said]) -> Path:
        """The export as a file or an archive."""
        here = [message for message in history if message.number in self.numbers]
        random.Random(self.order).shuffle(here)
        chats = [
            chat([m.as_of(self.moment) for m in here if m.partner == partner], partner, name)
            for partner, name in ((ANNA, "Anna"), (BORIS, "Boris"))
        ]
        export = chats[0] if self.form == "single" else full(*chats)
        if self.form == "left":
            export = full(chats[1], left=[chats[0]])
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(export, ensure_ascii=False)
        if self.form == "zip":
            with zipfile.ZipFile(folder / "export.zip", "w") as archive:
                archive.writestr("ChatExport/result.json", content)
            return folder / "export.zip"
        (folder / "result.json").write_text(content, encoding="utf-8")
        return folder


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Up to a dozen messages of two dialogs, each edited at most twice."""
    history = []
    for number in range(1, draw(st.integers(2, 12)) + 1):
        partner = draw(st.sampled_from([ANNA, BORIS]))
        edits = tuple(sorted(draw(st.sets(st.integers(100, 109), max_size=2))))
        texts = tuple(draw(st.lists(TEXTS, min_size=len(edits) + 1, max_size=len(edits) + 1)))
        sender = OWNER if number < 3 else draw(st.sampled_from([OWNER, partner]))
        history.append(Said(number, partner, sender, texts, edits, draw(EXTRAS)))
    return history


SNAPSHOTS = st.lists(
    st.builds(
        Snapshot,
        st.integers(99, 110),
        st.frozensets(st.integers(1, 12), min_size=1),
        st.integers(0, 5),
        st.sampled_from(["full", "left", "single", "zip"]),
    ),
    min_size=1,
    max_size=4,
)
KILLS = st.none() | st.tuples(st.sampled_from(["reading", "database"]), st.integers(0, 400))
STEPS = st.lists(st.tuples(st.integers(0, 3), KILLS), max_size=8)


def rows(store: Store) -> list[tuple[Any, ...]]:
    names = [column.name for column in store.db.table("messages").columns if column.name != "id"]
    return store.db.execute(f"select {', '.join(names)} from messages order by 1, 2").fetchall()  # noqa: S608


def bring(store: Store, path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> list[Any]:
    return ingest_files(find([path]), store, Request(Wishes(), Claims(settings=OWNER)), on_bytes)


class Killed(BaseException):
    """What ends a run in the middle, as nobody in it expects."""


@contextmanager
def killed_at(store: Store, kill: tuple[str, int] | None) -> Iterator[Callable[[int], None]]:
    """Lets a run end after so many bytes, or in the middle of a statement after so many steps of SQLite."""
    left = kill[1] if kill else 0

    def count(_: int = 0) -> int:
        nonlocal left
        left -= 1
        if kill and kill[0] == "reading" and left < 0:
            raise Killed
        return int(left < 0)

    if kill and kill[0] == "database":
        store.db.conn.set_progress_handler(count, 20)
    try:
        yield lambda size: None if kill is None or kill[0] == "database" else (count(), None)[1]
    finally:
        store.db.conn.set_progress_handler(None, 0)


@given(histories(), SNAPSHOTS, STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_interleaving_of_exports_kills_and_re_runs_ends_in_the_same_table(
    tmp_path: Path, history: list[Said], snapshots: list[Snapshot], steps: list[tuple[int, tuple[str, int] | None]]
) -> None:
    paths = [each.write(tmp_path / str(number), history) for number, each in enumerate(snapshots)]
    for database in tmp_path.glob("*.db*"):
        database.unlink()
    with Store.open(tmp_path / "undisturbed.db") as store:
        for path in paths:
            bring(store, path)
        expected = rows(store)
    for number, kill in [*steps, *((number, None) for number in reversed(range(len(paths))))]:
        with Store.open(tmp_path / "disturbed.db") as store:
            before, runs = rows(store), store.db.table("ingest_runs").count
            try:
                with killed_at(store, kill) as on_bytes:
                    bring(store, paths[number % len(paths)], on_bytes)
            except (Killed, StoreError):
                assert rows(store) == before
                assert store.db.table("ingest_runs").count == runs
    with Store.open(tmp_path / "disturbed.db") as store:
        assert rows(store) == expected
        assert store.db.execute("pragma integrity_check").fetchone() == ("ok",)


def test_the_kills_hit_every_phase_of_a_run(tmp_path: Path) -> None:
    """Or the proof above would prove little: some end while the file is read, some while rows are written."""
    history = [Said(number, ANNA, OWNER, ("marzipan",), (), {}) for number in range(1, 300)]
    path = Snapshot(99, frozenset(range(1, 300)), 0, "full").write(tmp_path, history)
    ends: dict[str, int] = {"Killed": 0, "StoreError": 0, "": 0}
    for kill in [("reading", 0), ("reading", 1), *(("database", 3**power) for power in range(11))]:
        with Store.open(tmp_path / f"{kill[0]}{kill[1]}.db") as store:
            try:
                with killed_at(store, kill) as on_bytes:
                    bring(store, path, on_bytes)
                ends[""] += 1
            except (Killed, StoreError) as error:
                ends[type(error).__name__] += 1
                assert rows(store) == []
    assert min(ends.values()) > 0


@pytest.mark.parametrize("form", ["full", "left", "single", "zip"])
def test_every_form_of_one_history_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    history = [Said(number, ANNA, OWNER, ("one", "two"), (105,), {}) for number in range(1, 9)]
    whole = Snapshot(110, frozenset(range(1, 9)), 3, form).write(tmp_path / form, copy.deepcopy(history))
    with Store.open(tmp_path / "one.db") as store:
        bring(store, whole)
        assert [row[:2] for row in rows(store)] == [(ANNA, number) for number in range(1, 9)]
        assert {message.text for message in store.messages(ANNA)} == {"two"}

"""Damaged files by the thousand: each ends in success with counted skips, or in one clear sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import mutated
from tests.exports import BORIS, chat, full, said, small_talk
from twin.settings import Settings
from twin.store import Store

Twin = Callable[..., Any]
SECRET = "marzipan"  # the word in every text of tests.exports
KINDS: dict[str, tuple[str, Callable[[int], bytes], Callable[[bytes], int] | None]] = {
    "telegram": ("result.json", mutated.export, mutated.messages_in),
    "archive": ("a.zip", mutated.archive, None),
    "whatsapp": ("_chat.txt", mutated.text_chat, None),
    "jsonl": ("a.jsonl", mutated.json_lines, lambda content: sum(bool(line.strip()) for line in content.split(b"\n"))),
}


def expect_counts_or_one_sentence(run_twin: Twin, folder: Path, home: Settings, kind: str, seeds: range) -> None:
    """Bring in what each seed makes; look at the database, the record and the words after each."""
    name, make, count = KINDS[kind]
    path, codes = folder / name, set()
    with Store.open(home.database) as store:
        for seed in seeds:
            path.write_bytes(make(seed))
            before = store.db.execute("select * from messages order by chat_id, message_id").fetchall()
            runs = store.db.table("ingest_runs").count
            ran = run_twin("ingest", "export", path, "--json", "--me", "A")
            recorded = store.db.table("ingest_runs").count - runs
            after = store.db.execute("select * from messages order by chat_id, message_id").fetchall()
            assert ran.code in (0, 2), (seed, ran.err)
            assert recorded == (ran.code == 0), seed
            if ran.code:
                assert ran.err.startswith("twin: ") and ran.err.count("\n") == 1, (seed, ran.err)
                assert after == before, seed
            else:
                told = json.loads(ran.out)
                handed_on = told["added"] + told["updated"] + told["unchanged"]
                assert handed_on == told["messages"] and len(after) - len(before) == told["added"], seed
                if count is not None:
                    assert handed_on + sum(told["skipped"].values()) == count(path.read_bytes()), (seed, told)
            assert SECRET not in ran.out + ran.err, seed
            codes.add(ran.code)
    assert codes == {0, 2}


@pytest.mark.parametrize("batch", range(8))
def test_no_mutated_export_ends_in_a_traceback_or_in_half_of_it_stored(
    run_twin: Twin, tmp_path: Path, home: Settings, batch: int
) -> None:
    expect_counts_or_one_sentence(run_twin, tmp_path, home, "telegram", range(batch * 50, batch * 50 + 50))


@pytest.mark.parametrize("kind", ["archive", "whatsapp", "jsonl"])
def test_no_damaged_file_of_another_kind_does_either(run_twin: Twin, tmp_path: Path, home: Settings, kind: str) -> None:
    expect_counts_or_one_sentence(run_twin, tmp_path, home, kind, range(60))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(8))
def test_nor_do_two_thousand_more_exports(run_twin: Twin, tmp_path: Path, home: Settings, batch: int) -> None:
    expect_counts_or_one_sentence(
        run_twin, tmp_path, home, "telegram", range(1_000 + batch * 250, 1_000 + batch * 250 + 250)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["archive", "whatsapp", "jsonl"])
def test_nor_do_five_hundred_more_of_each_other_kind(run_twin: Twin, tmp_path: Path, home: Settings, kind: str) -> None:
    expect_counts_or_one_sentence(run_twin, tmp_path, home, kind, range(1_000, 1_500))


def test_the_count_to_compare_with_is_right_where_it_is_known() -> None:
    whole = full(chat(small_talk()), chat([said(1), 5, None, []], BORIS), left=[chat([{}], 7)])
    assert mutated.messages_in(json.dumps(whole).encode()) == 11
    assert mutated.messages_in(b'{"messages": [1, 2], "messages": [{}], "x": {"messages": [1]}}') == 3

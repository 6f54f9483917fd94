"""The verbs of `twin dataset` on sets as their users type them, and a set's way into training."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest

from tests.chats import fill
from training.recipes.sets import SetRow, Sets
from training.snapshot import newest
from twin.messages import Turn

TALK = [
    {"conversations": [{"from": "human", "value": f"marzipan {n}?"}, {"from": "gpt", "value": f"nougat {n}\nyes"}]}
    for n in range(8)
]


@pytest.fixture
def friends(tmp_path):
    path = tmp_path / "friends.json"
    path.write_text(json.dumps([*TALK, {"conversations": []}, 7]))
    return path


@pytest.fixture
def history(store):
    """Thirty days of chats, no line of them twice."""
    fill(store)
    store.db.execute("update messages set text = text || ' number ' || message_id")
    return store


def test_import_tells_what_came_in_and_what_did_not(run_twin, friends, home):
    ran = run_twin("dataset", "import", "--format", "sharegpt", friends, "--name", "friends", "--weight", "0.5")
    assert (ran.code, ran.err) == (0, "")
    assert "Left out: 1 no conversations (record 9)." in ran.out and "1 not an object (record 10)" in ran.out
    assert "marzipan" not in ran.out and str(friends.parent) not in ran.out
    told = json.loads(run_twin("dataset", "import", "--format", "sharegpt", friends, "--name", "friends", "--json").out)
    assert (told["rows"], told["turns"], told["owner_turns"]) == (8, 16, 8)
    assert told["characters"] == 8 * (len("nougat 1") + len("yes") + 2)
    assert told["left_out"] == {
        "no conversations": {"count": 1, "records": [9]},
        "not an object": {"count": 1, "records": [10]},
    }
    assert told["set"]["weight"] == 0.5, "a weight that is not given is kept"
    assert told["set"]["source"] == "friends.json"


def test_strict_refuses_a_file_with_a_bad_record(run_twin, friends, home):
    ran = run_twin("dataset", "import", "--format", "sharegpt", friends, "--name", "friends", "--strict")
    assert ran.code == 2 and "Record 9 of friends.json was refused: no conversations" in ran.err
    assert run_twin("dataset", "sets", "list").out.startswith("There are no sets yet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--name", "a b"], "cannot be the name of a set"),
        (["--name", "friends", "--weight", "-1"], "--weight"),
        (["--name", "friends", "--format", "word"], "--format"),
        (["--name", "friends", "--format", "alpaca"], "No record of friends.json can be used"),
        (["--name", "friends", "--owner-role", "martian"], "nothing of the owner"),
        ([], "--name"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(run_twin, friends, home, arguments, words):
    form = [] if "--format" in arguments else ["--format", "sharegpt"]
    ran = run_twin("dataset", "import", friends, *form, *arguments)
    assert ran.code == 2 and words in ran.err and "marzipan" not in ran.err + ran.out


def test_sets_are_listed_weighed_and_removed(run_twin, friends, home):
    run_twin("dataset", "import", "--format", "sharegpt", friends, "--name", "friends")
    out = run_twin("dataset", "sets", "list").out
    assert "1 set" in out and "friends" in out and "sharegpt" in out
    assert "weight 0.25" in run_twin("dataset", "sets", "weight", "friends", "0.25").out
    (told,) = json.loads(run_twin("dataset", "sets", "list", "--json").out)
    assert (told["name"], told["weight"], told["rows"]) == ("friends", 0.25, 8)
    assert "friends is gone, 8 rows" in run_twin("dataset", "sets", "remove", "friends").out
    for verb in (["weight", "friends", "1"], ["remove", "friends"]):
        ran = run_twin("dataset", "sets", *verb)
        assert ran.code == 2 and "There is no set of that name" in ran.err


def test_a_set_reaches_training_by_its_weight_and_nothing_held_out(run_twin, friends, history, home):
    run_twin("dataset", "import", "--format", "sharegpt", friends, "--name", "friends", "--weight", "2")
    assert run_twin("dataset", "build").code == 0
    snapshot = newest(home.datasets)
    by_part = {
        split: [s for s in snapshot.sessions(split) if s.origin == "friends"] for split in ("train", "val", "test")
    }
    assert len(by_part["train"]) == 16 and by_part["val"] == by_part["test"] == []
    assert len(set(by_part["train"])) == 8
    assert by_part["train"][0].turns == (Turn.of("other", ["marzipan 0?"]), Turn.of("owner", ["nougat 0", "yes"]))
    assert all(session.chat_id == 0 and session.turns[0].started_at is None for session in by_part["train"])
    assert snapshot.account.sets["friends"].supervised_turns == 16
    before = snapshot.fingerprint
    run_twin("dataset", "sets", "weight", "friends", "0")
    assert run_twin("dataset", "build").code == 0
    assert newest(home.datasets).fingerprint != before
    assert "friends" not in {session.origin for session in newest(home.datasets).sessions("train")}


@pytest.mark.parametrize("form", ["alpaca", "sharegpt", "chatml", "openai"])
def test_what_is_exported_is_imported_the_same(run_twin, history, home, tmp_path, form):
    run_twin("dataset", "build")
    out = tmp_path / "out.jsonl"
    told = json.loads(run_twin("dataset", "export", "--format", form, out, "--json").out)
    back = json.loads(run_twin("dataset", "import", "--format", form, out, "--name", "back", "--strict", "--json").out)
    assert (back["rows"], back["turns"], back["owner_turns"], back["characters"]) == (
        told["rows"],
        told["turns"],
        told["owner_turns"],
        told["characters"],
    )
    snapshot = newest(home.datasets)
    learned = [turn.bubbles for session in snapshot.sessions("train") for turn in session.turns if turn.is_supervisable]
    kept = [turn.bubbles for row in Sets(history.db).rows("back") for turn in row.turns if turn.is_supervisable]
    assert kept == learned and told["owner_turns"] == len(learned) > 50


def test_export_takes_another_part_snapshot_or_set_and_the_system_text(run_twin, history, home, tmp_path, monkeypatch):
    monkeypatch.setenv("TWIN_BASE__SYSTEM", "be yourself")
    run_twin("dataset", "build")
    fingerprint = newest(home.datasets).fingerprint
    out = tmp_path / "test.json.gz"
    ran = run_twin("dataset", "export", "--format", "openai", out, "--split", "test", "--snapshot", fingerprint)
    records = json.loads(gzip.decompress(out.read_bytes()))
    assert ran.code == 0 and f"{len(records):,} records written" in ran.out
    assert all(record["messages"][0] == {"role": "system", "content": "be yourself"} for record in records)
    assert out.stat().st_mode & 0o077 == 0
    row = SetRow((Turn.of("other", ["hi"]), Turn.of("owner", ["hey"])), system="of its own")
    Sets(history.db).put("mine", [row], kind="qa", now=datetime(2025, 1, 1, tzinfo=UTC))
    run_twin("dataset", "export", "--format", "alpaca", tmp_path / "set.json", "--set", "mine")
    (record,) = json.loads((tmp_path / "set.json").read_text())
    assert record == {"instruction": "hi", "input": "", "output": "hey", "system": "of its own"}


def test_secrets_that_the_snapshot_withholds_are_not_exported_to_be_learned(run_twin, history, home, tmp_path):
    secret = "sure, come by at seven, my password is Tr0ub4dor&3x and bring some bread"
    history.db.execute("update messages set text = ? where message_id = 10", [secret])
    run_twin("dataset", "build")
    for form in ("alpaca", "sharegpt", "chatml", "openai"):
        out = tmp_path / f"{form}.jsonl"
        told = json.loads(run_twin("dataset", "export", "--format", form, out, "--json").out)
        assert "Tr0ub4dor" not in out.read_text()
        assert form == "openai" or told["notes"]["turns not to be learned: conversation cut there"] == 1
    messages = [m for line in out.read_text().splitlines() for m in json.loads(line)["messages"]]
    assert [m for m in messages if "password" in m["content"] and m.get("weight") != 0] == []


def test_export_without_a_snapshot_or_a_place_is_one_sentence(run_twin, history, home, tmp_path):
    assert "No dataset was built yet" in run_twin("dataset", "export", "--format", "openai", tmp_path / "x").err
    run_twin("dataset", "build")
    ran = run_twin("dataset", "export", "--format", "openai", tmp_path / "no" / "x.jsonl")
    assert ran.code == 2 and "x.jsonl cannot be written" in ran.err
    assert "no set of that name" in run_twin("dataset", "export", "--format", "openai", "x", "--set", "x").err


def test_no_verb_imports_torch_or_http_to_show_its_help():
    import subprocess
    import sys

    code = (
        "import sys, training.cli\n"
        "print([name for name in ('torch', 'httpx', 'pypdf', 'transformers') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"

"""`twin eval` as its users type it: with an adapter, without one, and with replies of other makes."""

from __future__ import annotations

import json
import re
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chats import START, fill
from twin.evaluations import Evaluations
from twin.messages import Message

# By whose habits two people are told apart: the owner writes small and without full stops, partners the other way.
OWN = (
    "yeah ok",
    "no idea lol",
    "haha see you there",
    "coming",
    "sounds good to me",
    "nope, i have to work",
    "maybe later",
)
THEIRS = (
    "Are you coming tonight?",
    "What do you think.",
    "Hello there.",
    "When is it?",
    "I am at home now.",
    "Call me.",
)


def fake_encoder() -> Any:
    """Words as vectors: fast, and good enough to tell that the path is there."""

    def embed(texts: Any) -> Any:
        rows = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % 64] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    return embed


@pytest.fixture
def talked(home, store, tiny_base, monkeypatch):
    """A home with three dialogs in which everybody keeps to their habits, and a tiny base model."""
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base()))
    monkeypatch.setenv("TWIN_REPLY__MAX_TOKENS", "12")
    monkeypatch.setenv("TWIN_TRAIN__LEARNING_RATE", "0.02")
    monkeypatch.setenv("TWIN_TRAIN__GATE", "loss")
    monkeypatch.setenv("TWIN_TRAIN__EPOCHS", "1")
    monkeypatch.setenv("TWIN_DATASET__VAL_SHARE", "0.25")
    monkeypatch.setenv("TWIN_DATASET__TEST_SHARE", "0.25")
    monkeypatch.setattr("training.eval_cli._encoder", fake_encoder)
    for chat in (7, 8, 9):
        store.add_dialog(chat, f"Somebody {chat}")
        store.write_messages(said(chat))
    return home


def said(chat: int) -> list[Message]:
    lines = []
    for day in range(30):
        for n in range(8):
            own, number = bool(n % 2), day * 8 + n + 1
            words = (OWN if own else THEIRS)[(day * 3 + n + chat) % (7 if own else 6)]
            text = f"{words} {words.split()[0]} {number}" if own else f"{words} It is {number}."
            sent = START + timedelta(days=day, hours=chat, minutes=n)
            lines.append(Message(chat, number, sent, 1 if own else chat, own, text))
    return lines


def built(run_twin) -> None:
    assert run_twin("dataset", "build", "--json").code == 0


def answers(contexts: Path, out: Path, bubbles, *, skip: int = 0) -> Path:
    lines = [json.loads(line) for line in contexts.read_text().splitlines()]
    kept = [{"id": line["id"], "bubbles": bubbles(line)} for line in lines[skip:]]
    out.write_text("".join(json.dumps(line) + "\n" for line in kept))
    return out


def test_a_twin_is_measured_quickly_repeatably_and_for_good(talked, store, run_twin):
    missing = run_twin("eval")
    assert missing.code == 2 and "There is no adapter to measure yet: run `twin train`" in missing.err
    version = json.loads(run_twin("train", "--json").out)["version"]
    ran = run_twin("eval", version, "--quick", "--contexts", "10", "--json", "--samples", "2")
    found = json.loads(ran.out)
    systems = {system["name"]: system for system in found["systems"]}
    assert ran.code == 0 and (found["version"], found["kind"], found["contexts"]) == (version, "quick", 10)
    assert list(systems) == ["twin", "nearest", "random", "somebody else", "owner"]
    assert set(found["samples"][0]) == {"id", "context", "twin", "nearest", "real"} and len(found["samples"]) == 2
    assert found["test_bits_per_character"] < found["test_base_bits_per_character"]
    twin = systems["twin"]
    assert twin["gain"]["owner"]["value"] > 0 and systems["nearest"]["gain"] is None
    assert twin["ranking"]["owner"]["contexts"] > 0
    assert twin["leakage"] == twin["leakage"] | {"asked": 20, "vault": 0}
    kept = Evaluations(store.db).latest(version)
    assert kept is not None and kept.kind == "quick"
    assert kept.numbers == {name: value for name, value in found.items() if name != "samples"}
    told = json.loads(run_twin("adapters", "show", version, "--json").out)
    assert told["evaluation"]["numbers"]["contexts"] == 10


@pytest.mark.slow
def test_a_twin_stands_beside_base_past_others_and_the_owner(talked, run_twin, tmp_path):
    version = json.loads(run_twin("train", "--json").out)["version"]
    page = tmp_path / "out.html"
    ran = run_twin("eval", "--contexts", "24", "--json", "--html", page)
    found = json.loads(ran.out)
    assert ran.code == 0 and found["version"] == version and found["contexts"] == 24 and "samples" not in found
    systems = {system["name"]: system for system in found["systems"]}
    assert list(systems) == ["twin", "base", "examples", "nearest", "random", "somebody else", "owner"]
    assert systems["twin"]["leakage"]["asked"] == 200 and systems["base"]["ranking"] is not None
    assert "20 examples" in page.read_text() and oct(page.stat().st_mode)[-3:] == "600"
    again = json.loads(run_twin("eval", "--contexts", "24", "--json").out)
    volatile = ("at", "seconds")
    assert {k: v for k, v in again.items() if k not in volatile} == {
        k: v for k, v in found.items() if k not in volatile
    }, "the same seed gives the same replies"
    shown = run_twin("eval", "--contexts", "24", "--quick", "--samples", "1").out
    assert "Fidelity" in shown and "Bits per character" in shown and "you, really" in shown


def test_systems_of_other_makes_stand_in_the_table_without_any_model(talked, run_twin, tmp_path):
    built(run_twin)
    contexts = tmp_path / "c.jsonl"
    out = run_twin("eval", "--contexts-out", contexts)
    lines = [json.loads(line) for line in contexts.read_text().splitlines()]
    assert out.code == 0 and f"{len(lines)} moments written" in out.out and len(lines) > 60
    assert oct(contexts.stat().st_mode)[-3:] == "600"
    assert all(set(line) == {"id", "turns"} and line["turns"][-1]["role"] == "user" for line in lines)
    parrot = answers(contexts, tmp_path / "parrot.jsonl", lambda line: line["turns"][-1]["bubbles"])
    constant = answers(contexts, tmp_path / "b.jsonl", lambda _: ["ok"], skip=2)
    ran = run_twin("eval", "--json", "--replies", parrot, "--replies", f"always ok={constant}")
    found = json.loads(ran.out)
    systems = {system["name"]: system for system in found["systems"]}
    assert ran.code == 0 and found["version"] is None
    assert list(systems) == ["parrot", "always ok", "nearest", "random", "somebody else", "owner"]
    assert f"always ok: 2 of {len(lines)} moments have no reply and count as silence." in ran.err
    assert (systems["parrot"]["missing"], systems["always ok"]["missing"]) == (0, 2)
    assert systems["always ok"]["copying"]["most_frequent"] > 0.9
    assert systems["parrot"]["style"]["excess"]["value"] > systems["random"]["style"]["excess"]["value"] + 0.05
    assert systems["parrot"]["context_fit"]["cosine"]["value"] > systems["always ok"]["context_fit"]["cosine"]["value"]
    assert systems["parrot"]["gain"] is None and systems["parrot"]["leakage"] is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no json\n", "Line 1 of r.jsonl is no reply: write"),
        (b'{"id": "1", "bubbles": "ok"}\n', "Line 1 of r.jsonl is no reply"),
        (b'{"id": 1, "bubbles": ["ok"]}\n', "Line 1 of r.jsonl is no reply"),
        (b'{"id": "1", "bubbles": ["\\ud800"]}\n', "Line 1 of r.jsonl is no reply"),
        (b"[" * 100_000, "Line 1 of r.jsonl is no reply"),
        (b'{"id": "1", "bubbles": []}\n\n{"id": "1", "bubbles": []}\n', "Line 3 of r.jsonl answers a context a second"),
        (b'{"id": "secret words", "bubbles": ["ok"]}\n', "1 of 1 replies in r.jsonl are to contexts that are not held"),
        (b"\xff\xfe", "r.jsonl is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_measured_is_one_sentence(talked, run_twin, tmp_path, content, told):
    built(run_twin)
    (tmp_path / "r.jsonl").write_bytes(content)
    ran = run_twin("eval", "--replies", tmp_path / "r.jsonl", "--html", tmp_path / "page.html")
    assert ran.code == 2 and ran.out == "" and len(ran.err.splitlines()) == 1
    assert told in ran.err and "secret words" not in ran.err
    assert not (tmp_path / "page.html").exists()


def test_a_missing_file_and_a_taken_name_are_told(talked, run_twin, tmp_path):
    built(run_twin)
    assert "There is no file" in run_twin("eval", "--replies", tmp_path / "none.jsonl").err
    (tmp_path / "r.jsonl").touch()
    assert "Two systems cannot both be called 'twin'" in run_twin("eval", "--replies", f"twin={tmp_path}/r.jsonl").err
    same = ("--replies", tmp_path / "r.jsonl")
    assert "Two systems cannot both be called 'r'" in run_twin("eval", *same, *same).err
    ran = run_twin("eval", "--contexts-out", tmp_path / "no" / "folder.jsonl")
    assert ran.code == 2 and "cannot be written" in ran.err and not (tmp_path / "no").exists()


def test_too_little_to_measure_says_so_and_measures_the_rest(home, store, run_twin, monkeypatch, tmp_path):
    monkeypatch.setattr("training.eval_cli._encoder", lambda: None)
    fill(store)
    built(run_twin)
    contexts = tmp_path / "c.jsonl"
    run_twin("eval", "--contexts-out", contexts)
    constant = answers(contexts, tmp_path / "ok.jsonl", lambda _: ["ok"])
    ran = run_twin("eval", "--replies", constant, "--samples", "1")
    assert ran.code == 0 and "Fidelity says nothing here" in ran.out.replace("\n", " ") and "Loops" in ran.out

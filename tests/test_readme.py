"""The README tells the truth: every command in it runs, every folder and verb in it is there."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.test_end_to_end import export_of
from twin.cli import VERBS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [line.strip() for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]
ENDLESS = {"up", "chat"}  # tried with --help here, for real in tests of their own


def test_every_command_of_going_live_runs_in_its_order(tmp_path, tiny_base, run_twin, monkeypatch):
    export = tmp_path / "result.json"
    export.write_text(json.dumps(export_of(days=30)))
    settings = {
        "HOME": tmp_path / "home",
        "BASE__MODEL": tiny_base(),
        "OWNER__ID": 1001,
        "REPLY__MAX_TOKENS": 16,
        "TRAIN__EPOCHS": 2,
        "TRAIN__GATE": "loss",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"TWIN_{name}", str(value))
    ran = []
    for line in BLOCKS:
        if not line.startswith("twin "):
            continue
        words = [str(export) if word.endswith("result.json") else word for word in shlex.split(line)[1:]]
        words += ["--help"] if words[0] in ENDLESS else []
        monkeypatch.setattr("sys.stdin", io.StringIO("123456789:" + "A" * 35 + "\n"))  # for `bot --set-token`
        done = run_twin(*words)
        to_do_at_first = 1 if words[0] == "doctor" else 0
        assert done.code == to_do_at_first, f"{line}: {done.err}"
        ran.append(words[0])
    assert ran == [
        *("init", "doctor", "ingest", "ingest", "dataset", "dataset", "dataset", "train", "eval", "chat", "bot", "up")
    ]


def test_every_make_target_named_is_there():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {line.split()[1] for line in BLOCKS if line.startswith("make ")} | set(
        re.findall(r"`make ([a-z]+)", README)
    )
    assert {"demo", "test", "check", "slow", "bench"} <= named <= targets


def test_every_verb_is_told_and_every_told_verb_is_there():
    told = set(re.findall(r"`twin ([a-z-]+)", README))
    assert told == set(VERBS)


@pytest.mark.parametrize("folder", re.findall(r"^\| `([\w/]+/)` \|", README, re.M))
def test_every_folder_of_the_tour_is_there(folder):
    assert (ROOT / folder).is_dir()


def test_links_within_the_repository_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target

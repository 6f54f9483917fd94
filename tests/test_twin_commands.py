"""`twin init`, `twin adapters`, `twin jobs`: what they print and what they refuse."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twin.jobs import RETRAIN, JobQueue
from twin.prompt import PromptSpec
from twin.quizzes import Quizzes
from twin.registry import BaseIdentity, Manifest, Registry
from twin.settings import Settings, default_home, default_toml, load_settings
from twin.store import Store

Run = Callable[..., Any]


@pytest.fixture
def registry(home: Settings, store: Store) -> Registry:
    return Registry(home.adapters, store.db)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def publish(registry: Registry, version: str) -> None:
    with registry.incoming() as folder:
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        (folder / "adapter_config.json").write_text("{}")
        manifest = Manifest(
            version=version,
            created_at="2026-11-21T22:30:01+00:00",
            base=BaseIdentity("[my]/model", "f", "nf4"),
            prompt=PromptSpec(),
            dataset="d",
            owner_turns=1,
            lora={},
            metrics={"val_base_bits_per_character": 3.0, "val_bits_per_character": 2.25},
            versions={},
        )
        registry.publish(folder, manifest)


def test_init_writes_a_commented_file_into_a_home_that_only_you_can_read(run_twin: Run) -> None:
    ran = run_twin("init")
    home = default_home()
    assert ran.code == 0
    assert str(home / "twin.toml") in ran.out
    assert "twin ingest export PATH" in ran.out
    assert (home / "twin.toml").read_text() == default_toml()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.iterdir())}
    assert modes == {"home": 0o700, "adapters": 0o700, "datasets": 0o700, "twin.toml": 0o600}


def test_init_never_overwrites_unless_it_is_forced(run_twin: Run) -> None:
    run_twin("init")
    file = default_home() / "twin.toml"
    file.write_text("[reply\n")
    refused = run_twin("init")
    assert refused.code == 2
    assert refused.err == f"twin: {file} exists already: edit it, or overwrite it with `twin init --force`.\n"
    assert file.read_text() == "[reply\n"
    assert run_twin("init", "--force").code == 0
    assert file.read_text() == default_toml()
    assert load_settings().reply.temperature == 1.0


def test_init_where_nothing_can_be_written_is_one_sentence(
    run_twin: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "a file" / "home"))
    ran = run_twin("init")
    assert ran.code == 2
    assert "cannot be written (Not a directory): choose another TWIN_HOME." in ran.err


def test_an_empty_home_says_what_to_do(home: Settings, run_twin: Run) -> None:
    assert "`twin train` makes the first" in run_twin("adapters", "list").out
    assert "There is no job" in run_twin("jobs").out
    assert json.loads(run_twin("adapters", "list", "--json").out) == []
    assert json.loads(run_twin("jobs", "--json").out) == []


def test_the_list_shows_each_version_newest_first_and_what_is_damaged(registry: Registry, run_twin: Run) -> None:
    for version in ("v1", "v2", "v3"):
        publish(registry, version)
    registry.promote("v2", "better", 1_763_000_000.0)
    (registry.folder / "v3" / "adapter_model.safetensors").write_bytes(b"w")
    rows = json.loads(run_twin("adapters", "list", "--json").out)
    assert [(row["version"], row["serves"]) for row in rows] == [("v3", False), ("v2", True), ("v1", False)]
    assert "v3 is truncated" in rows[0]["damage"]
    assert (rows[1]["held_out_before"], rows[1]["held_out_after"], rows[1]["promoted_at"]) == (3.0, 2.25, 1_763_000_000)
    table = run_twin("adapters", "list").out
    assert "damaged: The adapter v3 is truncated" in table
    assert "[my]/model (nf4)" in table
    assert "3.000 -> 2.250" in table


def test_show_prints_the_manifest_even_of_a_damaged_version(registry: Registry, run_twin: Run) -> None:
    publish(registry, "v1")
    shown = json.loads(run_twin("adapters", "show", "v1", "--json").out)
    assert (shown["version"], shown["serves"], shown["damage"]) == ("v1", False, None)
    (registry.folder / "v1" / "adapter_model.safetensors").unlink()
    ran = run_twin("adapters", "show", "v1")
    assert ran.code == 0
    assert "The adapter v1 lacks adapter_model.safetensors" in ran.out
    assert "val_bits_per_character" in ran.out


def test_show_tells_how_often_people_told_a_version_from_its_owner(registry: Registry, run_twin: Run) -> None:
    publish(registry, "v1")
    assert json.loads(run_twin("adapters", "show", "v1", "--json").out)["quizzes"] is None
    quizzes = Quizzes(registry.db)
    for side in ("a", "a", "b"):
        asked = quizzes.get(quizzes.ask("v1", 5, "m", "a", 1.0))
        assert asked is not None and quizzes.answer(asked, side, 2.0)  # type: ignore[arg-type]
    told = json.loads(run_twin("adapters", "show", "v1", "--json").out)["quizzes"]
    assert (told["right"], told["count"]) == (2, 3)
    assert "Told from you in 2 of 3 quizzes (67 %; 95 %: 21-94)." in run_twin("adapters", "show", "v1").out


def test_promote_and_rollback_say_what_serves_now(registry: Registry, run_twin: Run) -> None:
    publish(registry, "v1")
    publish(registry, "v2")
    assert run_twin("adapters", "promote", "v1").out == "v1 serves from the next reply on.\n"
    assert json.loads(run_twin("adapters", "promote", "v2", "--json").out) == {"serves": "v2"}
    assert registry.current() == "v2"
    assert run_twin("adapters", "rollback").out == "v1 serves from the next reply on.\n"
    assert registry.current() == "v1"
    ran = run_twin("adapters", "rollback")
    assert (ran.code, registry.current()) == (2, "v1")
    assert "no earlier adapter to go back to: `twin adapters list`" in ran.err


@pytest.mark.parametrize("verb", ["show", "promote"])
def test_an_unknown_version_is_one_sentence(registry: Registry, run_twin: Run, verb: str) -> None:
    ran = run_twin("adapters", verb, "../v1")
    assert (ran.code, ran.err) == (2, "twin: There is no adapter '../v1': `twin adapters list` shows them.\n")


def test_a_damaged_version_is_not_promoted(registry: Registry, run_twin: Run) -> None:
    publish(registry, "v1")
    (registry.folder / "v1" / "twin.json").write_text("{")
    ran = run_twin("adapters", "promote", "v1")
    assert ran.code == 2
    assert "The twin.json of the adapter v1 is damaged" in ran.err
    assert registry.current() is None


def test_jobs_shows_who_asked_how_far_it_is_and_how_it_ended(store: Store, run_twin: Run) -> None:
    queue = JobQueue(store.db)
    failed = queue.enqueue(RETRAIN, "owner", 1_763_000_000.0)
    queue.finish(failed.id, 1_763_000_100.0, error="The disk is full [now]: free some.")
    done = queue.enqueue(RETRAIN, "schedule", 1_763_000_200.0)
    queue.finish(done.id, 1_763_000_300.0, result={"version": "v1", "promoted": True, "reason": "better"})
    running = queue.enqueue(RETRAIN, "owner", 1_763_000_400.0)
    queue.claim("w", 1_763_000_500.0)
    queue.report(running.id, {"step": 3, "steps": 9, "loss": 2.5, "seconds_left": 75})
    rows = json.loads(run_twin("jobs", "--json").out)
    assert [(row["id"], row["state"]) for row in rows] == [
        (running.id, "running"),
        (done.id, "done"),
        (failed.id, "failed"),
    ]
    table = run_twin("jobs").out
    assert "step 3/9, loss 2.500, 1:15 left" in table
    assert "v1 serves: better" in table
    assert "The disk is full [now]: free some." in table
    assert len(json.loads(run_twin("jobs", "--json", "--limit", 1).out)) == 1

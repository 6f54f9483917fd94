"""The adapter registry: what is published, what is refused, what serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from twin.errors import AdapterError
from twin.prompt import PromptSpec
from twin.registry import FORMAT, MANIFEST, BaseIdentity, Manifest, Registry, new_version
from twin.settings import Settings
from twin.store import Store

BASE = BaseIdentity(model="gemma3-270m", fingerprint="f00d", quantization="nf4")


@pytest.fixture
def registry(home: Settings, store: Store) -> Registry:
    return Registry(home.adapters, store.db)


def manifest(version: str) -> Manifest:
    return Manifest(
        version=version,
        created_at="2026-11-21T22:30:01+00:00",
        base=BASE,
        prompt=PromptSpec(tokenizer="t0"),
        dataset="d0",
        owner_turns=1000,
        lora={"rank": 16},
        metrics={"val_bits_per_character": 2.5},
        versions={"peft": "0.21"},
    )


def publish(registry: Registry, version: str) -> Path:
    with registry.incoming() as folder:
        (folder / "adapter_model.safetensors").write_bytes(b"weights of " + version.encode())
        (folder / "adapter_config.json").write_text("{}")
        registry.publish(folder, manifest(version))
    return registry.folder / version


def serve(registry: Registry, *versions: str) -> None:
    for number, version in enumerate(versions):
        publish(registry, version)
        registry.promote(version, "better", float(number))


def edit(folder: Path, **changes: object) -> None:
    values = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(values | changes))


def test_a_published_version_has_checksums_and_verifies_but_does_not_serve(registry: Registry) -> None:
    folder = publish(registry, "v1")
    found = registry.verify("v1", BASE)
    assert sorted(found.files) == ["adapter_config.json", "adapter_model.safetensors"]
    assert found.files["adapter_config.json"]["bytes"] == 2
    assert found.prompt == PromptSpec(tokenizer="t0")
    assert Manifest.read(folder) == found
    assert registry.versions() == ["v1"]
    assert registry.current() is None


def test_publishing_is_one_rename_so_nothing_half_written_is_ever_a_version(registry: Registry) -> None:
    with registry.incoming() as folder:
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        assert registry.versions() == []
        inode = folder.stat().st_ino
        registry.publish(folder, manifest("v1"))
        assert (registry.folder / "v1").stat().st_ino == inode
    assert [path.name for path in registry.folder.iterdir()] == ["v1"]


def test_a_training_that_breaks_off_leaves_nothing(registry: Registry) -> None:
    with pytest.raises(RuntimeError, match="diverged"), registry.incoming() as folder:
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        raise RuntimeError("diverged")
    assert list(registry.folder.iterdir()) == []


def test_what_a_killed_training_left_is_swept_a_day_later(registry: Registry) -> None:
    registry.folder.mkdir()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leftovers = {
        "old and dead": registry.folder / f".incoming-{dead.pid}-aaaa",
        "fresh": registry.folder / f".incoming-{dead.pid}-bbbb",
        "alive": registry.folder / f".incoming-{os.getpid()}-cccc",
    }
    for path in leftovers.values():
        path.mkdir()
        os.utime(path, (time.time() - 90_000,) * 2)
    os.utime(leftovers["fresh"])
    with registry.incoming():
        pass
    assert {name for name, path in leftovers.items() if path.exists()} == {"fresh", "alive"}


def test_a_truncated_adapter_is_refused_and_the_previous_one_keeps_serving(registry: Registry) -> None:
    serve(registry, "v1", "v2")
    weights = registry.folder / "v2" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5])
    with pytest.raises(AdapterError, match=r"v2 is truncated: adapter_model.safetensors has 5 of 13 bytes"):
        registry.verify("v2")
    assert registry.candidates() == ["v2", "v1"]
    assert registry.verify(registry.candidates()[1], BASE).version == "v1"


def test_an_altered_adapter_is_refused(registry: Registry) -> None:
    weights = publish(registry, "v1") / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(AdapterError, match=r"v1 was altered: adapter_model.safetensors"):
        registry.promote("v1", "by hand", 0.0)
    assert registry.current() is None


def test_an_adapter_with_a_missing_file_is_refused(registry: Registry) -> None:
    (publish(registry, "v1") / "adapter_config.json").unlink()
    with pytest.raises(AdapterError, match=r"v1 lacks adapter_config.json: promote another version, or retrain\."):
        registry.verify("v1")


def test_an_adapter_of_another_base_or_quantization_is_refused_and_says_which(registry: Registry) -> None:
    publish(registry, "v1")
    with pytest.raises(AdapterError, match=r"trained on another base model \(gemma3-270m\)"):
        registry.verify("v1", BaseIdentity("other", "beef", "nf4"))
    with pytest.raises(AdapterError, match=r"trained on another quantization \(nf4\)"):
        registry.verify("v1", BaseIdentity("gemma3-270m", "f00d", "none"))


def test_a_renamed_folder_is_refused(registry: Registry) -> None:
    publish(registry, "v1").rename(registry.folder / "v9")
    with pytest.raises(AdapterError, match="The folder v9 holds the adapter v1"):
        registry.verify("v9")


def test_rolling_back_twice_goes_further_back(registry: Registry) -> None:
    serve(registry, "v1", "v2", "v3")
    assert registry.current() == "v3"
    assert registry.rollback(10.0) == "v2"
    assert registry.rollback(11.0) == "v1"
    assert registry.current() == "v1"
    with pytest.raises(AdapterError, match="no earlier adapter"):
        registry.rollback(12.0)
    assert [(p.version, p.withdrawn_at) for p in registry.history()] == [("v1", None), ("v2", 11.0), ("v3", 10.0)]


def test_a_version_that_was_promoted_again_is_withdrawn_wholly(registry: Registry) -> None:
    serve(registry, "v1", "v2")
    registry.promote("v1", "by hand", 5.0)
    assert registry.candidates() == ["v1", "v2"]
    assert registry.rollback(6.0) == "v2"
    assert registry.candidates() == ["v2"]


def test_rolling_back_to_a_damaged_version_is_refused_and_changes_nothing(registry: Registry) -> None:
    serve(registry, "v1", "v2")
    (registry.folder / "v1" / "adapter_config.json").unlink()
    with pytest.raises(AdapterError, match="lacks"):
        registry.rollback(5.0)
    assert registry.current() == "v2"


@pytest.mark.parametrize(
    "name", ["../v1", "..", ".", "", "/etc", "v1/../v1", "v1\n", ".incoming-1-aa", "a" * 65, "v1\x00"]
)
def test_a_version_name_never_leaves_the_folder(registry: Registry, name: str) -> None:
    publish(registry, "v1")
    with pytest.raises(AdapterError, match="There is no adapter"):
        registry.path(name)
    with pytest.raises(AdapterError, match="cannot be published"), registry.incoming() as folder:
        registry.publish(folder, manifest(name))


def test_a_version_is_never_published_twice(registry: Registry) -> None:
    before = (publish(registry, "v1") / MANIFEST).read_bytes()
    with pytest.raises(AdapterError, match="choose a new version name"):
        publish(registry, "v1")
    assert (registry.folder / "v1" / MANIFEST).read_bytes() == before


def test_new_versions_sort_by_time(registry: Registry) -> None:
    versions = [new_version(datetime(2026, 11, 21, 22, 30, second, tzinfo=UTC)) for second in (1, 2, 30)]
    assert versions == sorted(versions)
    for version in reversed(versions):
        publish(registry, version)
    assert registry.versions() == versions


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"x"', "{}", '{"format": "new"}', "\xff\xfe"],
)
def test_a_damaged_manifest_is_one_sentence(registry: Registry, text: str) -> None:
    (publish(registry, "v1") / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(AdapterError, match=r"The twin.json of the adapter v1 is damaged: retrain, or promote another"):
        registry.verify("v1")


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"adapter_config.json": {}}},
        {"files": ["adapter_config.json"]},
        {"files": {"../../twin.db": {"bytes": 1, "sha256": "0"}}},
        {"owner_turns": "many"},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-21T22:30:01"},
        {"metrics": []},
        {"base": {"model": "m"}},
        {"prompt": None},
    ],
)
def test_a_manifest_with_values_of_the_wrong_kind_is_damaged(registry: Registry, changes: dict[str, object]) -> None:
    edit(publish(registry, "v1"), **changes)
    with pytest.raises(AdapterError):
        registry.verify("v1")


def test_a_folder_without_a_manifest_is_no_adapter(registry: Registry) -> None:
    (publish(registry, "v1") / MANIFEST).unlink()
    with pytest.raises(AdapterError, match=r"v1 has no twin.json: choose another version"):
        registry.verify("v1")


def test_a_manifest_of_a_newer_format_asks_for_an_upgrade(registry: Registry) -> None:
    edit(publish(registry, "v1"), format=FORMAT + 1)
    with pytest.raises(AdapterError, match=r"v1 was made by a newer version of twin: upgrade twin\."):
        registry.verify("v1")


def test_a_field_that_a_later_version_added_is_passed_over(registry: Registry) -> None:
    edit(publish(registry, "v1"), added_later=1)
    assert registry.verify("v1").owner_turns == 1000

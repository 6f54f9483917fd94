"""Which engine serves: what is asked for, else the faster one that can do all that is asked of it here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference import choosing, machine
from inference.building import engine_for
from inference.choosing import choose
from inference.llamacpp.engine import LlamaCppEngine
from inference.local import LocalEngine
from tests.conftest import Ran
from tests.test_inference_export import publish
from tests.tiny_gguf import write_gguf_base
from twin.errors import SettingsError
from twin.sections import Base, EngineSettings, Reply
from twin.settings import Settings


@pytest.fixture
def able(home: Settings, tiny_base: Callable[[str], Path], tmp_path: Path, monkeypatch: Any) -> Settings:
    """A machine without a GPU on which llama.cpp can do all that is asked."""
    monkeypatch.setattr(choosing, "has_gpu", lambda: False)
    monkeypatch.setenv("TWIN_CACHE", str(tmp_path / "cache"))
    base = tiny_base("llama")
    gguf = write_gguf_base(base, tmp_path / "base.gguf")
    engine = EngineSettings(gguf=str(gguf), threads=1)
    return home.model_copy(update={"base": Base(model=str(base)), "engine": engine})


def asking(settings: Settings, **sections: Any) -> Settings:
    return settings.model_copy(update=sections)


def test_without_a_gpu_llama_cpp_serves_what_it_can(able: Settings) -> None:
    assert choose(able).kind == "llamacpp"
    engine = engine_for(able)
    assert isinstance(engine, LlamaCppEngine)
    engine.close()


def test_with_a_gpu_or_without_a_gguf_the_local_engine_serves(able: Settings, monkeypatch: Any) -> None:
    without = asking(able, engine=EngineSettings())
    assert "set engine.gguf" in choose(without).why
    engine = engine_for(without)
    assert isinstance(engine, LocalEngine)
    engine.close()
    assert choose(asking(able, engine=EngineSettings(gguf="/nowhere/at.gguf"))).kind == "local"
    monkeypatch.setattr(choosing, "has_gpu", lambda: True)
    assert choose(able) == choosing.Choice("local", "this machine has a GPU")


def test_what_llama_cpp_cannot_do_goes_to_the_local_engine_unless_it_was_asked_for_by_name(able: Settings) -> None:
    for reply in (Reply(candidates=4), Reply(repetition_penalty=1.1), Reply(no_repeat_ngram=4)):
        assert choose(asking(able, reply=reply)).kind == "local"
    trained = Base(model=able.base.model, template="chatml", chatml_tokens="trained")
    assert choose(asking(able, base=trained)).kind == "local"
    named = asking(able, reply=Reply(candidates=4), engine=able.engine.model_copy(update={"kind": "llamacpp"}))
    assert choose(named).kind == "llamacpp"
    with pytest.raises(SettingsError, match="cannot compare candidates"):
        engine_for(named)


def test_without_the_packages_the_reason_names_the_command(able: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr("inference.llamacpp.limits.find_spec", lambda _: None)
    assert choose(able).kind == "local"
    assert "pip install '.[llamacpp]'" in choose(able).why


@pytest.mark.parametrize("lora", [{}, {"init": "loftq"}], ids=["plain", "loftq"])
def test_the_promoted_adapter_decides_too(able: Settings, tiny_base: Callable[[str], Path], lora: Any) -> None:
    publish(able, tiny_base("llama"), lora)
    choice = choose(able)
    assert choice.kind == ("local" if lora else "llamacpp")
    assert not lora or "corrects what NF4 lost" in choice.why


def test_an_adapter_with_magnitudes_is_served_by_the_local_engine(
    able: Settings, tiny_base: Callable[[str], Path]
) -> None:
    version = publish(able, tiny_base("llama"))
    config = able.adapters / version / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"use_dora": True}))
    assert choose(able).kind == "local"
    assert "DoRA" in choose(able).why


def test_the_doctor_says_which_engine_would_serve_and_why(
    able: Settings, run_twin: Callable[..., Ran], monkeypatch: Any
) -> None:
    def line(**environment: str) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        findings = json.loads(run_twin("doctor", "--quick", "--json").out)["findings"]
        return next(found for found in findings if found["check"] == "engine")

    found = line(TWIN_BASE__MODEL=able.base.model, TWIN_ENGINE__GGUF=str(able.engine.gguf))
    assert (found["ok"], found["seen"]) == (True, "llamacpp: this machine has no GPU")
    found = line(TWIN_ENGINE__KIND="local")
    assert (found["ok"], found["seen"]) == (True, "local: engine.kind names it")
    found = line(TWIN_ENGINE__KIND="llamacpp", TWIN_REPLY__CANDIDATES="3")
    assert not found["ok"]
    assert "reply.candidates" in found["remedy"]


def test_a_gpu_counts_when_torch_as_installed_can_use_it(monkeypatch: Any) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_cards", lambda: 2)
    versions = {"torch": "2.13.0+cu130"}
    monkeypatch.setattr(machine.metadata, "version", versions.__getitem__)
    assert machine.has_gpu()
    versions["torch"] = "2.13.0+cpu"
    assert not machine.has_gpu()
    versions["torch"] = "2.13.0"
    assert machine.has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not machine.has_gpu()


def test_choosing_and_building_import_no_torch() -> None:
    rooms = "inference.building, inference.llamacpp.engine, inference.choosing"
    code = f"import {rooms}, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"

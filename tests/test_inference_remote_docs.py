"""docs/scale.md tells the truth: its settings, verbs, numbers and metrics are there, its toml is a twin.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from inference.answering import Answering
from inference.remote import client as remote_client
from inference.remote.adapters import is_name_of_version
from inference.remote.circuit import Circuit
from inference.remote.engine import RemoteEngine
from inference.server.metrics import Metrics
from tests.stand_in_vllm import stand_in_vllm
from tests.test_inference_remote_circuit import Clock
from twin.cli import VERBS
from twin.sections import EngineSettings
from twin.settings import Settings, known_keys

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_every_setting_named_is_one_and_every_remote_setting_is_named() -> None:
    named = set(re.findall(r"`((?:engine|base|train|reply|dataset|serve)\.\w+)", PAGE)) - {"base.gguf"}
    assert named and named <= set(known_keys())
    blocks = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE, re.S)]
    for block in blocks:
        Settings(**block)
    told = {name.removeprefix("engine.") for name in named} | {key for block in blocks for key in block["engine"]}
    remote = {
        name for name, field in EngineSettings.model_fields.items() if (field.description or "").startswith("remote:")
    }
    assert remote <= told


def test_every_verb_named_is_one_and_links_lead_somewhere() -> None:
    assert set(re.findall(r"`twin ([a-z]+)", PAGE)) <= set(VERBS)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_the_numbers_of_faults_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = Circuit(clock=Clock())
    for _ in range(5):
        assert circuit.state == "closed"
        circuit.fail()
    assert circuit.state == "open" and circuit._seconds == 30
    assert (remote_client.ATTEMPTS, remote_client.LONGEST_ASKED) == (4, 30)
    assert (remote_client._CONNECT_SECONDS, remote_client._FIRST_PAUSE) == (5, 0.5)
    for words in ("tried 4 times", "0.5, 1 and 2 seconds", "up to 30 seconds", "take 5 seconds", "After 5 failures"):
        assert words in re.sub(r"\s+", " ", PAGE)


def test_the_metrics_of_twin_that_are_named_are_told() -> None:
    named = set(re.findall(r"`(twin_[a-z_]+)", PAGE))
    text = Metrics().text().decode()
    assert "twin_engine_reachable" in named
    for name in named:
        assert re.search(rf"^# HELP {name} ", text, re.M), name


def test_a_name_of_a_version_is_of_the_form_that_is_told() -> None:
    assert "`twin-VERSION-DIGITS`" in PAGE
    assert is_name_of_version("twin-20261121-223001-4f1c-0123456789ab") and not is_name_of_version("Qwen/Qwen3-8B")


def test_an_open_circuit_is_seen_in_the_metrics(home, tiny_base, monkeypatch) -> None:
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base("llama")))
    with stand_in_vllm() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        settings = Settings()
        engine = RemoteEngine.open(settings)
        generator = Answering.open(settings, engine)
        metrics = Metrics()
        metrics.generator = lambda: generator
        assert "twin_engine_reachable 1.0" in metrics.text().decode()
        for _ in range(5):
            engine.circuit.fail()
        assert "twin_engine_reachable 0.0" in metrics.text().decode()
        generator.close()

"""Engines over the same tiny base model, and adapters for it that were never trained: random, and large.

A kind of engine is one function in ENGINES; tests/test_inference_contract.py holds all of them to the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from inference.engine import Engine
from inference.llamacpp.engine import LlamaCppEngine
from inference.local import LocalEngine
from inference.remote.engine import RemoteEngine
from inference.tokenizer import BaseTokenizer
from tests.stand_in_vllm import KEY, stand_in_vllm
from tests.tiny_gguf import write_gguf_base
from twin.manifest import BaseIdentity, Manifest
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.sections import EngineSettings
from twin.settings import Settings

FAMILY = "llama"
"""Of the tiny model that all engines run."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie: the base model's folder, and a folder for what an engine needs beside it."""

    base: Path
    scratch: Path


@contextmanager
def local(settings: Settings, _: Places) -> Iterator[Engine]:
    """transformers and peft."""
    yield LocalEngine.open(settings)


@contextmanager
def remote(settings: Settings, _: Places) -> Iterator[Engine]:
    """A server elsewhere with vLLM's interface, for which local engines write."""

    def engine_of(folder: Path | None) -> LocalEngine:
        engine = LocalEngine.open(settings)
        if folder is not None:
            manifest = Manifest.read(folder)
            engine.prepare(manifest.version, folder, manifest)
            engine.use(manifest.version)
        return engine

    key = settings.home / "remote-key"
    key.write_text(KEY)
    key.chmod(0o600)
    with stand_in_vllm(engine_of=engine_of) as server:
        where = EngineSettings(kind="remote", url=server.url, model=server.names[0])
        yield RemoteEngine.open(settings.model_copy(update={"engine": where}))
        assert server.wrong == []


@contextmanager
def llamacpp(settings: Settings, places: Places) -> Iterator[Engine]:
    """llama.cpp on a GGUF of the same weights."""
    places.scratch.mkdir()
    gguf = write_gguf_base(places.base, places.scratch / "base.gguf")
    how = EngineSettings(kind="llamacpp", gguf=str(gguf), threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWIN_CACHE", str(places.scratch / "cache"))
        yield LlamaCppEngine.open(settings.model_copy(update={"engine": how}))


ENGINES: dict[str, Callable[[Settings, Places], object]] = {"local": local, "llamacpp": llamacpp, "remote": remote}


def publish(registry: Registry, identity: BaseIdentity, base: Path, seed: int) -> str:
    """A random adapter under a version of its own; returns that. It does not serve yet."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    how = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    lora = get_peft_model(model, how)
    with torch.no_grad():
        for name, weight in lora.named_parameters():
            if "lora_" in name:
                weight.mul_(6)
    spec = PromptSpec(context_tokens=256).for_tokenizer(BaseTokenizer(base).fingerprint)
    with registry.incoming() as folder:
        lora.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": None}))
        manifest = Manifest(
            version=f"v{seed:03}",
            created_at=datetime.now(UTC).isoformat(),
            base=identity,
            prompt=spec,
            dataset="none",
            owner_turns=100,
            lora={"rank": 4, "alpha": 8, "dropout": 0.0},
            metrics={},
            versions={},
        )
        return registry.publish(folder, manifest).version

"""Published versions without weights worth the name, for bots that tell of them."""

from __future__ import annotations

import time
from pathlib import Path

from twin.prompt import PromptSpec
from twin.registry import BaseIdentity, Manifest, Registry
from twin.store import Store


def publish(home: Path, version: str, *, is_promoted: bool = True, dataset: str = "d") -> None:
    """A version in a home, promoted unless told otherwise."""
    with Store.open(home / "twin.db") as store:
        registry = Registry(home / "adapters", store.db)
        with registry.incoming() as folder:
            (folder / "adapter_config.json").write_text("{}")
            (folder / "adapter_model.safetensors").write_bytes(b"weights")
            registry.publish(
                folder,
                Manifest(
                    version=version,
                    created_at="2026-11-21T12:00:00+00:00",
                    base=BaseIdentity("tiny", "f00", "none"),
                    prompt=PromptSpec(),
                    dataset=dataset,
                    owner_turns=10,
                    lora={},
                    metrics={"val_bits_per_character": 2.345678, "train_seconds": 9.5},
                    versions={},
                ),
            )
        if is_promoted:
            registry.promote(version, "better", time.time())

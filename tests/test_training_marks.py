"""ChatML's marks as tokens of their own, the whole way: trained by row, saved, loaded, swapped, asked, merged."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.answering import Answering
from inference.base_model import LoadedBase, load_base
from inference.decoding import Request
from inference.gguf_adapter import write_gguf
from inference.local import LocalEngine
from inference.tokenizer import BaseTokenizer
from inference.vocabulary import make_rows
from tests.chats import ANSWERS, fill
from tests.conftest import Ran
from tests.tiny import make_base
from training.dataset import build
from training.run import train
from twin.errors import AdapterError
from twin.messages import Conversation, Turn
from twin.prompt import PromptSpec, encode_prompt, reply_is_complete
from twin.registry import Registry
from twin.sections import Base, Reply, Train
from twin.settings import Settings
from twin.store import Store
from twin.templates import CHATML_MARKS

ASKED = Conversation((Turn.of("other", ["are you coming tonight?"]),))
HOW = Train(epochs=20, learning_rate=5e-3, batch_tokens=256, rank=8, alpha=16, dropout=0, evaluations=1, gate="loss")


def settings_of(home: Settings, folder: Path, tokens: Any = "trained") -> Settings:
    base = Base(model=str(folder), template="chatml", chatml_tokens=tokens)
    return home.model_copy(update={"base": base, "reply": Reply(temperature=0, max_tokens=24), "train": HOW})


def learned(settings: Settings, store: Store, registry: Registry) -> str:
    """The version of a fresh adapter that serves."""
    done = train(
        settings,
        build(store, settings),
        registry,
        say=lambda _: None,
        on_progress=lambda _: None,
        stop=threading.Event(),
    )
    registry.promote(done.manifest.version, "test", time.time())
    return done.manifest.version


def base_of(folder: Path, family: str) -> Path:
    """A tiny base model; qwen3's has the marks already, and spare rows, as Qwen's own have."""
    made = make_base(folder, family)
    if family == "qwen3":
        tokenizer = BaseTokenizer(made, CHATML_MARKS)
        model = AutoModelForCausalLM.from_pretrained(made)
        model.resize_token_embeddings(384)
        model.save_pretrained(made)
        tokenizer.save(made)
    return made


@pytest.mark.parametrize("family", ["gemma3", "llama", "qwen3"], ids=["tied", "untied", "with marks of its own"])
def test_marks_are_trained_by_row_saved_loaded_swapped_asked_and_merged(
    home: Settings,
    store: Store,
    tmp_path: Path,
    run_twin: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    family: str,
) -> None:
    folder = base_of(tmp_path / "base", family)
    settings, registry = settings_of(home, folder), Registry(home.adapters, store.db)
    fill(store, days=12)
    version = learned(settings, store, registry)
    check_small(registry.path(version), folder)
    check_serves(settings, registry, version)
    monkeypatch.setenv("TWIN_BASE__MODEL", str(folder))
    check_merged(registry.path(version), folder, tmp_path / "merged", run_twin)
    with pytest.raises(AdapterError, match=r"llama\.cpp cannot load adapters with trained rows of the vocabulary"):
        write_gguf(registry.path(version), folder, tmp_path / "adapter.gguf")
    check_text_refuses(settings_of(home, folder, "text"), version, is_refused=family != "qwen3")


def check_small(adapter: Path, base: Path) -> None:
    """Beside the LoRA matrices, the adapter holds two rows for each matrix of the vocabulary, moved by training."""
    tokenizer, model = BaseTokenizer(base, CHATML_MARKS), AutoModelForCausalLM.from_pretrained(base)
    make_rows(model, tokenizer)
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert not config["modules_to_save"]
    assert all(rows == list(tokenizer.marks) for rows in config["trainable_token_indices"].values())
    held = load_file(adapter / "adapter_model.safetensors")
    rows = {name: weight for name, weight in held.items() if "lora_" not in name}
    assert len(rows) == (1 if model.config.tie_word_embeddings else 2)
    for name, weight in rows.items():
        layer = model.get_output_embeddings() if "lm_head" in name else model.get_input_embeddings()
        assert weight.shape == (2, 64)
        assert ((weight - layer.weight[list(tokenizer.marks)]).abs().amax(1) > 1e-3).all()


def check_serves(settings: Settings, registry: Registry, version: str) -> None:
    """It says what was learned, ends with the mark, and comes back unchanged after another version and after none."""
    base = load_base(settings)
    generator = Answering(LocalEngine(base), registry, settings.reply, PromptSpec.of(settings))
    generator.use(version)
    first = generator.answer([ASKED])[0]
    assert first.adapter == version and any(answer.startswith(first.bubbles[0]) for answer in ANSWERS)
    assert ids_of(generator, base)[-1] == base.tokenizer.marks[1]
    for other in (swapped_rows(registry, version), without_rows(registry, version)):
        generator.use(other)
        alone = Answering(LocalEngine(load_base(settings)), registry, settings.reply, PromptSpec.of(settings))
        alone.use(other)
        assert ids_of(generator, base) == ids_of(alone, base)
        torch.testing.assert_close(logits(generator), logits(alone))
        theirs = logits(alone)
        alone.close()
        generator.use(version)
        assert generator.answer([ASKED])[0] == first
        assert (logits(generator) - theirs).abs().max() > 1e-3
    generator.use(None)
    bare = Answering(LocalEngine(load_base(settings)), registry, settings.reply, PromptSpec.of(settings))
    assert torch.equal(logits(generator), logits(bare))
    generator.close()


def ids_of(generator: Answering, base: LoadedBase) -> tuple[int, ...]:
    """The tokens of a reply, with those that end it."""
    prompt = encode_prompt(generator.prompt, base.tokenizer, ASKED, 24)
    is_complete = partial(reply_is_complete, generator.prompt)
    request = Request(tuple(prompt), Reply(temperature=0, max_tokens=24), is_complete=is_complete)
    (written,) = generator._engine.write([request])
    return tuple(written.ids)


@torch.no_grad()
def logits(generator: Answering) -> torch.Tensor:
    ids = torch.tensor([[1, 40, *generator._engine.tokenizer.marks, 41]])
    found: torch.Tensor = generator._engine._model(input_ids=ids).logits
    return found


def swapped_rows(registry: Registry, version: str) -> str:
    """Another version, published: the same with the rows of the two marks exchanged."""
    return another(registry, version, "swapped", lambda rows: {n: row.flip(0).contiguous() for n, row in rows.items()})


def without_rows(registry: Registry, version: str) -> str:
    """Another version, published: the same without trained rows."""
    return another(registry, version, "plain", lambda _: {})


def another(
    registry: Registry, version: str, name: str, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> str:
    with registry.incoming() as folder:
        config = json.loads((registry.path(version) / "adapter_config.json").read_text())
        held = load_file(registry.path(version) / "adapter_model.safetensors")
        rows = change({n: weight for n, weight in held.items() if "lora_" not in n})
        config["trainable_token_indices"] = config["trainable_token_indices"] if rows else None
        (folder / "adapter_config.json").write_text(json.dumps(config))
        kept = {n: weight for n, weight in held.items() if "lora_" in n} | rows
        save_file(kept, folder / "adapter_model.safetensors", {"format": "pt"})
        return registry.publish(folder, replace(registry.verify(version), version=name, files={})).version


@torch.no_grad()
def check_merged(adapter: Path, base: Path, out: Path, run_twin: Callable[..., Ran]) -> None:
    """A plain folder with the tokens in it, that gives what bare peft gives on a base with the tokens added."""
    ran = run_twin("adapters", "merge", out)
    assert ran.code == 0 and "neither takes an adapter with trained rows" in ran.out
    tokenizer, own = AutoTokenizer.from_pretrained(out), BaseTokenizer(base, CHATML_MARKS)
    asked = f"{CHATML_MARKS[0]}user\nhey{CHATML_MARKS[1]}\n"
    assert tokenizer.encode(asked, add_special_tokens=False) == own.encode([asked], special=True)[0]
    ids = torch.tensor([[1, *own.encode([asked], special=True)[0]]])
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    size = max(len(model.get_input_embeddings().weight), max(own.marks) + 1)
    model.resize_token_embeddings(size)
    expected = PeftModel.from_pretrained(model, adapter)(input_ids=ids).logits
    plain: Any = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    torch.testing.assert_close(plain(input_ids=ids).logits, expected, atol=1e-3, rtol=0)
    assert plain.config.vocab_size == size and own.marks[1] in plain.generation_config.eos_token_id
    assert not plain.config.tie_word_embeddings or "lm_head.weight" not in load_file(out / "model.safetensors")


def check_text_refuses(settings: Settings, version: str, *, is_refused: bool) -> None:
    """Without the tokens the adapter is refused; a model that has them of its own has the same tokenizer either way."""
    generator = Answering.open(settings, LocalEngine.open(settings))
    if is_refused:
        assert generator.adapter is None and "set base.chatml_tokens as it was then" in (generator.refused or "")
    else:
        assert generator.adapter == version
    generator.close()

"""An adapter for other programs: merged into its base, and as GGUF in llama.cpp; both answer as peft does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.base_model import load_base
from inference.gguf_adapter import write_gguf
from inference.merge import merge
from inference.model_folder import fingerprint
from tests.conftest import Ran
from tests.tiny import FAMILIES, MORE_FAMILIES
from tests.tiny_gguf import write_gguf_base
from twin.errors import AdapterError
from twin.prompt import PromptSpec
from twin.registry import BaseIdentity, Manifest, Registry
from twin.sections import Base
from twin.settings import Settings
from twin.store import Store

WEIGHTS = {"falcon": 8, "falcon-40b": 8, "phi2": 12, "phi3": 8, "phi4-mini": 8}
"""How many linear layers the tiny models have whose families fuse some."""
PROMPT = [1, 40, 41, 50, 60, 70]
STEPS = 8


def strong_adapter(base: Path, folder: Path, **options: Any) -> PeftModel:
    """A LoRA that changes every answer: random and large."""
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False, **options
    )
    lora = get_peft_model(model, config)
    with torch.no_grad():
        for name, weight in lora.named_parameters():
            if "lora_" in name:
                weight.mul_(6)
    lora.save_pretrained(folder)
    return lora


@torch.no_grad()
def greedy(model: Any) -> tuple[list[int], torch.Tensor]:
    """The next tokens, and the log-probabilities of the first."""
    ids = list(PROMPT)
    first = model(input_ids=torch.tensor([ids])).logits[0, -1].float().log_softmax(-1)
    for _ in range(STEPS):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(PROMPT) :], first


def in_llama_cpp(base: Path, adapter: Path | None) -> dict[int, float]:
    """The five likeliest next tokens with their log-probabilities, as llama.cpp computes them."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(base)
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    params.cpuparams.n_threads = 1
    if adapter is not None:
        lora = xllamacpp.CommonAdapterLoraInfo()
        lora.path, lora.scale = str(adapter), 1.0
        params.lora_adapters = [lora]
    answer = xllamacpp.Server(params).handle_completions(
        {
            "prompt": PROMPT,
            "n_predict": 1,
            "temperature": 0,
            "n_probs": 5,
            "cache_prompt": False,
            "logit_bias": [[40, 1000]],
        }
    )
    # told are the model's own probabilities; the bias picks a whole character, since half of one is not told at all
    found = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    return {part["id"]: part["logprob"] for part in found}


IN_LLAMA_CPP = [*FAMILIES, *MORE_FAMILIES]
IN_LLAMA_CPP.remove("cohere")  # whose adapters are refused
IN_LLAMA_CPP.remove("llama3")  # as llama, with factors of rotation in the base


@pytest.mark.parametrize(
    ("family", "rslora"), [*((family, False) for family in IN_LLAMA_CPP), ("llama", True)], ids=str
)
def test_llama_cpp_computes_with_the_gguf_what_peft_computes_with_the_folder(
    tmp_path: Path, tiny_base: Callable[[str], Path], family: str, rslora: bool
) -> None:
    base = tiny_base(family)
    lora = strong_adapter(base, tmp_path / "adapter", use_rslora=rslora)
    assert write_gguf(tmp_path / "adapter", base, tmp_path / "adapter.gguf") == WEIGHTS.get(family, 14)
    gguf_base = write_gguf_base(base, tmp_path / "base.gguf")
    _, expected = greedy(lora)
    for token, logprob in in_llama_cpp(gguf_base, tmp_path / "adapter.gguf").items():
        assert logprob == pytest.approx(float(expected[token]), abs=0.02)
    with lora.disable_adapter():
        _, bare = greedy(lora)
    for token, logprob in in_llama_cpp(gguf_base, None).items():
        assert logprob == pytest.approx(float(bare[token]), abs=0.02)
    assert (bare - expected).abs().max() > 0.1


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3"])
def test_a_merged_folder_is_a_normal_model_that_answers_as_peft_does(
    tmp_path: Path, tiny_base: Callable[[str], Path], family: str
) -> None:
    lora = strong_adapter(tiny_base(family), tmp_path / "adapter")
    merge(tmp_path / "adapter", tiny_base(family), tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    tokens, expected = greedy(lora)
    found, logprobs = greedy(merged)
    assert found == tokens
    assert torch.allclose(logprobs, expected, atol=1e-3)
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").encode("hey") == AutoTokenizer.from_pretrained(
        tiny_base(family)
    ).encode("hey")
    with pytest.raises(AdapterError, match="exists already"):
        merge(tmp_path / "adapter", tiny_base(family), tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "merged"]


@pytest.mark.parametrize("options", [{"use_dora": True}, {"use_rslora": True}], ids=["dora", "rank-stabilised"])
def test_every_kind_of_adapter_can_be_merged(
    tmp_path: Path, tiny_base: Callable[[str], Path], options: dict[str, bool]
) -> None:
    lora = strong_adapter(tiny_base("llama"), tmp_path / "adapter", **options)
    merge(tmp_path / "adapter", tiny_base("llama"), tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    assert torch.allclose(greedy(merged)[1], greedy(lora)[1], atol=1e-3)


def test_an_adapter_that_corrects_4_bit_weights_is_merged_into_those(
    home: Settings, tmp_path: Path, tiny_base: Callable[[str], Path], run_twin: Callable[..., Ran], monkeypatch: Any
) -> None:
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base("llama")))
    version = publish(home, tiny_base("llama"), {"init": "loftq"})
    assert "corrects what NF4 lost" in run_twin("adapters", "gguf", tmp_path / "a.gguf").err
    assert run_twin("adapters", "merge", tmp_path / "merged").code == 0
    base = load_base(home.model_copy(update={"base": Base(model=str(tiny_base("llama")))}))
    expected = greedy(PeftModel.from_pretrained(base.model, home.adapters / version))[1]
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    assert not hasattr(merged.config, "quantization_config")
    assert torch.allclose(greedy(merged)[1], expected, atol=5e-3)


def test_what_llama_cpp_cannot_load_is_refused_by_name(tmp_path: Path, tiny_base: Callable[[str], Path]) -> None:
    base = tiny_base("llama")
    strong_adapter(base, tmp_path / "dora", use_dora=True)
    with pytest.raises(AdapterError, match="DoRA"):
        write_gguf(tmp_path / "dora", base, tmp_path / "out.gguf")
    with pytest.raises(AdapterError, match="family 'cohere' cannot be written as GGUF"):
        write_gguf(tmp_path / "dora", tiny_base("cohere"), tmp_path / "out.gguf")
    strong_adapter(base, tmp_path / "odd")
    weights = load_file(tmp_path / "odd" / "adapter_model.safetensors")
    save_file(weights | {"base_model.model.other": torch.zeros(1)}, tmp_path / "odd" / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="no LoRA matrix"):
        write_gguf(tmp_path / "odd", base, tmp_path / "out.gguf")


def test_the_command_writes_both_forms_of_the_adapter_that_serves(
    home: Settings, tiny_base: Callable[[str], Path], run_twin: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base("qwen3")))
    assert "No adapter serves yet" in run_twin("adapters", "gguf", home.home / "a.gguf").err
    version = publish(home, tiny_base("qwen3"))
    made = run_twin("adapters", "gguf", home.home / "a.gguf", "--json")
    assert json.loads(made.out) == {"version": version, "path": str(home.home / "a.gguf"), "weights": 14}
    assert run_twin("adapters", "merge", home.home / "merged", "--version", version).code == 0
    assert (home.home / "merged" / "config.json").is_file()
    assert "exists already" in run_twin("adapters", "merge", home.home / "merged").err
    assert "There is no adapter" in run_twin("adapters", "gguf", home.home / "b.gguf", "--version", "nope").err
    assert not (home.home / "b.gguf").exists()


def publish(home: Settings, base: Path, lora: dict[str, Any] | None = None) -> str:
    """A promoted adapter over this base."""
    with Store.open(home.database) as store:
        registry = Registry(home.adapters, store.db)
        with registry.incoming() as folder:
            strong_adapter(base, folder)
            manifest = Manifest(
                version="v1",
                created_at="2024-01-01T00:00:00+00:00",
                base=BaseIdentity(str(base), fingerprint(base), "nf4"),
                prompt=PromptSpec(),
                dataset="",
                owner_turns=1,
                lora=lora or {},
                metrics={},
                versions={},
            )
            registry.publish(folder, manifest)
        registry.promote("v1", "test", 1.0)
    return "v1"

"""llama.cpp as the engine: the same answers as peft's, swaps, cancelled work, room for many, and refusals."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from inference.engine import Request
from inference.file_tokenizer import FileTokenizer
from inference.llamacpp.base import gguf_base
from inference.llamacpp.engine import LlamaCppEngine
from inference.tokenizer import BaseTokenizer
from tests.test_inference_export import strong_adapter
from tests.tiny import make_base
from tests.tiny_gguf import write_gguf_base
from twin.errors import AdapterError, ModelError, SettingsError
from twin.manifest import Manifest
from twin.prompt import PromptSpec
from twin.sections import Base, DatasetSettings, EngineSettings, Reply
from twin.settings import Settings

PROMPT = (1, 40, 41, 50, 60, 70)
GREEDY = Reply(temperature=0, max_tokens=24)
LONG = Reply(temperature=0, max_tokens=200)
LONGEST_PIECE = 20  # characters of a token of the tiny models, and of half ones that wait for it


@pytest.fixture(scope="session")
def tiny_gguf(tiny_base: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`tiny_gguf("llama")`: the tiny base model of that family as GGUF, made once."""
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            made[family] = write_gguf_base(tiny_base(family), tmp_path_factory.mktemp("gguf") / f"{family}.gguf")
        return made[family]

    return get


@pytest.fixture
def settings_for(home: Settings, tiny_base: Any, tiny_gguf: Any, tmp_path: Path, monkeypatch: Any) -> Any:
    """Settings of the home for a tiny model of a family on one thread."""
    monkeypatch.setenv("TWIN_CACHE", str(tmp_path / "cache"))

    def get(family: str = "llama", **engine: Any) -> Settings:
        return home.model_copy(
            update={
                "base": Base(model=str(tiny_base(family)), quantization="none"),
                "dataset": DatasetSettings(context_tokens=256),
                "engine": EngineSettings(
                    **{"kind": "llamacpp", "gguf": str(tiny_gguf(family)), "threads": 1, "at_once": 4} | engine
                ),
            }
        )

    return get


@pytest.fixture
def opened(settings_for: Any) -> Iterator[Callable[..., LlamaCppEngine]]:
    """`opened("gemma3")`: an engine on the tiny model, closed afterwards."""
    made: list[LlamaCppEngine] = []

    def get(family: str = "llama", **engine: Any) -> LlamaCppEngine:
        made.append(LlamaCppEngine.open(settings_for(family, **engine)))
        return made[-1]

    yield get
    for engine in made:
        engine.close()


def manifest_of(engine: LlamaCppEngine, version: str = "v1", **values: Any) -> Manifest:
    spec = replace(PromptSpec(), tokenizer=engine.tokenizer.fingerprint, context_tokens=256)
    made = Manifest(version, "2024-01-01T00:00:00+00:00", engine.identity, spec, "", 1, {}, {}, {})
    return replace(made, **values)


def adapter_on(engine: LlamaCppEngine, base: Path, folder: Path, version: str = "v1", **options: Any) -> Any:
    """A strong adapter, prepared and serving; returns peft's model of it."""
    lora = strong_adapter(base, folder, **options)
    engine.prepare(version, folder, manifest_of(engine, version))
    engine.use(version)
    return lora


@torch.no_grad()
def greedy_text(model: Any, folder: Path, steps: int) -> str:
    """What the model says if it says the likeliest, as transformers computes it."""
    ids = list(PROMPT)
    for _ in range(steps):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return BaseTokenizer(folder).decode(ids[len(PROMPT) :])


def whole(text: str) -> str:
    """Without half characters at its end, which llama.cpp does not tell."""
    return text.rstrip("\ufffd")


@torch.no_grad()
def log_probs(model: Any, ids: list[int]) -> torch.Tensor:
    return model(input_ids=torch.tensor([ids])).logits[0, -1].float().log_softmax(-1)


@pytest.mark.parametrize("family", ["llama", "gemma3", "qwen3"])
def test_it_writes_what_transformers_writes_bare_and_with_an_adapter(
    opened: Any, tiny_base: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    engine, base = opened(family), tiny_base(family)
    pieces: list[str] = []
    (bare,) = engine.write([Request(PROMPT, GREEDY)], lambda _, piece: pieces.append(piece))
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    assert whole(bare.text) == whole(greedy_text(model, base, 24))
    assert "".join(pieces) == bare.text
    assert (bare.count, bare.ended, bare.ids) == (24, "length", ())
    assert math.isnan(bare.log_prob)
    lora = adapter_on(engine, base, tmp_path / "v1")
    (adapted,) = engine.write([Request(PROMPT, GREEDY)])
    assert whole(adapted.text) == whole(greedy_text(lora, base, 24))
    assert adapted.text != bare.text
    assert [path.name for path in tmp_path.glob(".incoming*")] == [], "no copy of the adapter is left"


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_the_probe_tells_an_adapter_by_the_numbers_that_peft_computes(
    opened: Any, tiny_base: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    engine, base = opened(family), tiny_base(family)
    probed = [*engine.tokenizer.bos, *range(3, 19)]
    bare = engine.probe()
    lora = adapter_on(engine, base, tmp_path / "v1")
    with_adapter = engine.probe()
    expected = log_probs(lora, probed)
    assert len(with_adapter) >= 10
    for token, value in with_adapter.items():
        assert value == pytest.approx(float(expected[token]), abs=0.02)
    with lora.disable_adapter():
        expected = log_probs(lora, probed)
    for token, value in bare.items():
        assert value == pytest.approx(float(expected[token]), abs=0.02)
    assert bare != with_adapter
    engine.use(None)
    assert engine.probe() == pytest.approx(bare, abs=1e-6), "the bare base model can be gone back to"


def test_versions_follow_each_other_and_each_writes_as_itself(
    opened: Any, tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    engine, base = opened(), tiny_base("llama")
    (bare,) = engine.write([Request(PROMPT, GREEDY)])
    adapter_on(engine, base, tmp_path / "v1", "v1")
    (first,) = engine.write([Request(PROMPT, GREEDY)])
    adapter_on(engine, base, tmp_path / "v2", "v2", use_rslora=True)
    (second,) = engine.write([Request(PROMPT, GREEDY)])
    assert len({bare.text, first.text, second.text}) == 3
    engine.use("v1")
    assert engine.write([Request(PROMPT, GREEDY)])[0].text == first.text, "what served before is at hand until dropped"
    engine.drop("v2")
    with pytest.raises(AdapterError, match="was not prepared"):
        engine.use("v2")
    assert engine.write([Request(PROMPT, GREEDY)])[0].text == first.text


def test_a_text_ends_where_it_is_complete_and_no_work_goes_on(opened: Any, eventually: Callable[..., None]) -> None:
    engine = opened()
    (all_of_it,) = engine.write([Request(PROMPT, LONG)])
    seen: list[str] = []

    def is_complete(text: str) -> bool:
        seen.append(text)
        return len(text) >= 5

    before = engine.metrics()["n_decode_total"]
    (written,) = engine.write([Request(PROMPT, LONG, is_complete=is_complete)])
    assert (written.ended, written.text) == ("turn", seen[-1])
    assert all_of_it.text.startswith(written.text)
    assert 5 <= len(written.text) < 5 + LONGEST_PIECE
    eventually(lambda: engine.metrics()["requests_processing"] == 0)
    stopped = engine.metrics()["n_decode_total"]
    assert stopped - before < LONG.max_tokens / 2, "llama.cpp stopped too"


def test_a_cancelled_text_keeps_what_there_is_and_frees_its_slot(opened: Any, eventually: Callable[..., None]) -> None:
    engine = opened(at_once=1)
    pieces: list[str] = []
    before = engine.metrics()["n_decode_total"]
    (written,) = engine.write(
        [Request(PROMPT, LONG)], lambda _, piece: pieces.append(piece), lambda: sum(map(len, pieces)) > 3
    )
    assert (written.ended, written.text) == ("cancelled", "".join(pieces))
    assert 3 < len(written.text) < 3 + LONGEST_PIECE
    eventually(lambda: engine.metrics()["requests_processing"] == 0)
    assert engine.metrics()["n_decode_total"] - before < LONG.max_tokens / 2
    assert engine.write([Request(PROMPT, GREEDY)])[0].count == 24, "the slot is free again"


def test_what_waits_for_a_slot_can_be_cancelled_too(opened: Any, eventually: Callable[..., None]) -> None:
    engine = opened(at_once=1)
    gate = threading.Event()
    begun = threading.Event()

    def hold(_: int, __: str) -> None:
        begun.set()
        assert gate.wait(60)

    writer = threading.Thread(target=lambda: engine.write([Request(PROMPT, GREEDY)], hold))
    writer.start()
    assert begun.wait(60)
    try:
        (written,) = engine.write([Request(PROMPT, GREEDY)], is_cancelled=lambda: True)
        assert (written.text, written.ended, written.count) == ("", "cancelled", 0)
    finally:
        gate.set()
        writer.join(60)
    assert not writer.is_alive()


def test_an_error_in_a_callback_reaches_its_caller_and_nobody_else(opened: Any) -> None:
    engine = opened()
    (expected,) = engine.write([Request(PROMPT, GREEDY)])

    def fail(_: int, __: str) -> None:
        raise KeyError("mine")

    for _ in range(5):
        with pytest.raises(KeyError, match="mine"):
            engine.write([Request(PROMPT, GREEDY)], fail)
    assert engine.write([Request(PROMPT, GREEDY)])[0].text == expected.text


def test_many_threads_write_at_once_and_each_gets_its_own_text(opened: Any) -> None:
    engine = opened(at_once=4)
    prompts = [(*PROMPT, number) for number in range(70, 82)]
    alone = [engine.write([Request(prompt, GREEDY)])[0].text for prompt in prompts]
    assert [text.text for text in engine.write([Request(prompt, GREEDY) for prompt in prompts])] == alone
    found: dict[int, str] = {}

    def write(number: int) -> None:
        found[number] = engine.write([Request(prompts[number], GREEDY)])[0].text

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [found[number] for number in range(len(prompts))] == alone


def test_a_seed_repeats_a_text_and_another_one_does_not(opened: Any) -> None:
    engine = opened()
    how = Reply(temperature=1.5, top_p=0.95, min_p=0.01, top_k=200, max_tokens=24)

    def text(seed: int) -> str:
        return str(engine.write([Request(PROMPT, how, seed)])[0].text)

    assert text(2**62 + 1) == text(2**62 + 1)
    assert len({text(seed) for seed in range(6)}) > 1


def test_sampling_cuts_off_what_the_settings_cut_off(opened: Any, tiny_base: Callable[[str], Path]) -> None:
    """The first token of many texts: none outside of the nucleus that transformers' probabilities give."""
    engine, base = opened(), tiny_base("llama")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokenizer = BaseTokenizer(base)
    for last in range(40, 320):  # after something that is gone on with by whole characters
        prompt = (*PROMPT, last)
        chances, order = (log_probs(model, list(prompt)) / 0.5).softmax(-1).sort(descending=True)
        texts = [tokenizer.decode([int(token)]) for token in order[:100]]
        if all(text.isascii() for text in texts[:3]):
            break
    for how, allowed in (
        ({"top_k": 3}, 3),
        ({"top_p": 0.1}, int((chances.cumsum(0) - chances < 0.1).sum())),
        ({"min_p": 0.8}, int((chances >= 0.8 * chances[0]).sum())),
    ):
        sampling = Reply(temperature=0.5, max_tokens=1, **how)
        said = {text.text for text in engine.write([Request(prompt, sampling, seed) for seed in range(60)])}
        assert 1 < allowed < len(texts)
        assert said <= {"", *texts[:allowed], *map(whole, texts[:allowed])}
        assert texts[0] in said


def test_the_end_of_the_sequence_is_never_read_aloud(opened: Any, tiny_base: Callable[[str], Path]) -> None:
    engine = opened()
    likely = Reply(temperature=50.0, max_tokens=200)
    texts = engine.write([Request(PROMPT, likely, seed) for seed in range(24)])
    assert not [text for text in texts if "<eos>" in text.text or "<pad>" in text.text]
    assert {text.ended for text in texts} >= {"turn"}, "with flat chances, an end comes up in 200 tokens"


def test_memory_goes_with_release_and_comes_back(settings_for: Any, tiny_base: Any, tmp_path: Path) -> None:
    roomy = settings_for(at_once=8).model_copy(update={"dataset": DatasetSettings(context_tokens=32_768)})
    engine = LlamaCppEngine.open(roomy)
    (bare,) = engine.write([Request(PROMPT, GREEDY)])
    adapter_on(engine, tiny_base("llama"), tmp_path / "v1")
    full = own_memory()
    engine.release()
    assert full - own_memory() > 80 << 20, "two servers' states of 262,144 tokens, 64 MiB each"
    engine.resume()
    assert engine.write([Request(PROMPT, GREEDY)])[0].text == bare.text
    engine.close()


def own_memory() -> int:
    """Bytes of this process that are in memory and no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def test_a_prompt_beyond_the_context_is_refused_without_its_words(opened: Any) -> None:
    engine = opened()
    with pytest.raises(ModelError, match="longer than the model was given room for") as refused:
        engine.write([Request((1, *[40] * 3000), GREEDY)])
    assert "40" not in str(refused.value)
    assert engine.write([Request(PROMPT, GREEDY)])[0].count == 24


def test_adapters_that_llama_cpp_cannot_serve_are_refused_with_the_way_out(
    opened: Any, tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    engine, base = opened(), tiny_base("llama")
    (before,) = engine.write([Request(PROMPT, GREEDY)])
    strong_adapter(base, tmp_path / "dora", use_dora=True)
    with pytest.raises(AdapterError, match=r'DoRA.*engine.kind to "local"'):
        engine.prepare("dora", tmp_path / "dora", manifest_of(engine))
    strong_adapter(base, tmp_path / "plain")
    with pytest.raises(AdapterError, match=r'corrects what NF4 lost.*engine.kind to "local"'):
        engine.prepare("plain", tmp_path / "plain", manifest_of(engine, lora={"init": "loftq"}))
    with pytest.raises(AdapterError, match="another tokenizer"):
        engine.prepare("plain", tmp_path / "plain", manifest_of(engine, prompt=PromptSpec(tokenizer="0" * 16)))
    (tmp_path / "plain" / "adapter_model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(AdapterError, match="is damaged"):
        engine.prepare("plain", tmp_path / "plain", manifest_of(engine))
    strong_adapter(make_base(tmp_path / "wide", "llama2"), tmp_path / "other")
    with pytest.raises(AdapterError, match=r"cannot be loaded by llama\.cpp"):
        engine.prepare("other", tmp_path / "other", manifest_of(engine))
    assert engine.write([Request(PROMPT, GREEDY)])[0].text == before.text
    assert sorted(path.name for path in tmp_path.glob(".incoming*")) == []


def test_another_models_gguf_is_refused_by_what_differs(
    opened: Any, settings_for: Any, tiny_gguf: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="architecture qwen3 instead of llama"):
        LlamaCppEngine.open(settings_for("llama", gguf=str(tiny_gguf("qwen3"))))
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(tiny_gguf("llama").read_bytes()[:3000])
    with pytest.raises(ModelError, match=r"torn\.gguf is damaged"):
        LlamaCppEngine.open(settings_for(gguf=str(torn)))
    with pytest.raises(ModelError, match="no GGUF file"):
        LlamaCppEngine.open(settings_for(gguf=str(tmp_path / "nowhere.gguf")))
    with pytest.raises(SettingsError, match=r"as a GGUF file.*engine.gguf"):
        LlamaCppEngine.open(settings_for(gguf=None))
    engine = opened()
    folder = engine._folder
    vocabulary = FileTokenizer(folder).backend.get_vocab(with_added_tokens=True)
    swapped = {token: (number + 1) % len(vocabulary) for token, number in vocabulary.items()}
    with pytest.raises(ModelError, match="tokens differ"):
        gguf_base(settings_for(), folder, lambda: swapped, "another fingerprint")


def test_a_gguf_whose_weights_are_cut_off_is_refused(settings_for: Any, tiny_gguf: Any, tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    whole_file = tiny_gguf("llama").read_bytes()
    short.write_bytes(whole_file[: len(whole_file) * 3 // 4])
    with pytest.raises(ModelError, match=r"short\.gguf"):
        LlamaCppEngine.open(settings_for(gguf=str(short)))


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ({"repetition_penalty": 1.2}, "reply.repetition_penalty to 1"),
        ({"no_repeat_ngram": 3}, "reply.no_repeat_ngram to 0"),
        ({"candidates": 2}, "reply.candidates to 1"),
    ],
)
def test_sampling_that_llama_cpp_has_not_is_refused_and_never_approximated(
    settings_for: Any, reply: dict[str, Any], why: str
) -> None:
    settings = settings_for().model_copy(update={"reply": Reply(**reply)})
    with pytest.raises(SettingsError, match=why):
        LlamaCppEngine.open(settings)


def test_without_the_package_it_says_what_to_install(settings_for: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("inference.llamacpp.limits.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"llama.cpp is not installed.*pip install '.\[llamacpp\]'"):
        LlamaCppEngine.open(settings_for())


def test_it_needs_no_torch_listens_nowhere_and_leaves_ctrl_c_alone(settings_for: Any, tmp_path: Path) -> None:
    settings = settings_for()
    (settings.home / "twin.toml").write_text(
        f"[base]\nmodel = {json.dumps(settings.base.model)}\nquantization = 'none'\n[engine]\nkind = 'llamacpp'\n"
        f"gguf = {json.dumps(settings.engine.gguf)}\nthreads = 1\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", _ALONE], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert (ran.stderr, ran.returncode) == ("", 0), "llama.cpp's chatter stays inside"
    assert json.loads(ran.stdout) == {
        "torch": False,
        "count": 24,
        "ports": 0,
        "listens": 1,
        "reachable": [],
        "interrupted": True,
    }


_ALONE = """
import json, os, pathlib, signal, sys
from inference.engine import Request
from inference.llamacpp.engine import LlamaCppEngine
from twin.sections import Reply
from twin.settings import load_settings
engine = LlamaCppEngine.open(load_settings())
(written,) = engine.write([Request((1, 40, 41, 50, 60, 70), Reply(temperature=0, max_tokens=24))])
mine = {os.readlink(fd) for fd in pathlib.Path("/proc/self/fd").iterdir() if os.path.lexists(fd)}
inodes = {name[8:-1] for name in mine if name.startswith("socket:[")}
def lines(name):
    return [line.split() for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
ports = sum(line[9] in inodes for name in ("tcp", "tcp6") for line in lines(name))
sockets = [line[7] for line in lines("unix") if line[6] in inodes and len(line) > 7]
told = {"torch": "torch" in sys.modules, "count": written.count, "ports": ports, "listens": len(sockets)}
told["reachable"] = [path for path in sockets if os.path.exists(path)]
interrupted = False
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    interrupted = True
engine.close()
print(json.dumps(told | {"interrupted": interrupted}))
"""

"""The remote engine with a real server, llama.cpp's own over HTTP; and what is checked before a server is believed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import torch
from transformers import AutoModelForCausalLM

from inference.building import engine_for
from inference.engine import Request
from inference.generator import build_generator
from inference.local import LocalEngine
from inference.remote.client import RemoteClient
from inference.remote.engine import RemoteEngine
from inference.remote.opening import checked_url, open_engine
from inference.tokenizer import BaseTokenizer
from tests.stand_in_vllm import BASE, KEY, stand_in_vllm
from tests.tiny_gguf import write_gguf_base
from tests.wire import Wire
from twin.errors import ModelError, SettingsError, TwinError
from twin.messages import Conversation, Turn
from twin.sections import EngineSettings, Reply
from twin.settings import Settings, load_settings

FAMILY = "llama"
STEPS = 8
CLEAR = 0.03  # nats between the likeliest token and the next: far more than rounding moves


@pytest.fixture(scope="module")
def llama_cpp(tiny_base: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of llama.cpp's server, with a key, over the tiny model."""
    import xllamacpp

    gguf = write_gguf_base(tiny_base(FAMILY), tmp_path_factory.mktemp("gguf") / "base.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.model_alias = {BASE}
    params.api_keys = [KEY]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 4096
    params.n_parallel = 4
    params.warmup = False
    params.cpuparams.n_threads = 1
    params.verbosity = -1
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


@pytest.fixture
def settings(
    home: Settings, llama_cpp: str, tiny_base: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Those that lead to it."""
    values = {
        "REMOTE_KEY": KEY,
        "BASE__MODEL": tiny_base(FAMILY),
        "BASE__QUANTIZATION": "none",
        "ENGINE__KIND": "remote",
        "ENGINE__URL": f"{llama_cpp}/v1",
        "ENGINE__MODEL": BASE,
        "ENGINE__ADAPTERS": "none",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TWIN_{name}", str(value))
    return load_settings()


@pytest.fixture
def engine(settings: Settings) -> Iterator[RemoteEngine]:
    made = engine_for(settings)
    assert isinstance(made, RemoteEngine)
    yield made
    made.close()


def changed(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update={"engine": settings.engine.model_copy(update=more)})


def impatient(*how: Any) -> RemoteClient:
    """A client that waits for nothing between tries."""

    async def at_once(_: float) -> None:
        await anyio.lowlevel.checkpoint()

    return RemoteClient(*how, sleep=at_once)


def expect_refusal(settings: Settings, kind: type[TwinError], words: str) -> None:
    with pytest.raises(kind, match=words) as refused:
        open_engine(settings, impatient)
    assert KEY not in str(refused.value)


@torch.no_grad()
def clear_prompts(base: Path, count: int) -> list[tuple[int, ...]]:
    """Prompts whose greedy continuation is nowhere a close call, so that every engine must agree on it."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    found: list[tuple[int, ...]] = []
    for first in range(30, 250):
        ids = [1, first, 41, 50]
        for _ in range(STEPS):
            best = model(input_ids=torch.tensor([ids])).logits[0, -1].topk(2)
            if best.values[0] - best.values[1] < CLEAR:
                break
            ids.append(int(best.indices[0]))
        else:
            found.append(tuple(ids[:4]))
        if len(found) == count:
            break
    assert len(found) == count
    return found


def test_greedy_texts_of_a_real_server_are_those_of_the_local_engine(
    engine: RemoteEngine, settings: Settings, tiny_base: Callable[[str], Path]
) -> None:
    how = Reply(temperature=0, max_tokens=STEPS)
    requests = [Request(prompt, how) for prompt in clear_prompts(tiny_base(FAMILY), 3)]
    local = LocalEngine.open(settings)
    for theirs, ours in zip(engine.write(requests), local.write(requests), strict=True):
        assert theirs.text.rstrip("\ufffd") == ours.text.rstrip("\ufffd")
        assert (theirs.count, theirs.ended) == (ours.count, ours.ended) == (STEPS, "length")
    ours_of = local.probe()
    found = engine.probe()
    assert len(found) >= 10
    for token in set(found) & set(ours_of):
        assert found[token] == pytest.approx(ours_of[token], abs=0.05)
    assert len(set(found) & set(ours_of)) >= 10
    local.close()


def test_a_real_server_repeats_a_seed_and_takes_every_kind_of_sampling(engine: RemoteEngine) -> None:
    how = Reply(temperature=1.3, top_p=0.95, top_k=80, min_p=0.01, repetition_penalty=1.1, max_tokens=3)

    def said(seed: int) -> str:
        (found,) = engine.write([Request((1, 40, 41), how, seed)])
        assert found.count <= 3
        return found.text

    for seed in (0, 7, 2**32 - 1, 2**63 - 1):
        assert said(seed) == said(seed)
    assert len({said(seed) for seed in range(8)}) > 1


def test_a_real_server_stops_writing_when_nobody_wants_more(
    engine: RemoteEngine, llama_cpp: str, eventually: Any
) -> None:
    long = Reply(temperature=0, max_tokens=900)
    told: list[str] = []
    (cancelled,) = engine.write([Request((1, 40), long)], lambda _, text: told.append(text), lambda: len(told) > 2)
    assert cancelled.ended == "cancelled" and cancelled.text.startswith("".join(told))
    (complete,) = engine.write([Request((1, 40), long, is_complete=lambda text: len(text) > 5)])
    assert complete.ended == "turn" and len(complete.text) > 5

    def is_idle() -> bool:
        slots = httpx.get(f"{llama_cpp}/slots", headers={"Authorization": f"Bearer {KEY}"}).json()
        return not any(slot["is_processing"] for slot in slots)

    eventually(is_idle)


def test_a_twin_answers_over_a_real_server(settings: Settings) -> None:
    generator = build_generator(settings.model_copy(update={"reply": Reply(temperature=1.2, max_tokens=30)}))
    asked = [Conversation((Turn.of("other", [f"hey {n}"]),)) for n in range(6)]
    replies = generator.replies(asked)
    assert any(reply.bubbles for reply in replies)
    assert all(reply.adapter is None and reply.tokens > 0 for reply in replies)
    generator.close()


def test_the_doctor_asks_the_server_whether_it_fits(
    settings: Settings, run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def findings() -> dict[str, dict[str, Any]]:
        told = json.loads(run_twin("doctor", "--json").out)["findings"]
        return {finding["check"]: finding for finding in told}

    assert findings()["remote server"]["ok"]
    monkeypatch.setenv("TWIN_ENGINE__MODEL", "another")
    found = findings()["remote server"]
    assert not found["ok"] and found["remedy"]
    assert "remote server" not in run_twin("doctor", "--json", "--quick").out


def test_more_text_than_a_server_reads_is_one_sentence(engine: RemoteEngine) -> None:
    with pytest.raises(ModelError, match=r"refuses the request .HTTP 400"):
        engine.write([Request((1, *[40] * 2000), Reply())])
    assert engine.circuit.state == "closed" and engine.write([Request((1, 40), Reply(max_tokens=2))])


def test_a_server_is_opened_only_if_it_fits(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tiny_base: Callable[[str], Path]
) -> None:
    expect_refusal(changed(settings, model="llama-3"), ModelError, f"serves no model called llama-3: .*{BASE}")
    expect_refusal(changed(settings, adapters="vllm"), SettingsError, 'loads no adapters: .*engine.adapters = "none"')
    expect_refusal(changed(settings, url=settings.engine.url.removesuffix("/v1") + "/v2"), SettingsError, "HTTP 404")
    roomy = settings.dataset.model_copy(update={"context_tokens": 4000})
    expect_refusal(
        settings.model_copy(update={"dataset": roomy}), ModelError, "reads 1024 tokens at once, .* up to 4000"
    )
    no_repeat = settings.model_copy(update={"reply": Reply(no_repeat_ngram=3)})
    expect_refusal(no_repeat, SettingsError, "no_repeat_ngram")
    monkeypatch.setenv("TWIN_REMOTE_KEY", "another-invented-key")
    expect_refusal(settings, SettingsError, "refuses our key .HTTP 401.: check TWIN_REMOTE_KEY")
    expect_refusal(changed(settings, url="http://127.0.0.1:9/v1"), ModelError, "did not answer, 4 times: no connection")


def test_the_only_model_of_a_server_needs_no_name(settings: Settings) -> None:
    engine_for(changed(settings, model=None)).close()
    with stand_in_vllm(names=("one", "two")) as server:
        expect_refusal(changed(settings, model=None, url=server.url), SettingsError, "one of those at .*: one, two")


def test_a_server_that_reads_text_as_other_tokens_is_not_believed(
    settings: Settings, tiny_base: Callable[[str], Path]
) -> None:
    tokenizer = BaseTokenizer(tiny_base(FAMILY))
    with stand_in_vllm(tokens=lambda text: [5, 6, 7]) as server:
        expect_refusal(changed(settings, url=server.url), ModelError, "as other tokens than base.model")
    with stand_in_vllm(tokens=lambda text: tokenizer.encode([text], special=True)[0]) as server:
        open_engine(changed(settings, url=server.url)).close()
        open_engine(changed(settings, url=server.url, prompts="text")).close()
        assert server.bodies()[0]["prompt"].startswith("<bos>hello there"), "vLLM is told to add none"


def test_text_generation_inference_is_told_texts_under_its_own_name(
    settings: Settings, tiny_base: Callable[[str], Path]
) -> None:
    tokenizer = BaseTokenizer(tiny_base(FAMILY))

    def tokens(text: str) -> list[int]:
        return [1, *tokenizer.encode([text], special=True)[0]]

    there = {"names": ("tgi",), "owner": "tgi", "max_model_len": None}
    with stand_in_vllm(tokens=tokens, **there) as server:
        here = changed(settings, url=server.url, model="tgi", prompts="text")
        expect_refusal(changed(here, prompts="ids"), SettingsError, 'set engine.prompts = "text"')
        expect_refusal(here.model_copy(update={"reply": Reply(top_k=5)}), SettingsError, "top_k")
        made = open_engine(here)
        assert made.probe() == {}
        (ids,) = tokenizer.encode(["hey <eos>"], special=False)
        assert made.write([Request((1, *ids), Reply(max_tokens=5))])[0].text == "yeah ok"
        assert server.bodies()[-1]["prompt"] == "hey < eos>" and server.bodies()[-1]["model"] == "tgi"
        made.close()
    with stand_in_vllm(tokens=lambda text: tokens(text)[1:], **there) as server:
        here = changed(settings, url=server.url, model="tgi", prompts="text")
        expect_refusal(here, ModelError, r"reads \d+ tokens where base.model has \d+")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "set engine.url"),
        ({"url": "127.0.0.1:8000"}, "is no address"),
        ({"url": "ftp://127.0.0.1/v1"}, "is no address"),
        ({"url": "http://me:word@127.0.0.1/v1"}, "holds more than an address"),
        ({"url": "http://127.0.0.1/v1?key=word"}, "holds more than an address"),
        ({"url": "http://10.0.0.5:8000/v1"}, "would leave this machine for 10.0.0.5:8000, unencrypted: .*send_private"),
        (
            {"url": "https://models.example.com/v1"},
            "would leave this machine for models.example.com: .*send_private_data",
        ),
        ({"url": "http://localhost.example.com/v1"}, "would leave this machine"),
    ],
)
def test_conversations_go_nowhere_that_nobody_allowed(values: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        checked_url(EngineSettings(**values))
    assert "word" not in str(refused.value)


def test_an_address_elsewhere_is_asked_once_its_owner_said_so(caplog: pytest.LogCaptureFixture) -> None:
    allowed = EngineSettings(url="https://models.example.com/v1/", send_private_data=True)
    with caplog.at_level(logging.WARNING):
        assert checked_url(allowed) == "https://models.example.com/v1" and not caplog.records
        plain = EngineSettings(url="http://10.0.0.5:8000/v1", send_private_data=True)
        assert checked_url(plain) == "http://10.0.0.5:8000/v1"
    assert "not encrypted" in caplog.text
    for url in ("http://127.0.0.1:8000/v1/completions", "http://localhost:8000/v1/chat/completions", "http://[::1]/v1"):
        assert checked_url(EngineSettings(url=url)).endswith("/v1")


def test_no_proxy_comes_between_this_machine_and_itself(engine: RemoteEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    made = engine_for(load_settings())
    assert made.write([Request((1, 40), Reply(max_tokens=2))])[0].count == 2
    made.close()


def test_what_answers_like_no_such_api_is_said_to_be_none(settings: Settings) -> None:
    for answer in ((200, "<html>welcome</html>"), (200, {"models": []}), (404, {}), (200, {"data": [7]})):

        def client_of(*how: Any, answer: Any = answer) -> RemoteClient:
            return RemoteClient(*how, transport=Wire(answer))

        with pytest.raises(SettingsError, match="no OpenAI-compatible API"):
            open_engine(settings, client_of)


def test_a_base_model_that_cannot_be_read_here_is_one_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    base = settings.base.model_copy(update={"model": str(tmp_path / "empty")})
    expect_refusal(settings.model_copy(update={"base": base}), ModelError, "cannot be read .*needed here too")

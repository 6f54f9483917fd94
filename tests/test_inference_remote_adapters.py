"""Versions on a server with vLLM's endpoints: loaded under names of their own, found again, let go of, or refused."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.answering import Answering
from inference.building import engine_for
from inference.engine import Request
from inference.remote.adapters import is_name_of_version, name_of
from inference.remote.engine import RemoteEngine
from tests.engines import FAMILY, publish
from tests.stand_in_vllm import BASE, StandInVllm, stand_in_vllm
from twin.errors import AdapterError, ModelError, SettingsError
from twin.messages import Conversation, Turn
from twin.registry import Registry
from twin.sections import Reply
from twin.settings import Settings, load_settings
from twin.store import Store

ASKED = Request((1, 40, 41), Reply(max_tokens=8))


@pytest.fixture
def settings(home: Settings, tiny_base: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base(FAMILY)))
    return load_settings()


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with Store.of(settings) as store:
        yield Registry(settings.adapters, store.db)


@contextmanager
def engine(server: StandInVllm, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Iterator[RemoteEngine]:
    """The remote engine, opened as everybody opens it."""
    for name, value in server.environment(**more).items():
        monkeypatch.setenv(name, value)
    opened = engine_for(load_settings())
    assert isinstance(opened, RemoteEngine)
    yield opened
    opened.close()


def put_on(made: RemoteEngine, registry: Registry, version: str) -> None:
    made.prepare(version, registry.path(version), registry.verify(version, made.identity))
    made.use(version)


def published(registry: Registry, made: RemoteEngine, settings: Settings, seed: int = 1) -> str:
    return publish(registry, made.identity, Path(settings.base.model), seed)


def named(body: dict[str, Any]) -> list[str]:
    """What it writes tells which model was asked."""
    return [body["model"], " said"]


def test_a_version_is_loaded_under_a_name_that_only_its_weights_can_have(settings, registry, monkeypatch) -> None:
    with stand_in_vllm(script=named) as server, engine(server, monkeypatch) as made:
        version = published(registry, made, settings)
        manifest = registry.verify(version)
        put_on(made, registry, version)
        (loaded,) = server.loaded
        digest = manifest.files["adapter_model.safetensors"]["sha256"]
        assert loaded == f"twin-{version}-{digest[:12]}" == name_of(manifest) and is_name_of_version(loaded)
        assert server.loaded[loaded] == str(registry.path(version))
        assert made.write([ASKED])[0].text == f"{loaded} said"
        made.use(None)
        assert made.write([ASKED])[0].text == f"{BASE} said"
        remade = replace(manifest, files={"adapter_model.safetensors": {"bytes": 1, "sha256": "0" * 64}})
        assert name_of(remade) != loaded
        assert server.wrong == []


def test_loading_what_is_loaded_already_is_fine_and_dropping_unloads(settings, registry, monkeypatch) -> None:
    with stand_in_vllm(script=named) as server, engine(server, monkeypatch) as made:
        version = published(registry, made, settings)
        put_on(made, registry, version)
        put_on(made, registry, version)
        assert len(server.loaded) == 1
        made.use(None)
        made.drop(version)
        assert server.loaded == {}
        made.drop(version)
        made.drop("never there")


def test_a_version_that_somebody_else_unloaded_is_let_go_of_quietly(settings, registry, monkeypatch) -> None:
    with stand_in_vllm() as server, engine(server, monkeypatch) as made:
        version = published(registry, made, settings)
        put_on(made, registry, version)
        server.loaded.clear()
        made.use(None)
        made.drop(version)
        assert server.asked[-1][0] == "/v1/unload_lora_adapter"


def test_a_server_that_was_started_anew_gets_the_version_again_in_the_middle_of_a_chat(
    settings, registry, monkeypatch
) -> None:
    with stand_in_vllm(script=named) as server, engine(server, monkeypatch) as made:
        put_on(made, registry, published(registry, made, settings))
        expected = made.write([ASKED])[0].text
        server.loaded.clear()
        assert made.write([ASKED, ASKED])[1].text == expected
        server.loaded.clear()
        assert made.probe()
        assert len(server.loaded) == 1


def test_a_model_that_stays_missing_is_one_sentence(settings, monkeypatch) -> None:
    with stand_in_vllm() as server, engine(server, monkeypatch) as made:
        server.names = ("other",)
        with pytest.raises(ModelError, match=f"knows no model called {BASE}"):
            made.write([ASKED])


def test_another_models_answer_is_no_answer(settings, monkeypatch) -> None:
    with stand_in_vllm(faults=deque(["other model"])) as server, engine(server, monkeypatch) as made:
        assert made.write([ASKED])[0].text == "yeah ok"
        assert len(server.bodies()) == 2


def test_where_the_server_sees_the_adapters_can_be_set(settings, registry, monkeypatch, tmp_path) -> None:
    there = tmp_path / "mounted"
    with stand_in_vllm() as server, engine(server, monkeypatch, adapters_path=f"{there}/") as made:
        version = published(registry, made, settings)
        with pytest.raises(AdapterError, match=rf"sees no adapter {version} in {there}/{version}: .*adapters_path"):
            put_on(made, registry, version)
        assert server.loaded == {}
        there.symlink_to(settings.adapters)
        put_on(made, registry, version)
        assert list(server.loaded.values()) == [f"{there}/{version}"]


def test_a_rank_that_the_server_does_not_take_is_told_with_what_to_start_it(settings, registry, monkeypatch) -> None:
    with stand_in_vllm(max_lora_rank=2) as server, engine(server, monkeypatch) as made:
        version = published(registry, made, settings)
        with pytest.raises(AdapterError, match=r"has rank 4, .*start vLLM with --max-lora-rank 4"):
            put_on(made, registry, version)
        assert made.circuit.failures == 0, "an ill adapter is no ill server"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"use_dora": True}, "has DoRA, which vLLM cannot load"),
        ({"trainable_token_indices": [3]}, "trained rows"),
        ({"modules_to_save": ["lm_head"]}, "whole trained layers"),
    ],
)
def test_what_vllm_cannot_load_is_not_sent_there(settings, registry, monkeypatch, change, words) -> None:
    with stand_in_vllm() as server, engine(server, monkeypatch) as made:
        version = published(registry, made, settings)
        manifest = registry.verify(version)
        file = registry.path(version) / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(AdapterError, match=words):
            made.prepare(version, registry.path(version), manifest)
        with pytest.raises(AdapterError, match="corrects what NF4 lost"):
            made.prepare(version, registry.path(version), replace(manifest, lora={"init": "loftq"}))
        with pytest.raises(AdapterError, match="another tokenizer"):
            spec = manifest.prompt.for_tokenizer("another")
            made.prepare(version, registry.path(version), replace(manifest, prompt=spec))
        assert [body["lora_name"] for body in server.bodies("/v1/load_lora_adapter")] == [""]


def test_a_server_that_loads_nothing_is_told_apart_when_it_is_opened(settings, monkeypatch) -> None:
    with (
        stand_in_vllm(loads=False) as server,
        pytest.raises(SettingsError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"),
        engine(server, monkeypatch),
    ):
        pass


def test_an_outage_while_loading_is_no_fault_of_the_version(settings, registry, monkeypatch) -> None:
    with stand_in_vllm() as server, engine(server, monkeypatch) as made:
        version = published(registry, made, settings)
        server.loads = False
        with pytest.raises(ModelError, match="loads no adapters any more"):
            put_on(made, registry, version)


def test_a_merged_version_is_known_by_its_name_and_by_nothing_else(settings, registry, monkeypatch) -> None:
    with stand_in_vllm(script=named) as server, engine(server, monkeypatch, adapters="none") as made:
        version = published(registry, made, settings)
        name = name_of(registry.verify(version))
        with pytest.raises(
            AdapterError, match=rf"no model called {name}, .*twin adapters merge OUT --version {version}"
        ):
            put_on(made, registry, version)
        server.names = (BASE, version, f"twin-{version}-000000000000")
        with pytest.raises(AdapterError, match="no model called"):
            put_on(made, registry, version)
        server.names = (BASE, name)
        put_on(made, registry, version)
        assert made.write([ASKED])[0].text == f"{name} said"
        made.drop(version)
        assert server.bodies("/v1/load_lora_adapter") == server.bodies("/v1/unload_lora_adapter") == []


def test_where_only_a_merged_version_is_served_nothing_else_is_called_the_base_model(
    settings, registry, monkeypatch
) -> None:
    with stand_in_vllm(script=named) as server:
        with engine(server, monkeypatch, adapters="none") as made:
            version = published(registry, made, settings)
        name = name_of(registry.verify(version))
        server.names = (name,)
        with engine(server, monkeypatch, adapters="none", model=name) as made:
            assert made.probe() == {}
            with pytest.raises(ModelError, match=f"nothing but {name}"):
                made.write([ASKED])
            registry.promote(version, "test", 1.0)
            made_of_it = Answering.open(load_settings(), made)
            assert made_of_it.adapter == version and made_of_it.refused is None
            reply = made_of_it.reply(Conversation((Turn.of("other", ["hey"]),)))
            assert reply.adapter == version and reply.bubbles == (f"{name} said",)
            made_of_it.close()


def test_two_processes_share_a_server_and_neither_takes_the_others_version_away(
    settings, registry, monkeypatch
) -> None:
    with stand_in_vllm(script=named) as server, engine(server, monkeypatch) as one, engine(server, monkeypatch) as two:
        first, second = published(registry, one, settings, 1), published(registry, one, settings, 2)
        for made in (one, two):
            put_on(made, registry, first)
        put_on(one, registry, second)
        one.drop(first)
        assert name_of(registry.verify(first)) in two.write([ASKED])[0].text
        assert name_of(registry.verify(second)) in one.write([ASKED])[0].text

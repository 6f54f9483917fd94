"""What the page is told and may change: versions, numbers, the training under way, promoting and going back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.serving import Running, Scripted, running, serve_with, until
from tests.test_twin_registry import edit, publish, serve
from twin.evaluations import Evaluations
from twin.jobs import JobQueue
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store


class Following(Scripted):
    """Serves whatever is promoted, once it is told to look."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(adapter=None)
        self.settings = settings

    def refresh(self) -> None:
        with Store.of(self.settings) as store:
            self.adapter = Registry(self.settings.adapters, store.db).current()


@pytest.fixture
def registry(home: Settings, store: Store) -> Registry:
    return Registry(home.adapters, store.db)


@pytest.fixture
def server(home: Settings) -> Iterator[Running]:
    twin = Following(home)
    twin.refresh()
    with running(serve_with(home), lambda: twin) as server:
        yield server


def state(server: Running) -> dict[str, Any]:
    with server.http() as client:
        answer = client.get("/api/state")
    assert answer.status_code == 200
    return dict(answer.json())


def test_an_empty_home_has_no_versions_and_no_training(home: Settings, server: Running) -> None:
    told = state(server)
    assert told.pop("engine") == "local"
    assert told == {"ready": True, "serving": None, "refused": None, "versions": [], "training": None}
    assert [model.id for model in server.openai().models.list()] == ["twin"]


def test_every_version_is_listed_newest_first_with_its_numbers(server: Running, registry: Registry) -> None:
    serve(registry, "v1", "v2")
    edit(publish(registry, "v3"), metrics={"val_loss": float("nan"), "val_turns": 7, "seconds": 3})
    (publish(registry, "v4") / "twin.json").write_text("{")
    report = {"systems": [{"name": "twin", "fidelity": 0.9}], "contexts": 40}
    Evaluations(registry.db).add("v2", 5.0, "quick", {"contexts": 1})
    Evaluations(registry.db).add("v2", 6.0, "full", report)
    found = {version["version"]: version for version in state(server)["versions"]}
    assert list(found) == ["v4", "v3", "v2", "v1"]
    assert [version["promoted"] for version in found.values()] == [False, False, True, False]
    assert found["v1"]["metrics"] == {"val_bits_per_character": 2.5} and found["v1"]["fidelity"] is None
    assert found["v2"]["fidelity"] == {**report, "kind": "full", "measured_at": 6.0}
    assert found["v2"]["promoted_at"] == 1.0 and found["v2"]["created_at"] == "2026-11-21T22:30:01+00:00"
    assert found["v3"]["metrics"] == {"val_loss": None, "val_turns": 7}
    assert found["v4"]["damaged"] and found["v4"]["created_at"] is None


def test_models_are_the_twin_and_its_versions(server: Running, registry: Registry) -> None:
    serve(registry, "v1", "v2")
    models = server.openai().models
    assert [(model.id, model.created, model.owned_by) for model in models.list()] == [
        ("twin", 1795300201, "twin"),
        ("v2", 1795300201, "twin"),
        ("v1", 1795300201, "twin"),
    ]
    assert models.retrieve("v1").id == "v1"
    hello = [{"role": "user", "content": "hello"}]
    assert server.openai().chat.completions.create(model="v1", messages=hello).model == "v1"  # type: ignore[arg-type]
    with pytest.raises(openai.NotFoundError):
        server.openai().chat.completions.create(model="../adapters/v1", messages=hello)  # type: ignore[arg-type]


def test_promoting_serves_before_anybody_asks_and_may_be_taken_back(server: Running, registry: Registry) -> None:
    serve(registry, "v1")
    publish(registry, "v2")
    with server.http() as client:
        assert client.post("/api/promote", json={"version": "v2"}).json() == {"promoted": "v2"}
        until(lambda: state(server)["serving"] == "v2")
        assert registry.current() == "v2" and registry.history()[-1].reason == "by hand"
        assert [version["serves"] for version in state(server)["versions"]] == [True, False]
        assert client.post("/api/rollback", json={}).json() == {"promoted": "v1"}
        until(lambda: state(server)["serving"] == "v1")
        again = client.post("/api/rollback")
    assert again.status_code == 409 and "no earlier adapter" in again.json()["error"]["message"]


def test_what_may_not_serve_is_not_promoted(server: Running, registry: Registry) -> None:
    (publish(registry, "v1") / "adapter_model.safetensors").write_bytes(b"cut")
    with server.http() as client:
        damaged = client.post("/api/promote", json={"version": "v1"})
        unknown = client.post("/api/promote", json={"version": "v9"})
        wrong = [client.post("/api/promote", json=body) for body in ({}, [], {"version": 1}, {"version": "../v1"})]
    assert damaged.status_code == 409 and "truncated" in damaged.json()["error"]["message"]
    assert unknown.status_code == 404 and unknown.json()["error"]["code"] == "model_not_found"
    assert [answer.status_code for answer in wrong] == [400, 400, 400, 404]
    assert registry.current() is None


def test_a_training_tells_how_far_it_is_and_nothing_of_who_asked(server: Running, store: Store) -> None:
    queue = JobQueue(store.db)
    job = queue.enqueue("retrain", "Somebody's name", 5.0)
    assert state(server)["training"] == {"state": "queued", "asked_at": 5.0, "started_at": None}
    queue.claim("box", 6.0)
    queue.report(job.id, {"step": 3, "steps": 10, "loss": 2.5, "seconds_left": 60})
    told = {"state": "running", "asked_at": 5.0, "started_at": 6.0, "step": 3, "steps": 10, "loss": 2.5}
    assert state(server)["training"] == told | {"seconds_left": 60}
    queue.finish(job.id, 7.0)
    assert state(server)["training"] is None


def test_why_nothing_serves_is_told(home: Settings) -> None:
    with running(serve_with(home), lambda: Scripted(adapter=None, refused="It is truncated: retrain.")) as server:
        assert (state(server)["serving"], state(server)["refused"]) == (None, "It is truncated: retrain.")


def test_a_database_that_cannot_be_read_is_told_in_one_sentence(home: Settings, server: Running) -> None:
    for path in home.home.glob("twin.db*"):
        path.unlink()
    home.database.write_bytes(b"no database at all" * 100)
    with server.http() as client:
        answer = client.get("/api/state")
        assert answer.status_code == 503 and "restore it from a backup" in answer.json()["error"]["message"]
        assert client.get("/v1/models").status_code == 503

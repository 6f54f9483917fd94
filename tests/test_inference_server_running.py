"""A server begins, ends and gives way as it should; and the verb that runs it."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from inference.answering import Answering
from inference.local import LocalEngine
from tests.engines import FAMILY, publish
from tests.serving import KEY, PATIENCE, Scripted, running, serve_with, until
from twin.errors import ModelError
from twin.jobs import JobQueue
from twin.registry import Registry
from twin.sections import Base, EngineSettings, Reply
from twin.settings import Settings, server_key
from twin.store import Store

ROOT = Path(__file__).parents[1]
HELLO: Any = [{"role": "user", "content": "are you coming tonight?"}]


@pytest.mark.parametrize("error", [ModelError("It is missing", "say where it is"), ImportError("It is missing")])
def test_a_model_that_cannot_be_loaded_ends_the_server(home: Settings, error: Exception) -> None:
    may_fail = threading.Event()

    def build() -> Scripted:
        may_fail.wait()
        raise error

    with pytest.raises(type(error), match="is missing"), running(serve_with(home), build, wait=False) as server:
        may_fail.set()
        server.ended()


def test_what_nobody_foresaw_while_loading_is_one_sentence(home: Settings) -> None:
    may_fail = threading.Event()

    def build() -> Scripted:
        may_fail.wait()
        raise ZeroDivisionError("details")

    with (
        pytest.raises(ModelError, match="ZeroDivisionError") as raised,
        running(serve_with(home), build, wait=False) as server,
    ):
        may_fail.set()
        server.ended()
    assert "details" not in str(raised.value)


def test_a_server_that_stops_finishes_what_it_is_about_to_say(home: Settings) -> None:
    twin = Scripted()
    twin.hold.clear()
    with running(serve_with(home), lambda: twin, finish=PATIENCE) as server:
        stream = server.openai().chat.completions.create(model="twin", messages=HELLO, stream=True)
        next(stream)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until(lambda: not _listens(server.host, server.port))
        twin.hold.set()
        assert [chunk.choices[0].delta.content for chunk in stream] == ["\nwhat's up", None]
        stopping.join(PATIENCE)
    assert twin.calls == ["close"]


def test_a_server_that_stops_cancels_what_takes_too_long(home: Settings) -> None:
    twin = Scripted()
    twin.hold.clear()
    with running(serve_with(home), lambda: twin, finish=0.2) as server:
        stream = server.openai().chat.completions.create(model="twin", messages=HELLO, stream=True)
        next(stream)
        assert server.stop()
        with pytest.raises(openai.APIError, match="stopping"):
            list(stream)
    assert twin.cancelled == 1 and twin.calls == ["close"]


def test_a_server_may_be_stopped_while_its_model_is_loading(home: Settings) -> None:
    may_load = threading.Event()
    with running(serve_with(home), lambda: may_load.wait() and Scripted(), wait=False, close=0.1) as server:
        assert server.stop() is False, "a thread is still loading"
    may_load.set()


def test_a_served_model_gives_way_to_a_training(home: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.yielding._LOOK_SECONDS", 0.01)
    queue = JobQueue(store.db)
    job = queue.enqueue("retrain", "owner", time.time())
    queue.claim("box", time.time() + 3600)
    twin = Scripted()
    settings = serve_with(home).model_copy(update={"engine": EngineSettings(while_training="release")})
    with running(settings, lambda: twin):
        until(lambda: "release" in twin.calls)
        queue.finish(job.id, time.time())
        until(lambda: twin.calls == ["release", "resume"])
    assert twin.calls == ["release", "resume", "close"]


@pytest.fixture
def tiny(home: Settings, tiny_base: Callable[[str], Path]) -> Settings:
    """Settings that serve the tiny model."""
    how = {"base": Base(model=str(tiny_base(FAMILY)), quantization="none"), "reply": Reply(max_tokens=12)}
    return serve_with(home).model_copy(update={**how, "engine": EngineSettings(kind="local")})


@pytest.fixture
def versions(tiny: Settings, store: Store) -> Iterator[list[str]]:
    """Two random adapters, none promoted."""
    engine = LocalEngine.open(tiny)
    yield [publish(Registry(tiny.adapters, store.db), engine.identity, Path(tiny.base.model), seed) for seed in (1, 2)]
    engine.close()


def test_a_real_model_answers_swaps_and_streams_what_it_would_say_at_once(tiny: Settings, versions: list[str]) -> None:
    one, two = versions
    with running(tiny, lambda: Answering.open(tiny, LocalEngine.open(tiny))) as server, server.http() as http:
        create = server.openai().chat.completions.create

        def said(model: str, seed: int = 7) -> tuple[str, str]:
            answer = create(model=model, messages=HELLO, seed=seed)
            return answer.model, str(answer.choices[0].message.content)

        assert said("twin") == said("base") and said("twin")[0] == "base"
        http.post("/api/promote", json={"version": one}).raise_for_status()
        first = said("twin")
        http.post("/api/promote", json={"version": two}).raise_for_status()
        second = said("twin")
        assert (first[0], second[0]) == (one, two) and len({first[1], second[1], said("base")[1]}) == 3
        assert said(one) == first and said(two) == second and said("twin") == second
        assert said("twin", seed=8) != second
        stream = create(model="twin", messages=HELLO, seed=7, stream=True, stream_options={"include_usage": True})
        chunks = list(stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == second[1]
        usage = chunks[-1].usage
        assert usage is not None and usage.prompt_tokens > 5 and 1 <= usage.completion_tokens <= 12
        choices = create(model="twin", messages=HELLO, seed=7, n=3).choices
        assert choices[0].message.content == second[1] and len({choice.message.content for choice in choices}) == 3
        assert "twin_swaps_total 0.0" not in http.get("/metrics").text


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


SCRIPTED = """
import sys
import inference.server.cli
from tests.serving import Scripted
from twin.cli import main
inference.server.cli.build_generator = lambda settings: Scripted()
main(sys.argv[1:])
"""
"""The command line, but for the model."""


def check_that_it_answers_and_ends(home: Path, command: list[str], sent: signal.Signals, model: str) -> None:
    """A process says where it is, asks for its key, answers, and ends well within seconds when told."""
    environment = {**os.environ, "TWIN_HOME": str(home), "OMP_NUM_THREADS": "1", "TWIN_SERVER_KEY": KEY}
    arguments = [*command, "serve", "--port", "0"]
    with subprocess.Popen(arguments, env=environment, text=True, stdout=-1, stderr=-1, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Your twin is at http://127.0.0.1:")
            address = line.split()[4]
            assert f"{address}/v1" in line
            with httpx2.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
                until(lambda: client.get("/readyz").status_code == 200, 3 * PATIENCE)
                assert client.get("/v1/models").status_code == 401
                shown = {"authorization": f"Bearer {KEY}"}
                answer = client.post("/v1/chat/completions", json={"messages": HELLO}, headers=shown)
            assert answer.status_code == 200 and answer.json()["model"] == model
            process.send_signal(sent)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert out == "" and "Traceback" not in err and KEY not in err and "coming tonight" not in err


def test_the_verb_says_where_it_is_answers_and_ends_when_told(home: Settings) -> None:
    command = [sys.executable, "-c", SCRIPTED]
    check_that_it_answers_and_ends(home.home, command, signal.SIGTERM, str(Scripted().adapter))


@pytest.mark.slow
def test_the_verb_serves_a_real_model_by_the_settings_alone(tiny: Settings) -> None:
    model = f'[base]\nmodel = "{tiny.base.model}"\nquantization = "none"\n[engine]\nkind = "local"\n'
    (tiny.home / "twin.toml").write_text(model)
    check_that_it_answers_and_ends(tiny.home, [sys.executable, "-m", "twin"], signal.SIGINT, "base")


def test_the_verb_refuses_in_one_sentence_what_cannot_work(
    home: Settings, run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run_twin("serve", "--host", "0.0.0.0")
    assert ran.code == 2 and ran.out == "" and ran.err.count("\n") == 1 and "`twin serve --set-key`" in ran.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run_twin("serve", "--port", taken.getsockname()[1])
    assert ran.code == 2 and ran.out == "" and ran.err.count("\n") == 1 and "--port" in ran.err
    monkeypatch.setenv("TWIN_SERVER_KEY", "sesame")
    ran = run_twin("serve")
    assert ran.code == 2 and "at least 16 characters" in ran.err and "sesame" not in ran.err


def test_what_is_not_installed_is_named_with_the_command(
    home: Settings, run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ran = run_twin("serve")
    assert ran.code == 2 and ran.err.count("\n") == 1
    assert "no Python package uvicorn" in ran.err and "pip install '.[serve]'" in ran.err


def test_a_key_that_is_entered_is_kept_and_not_shown(
    home: Settings, run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f" {KEY} \nanother line\n"))
    ran = run_twin("serve", "--set-key")
    assert ran.code == 0 and server_key(home) == KEY
    assert KEY not in ran.out + ran.err and str(home.home / "server-key") in ran.out
    monkeypatch.setattr(sys, "stdin", io.StringIO("sesame\n"))
    ran = run_twin("serve", "--set-key")
    assert ran.code == 2 and "sesame" not in ran.out + ran.err and server_key(home) == KEY


def test_entering_nothing_makes_a_key_and_shows_it_this_once(
    home: Settings, run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    ran = run_twin("serve", "--set-key")
    key = server_key(home)
    assert ran.code == 0 and key is not None and len(key) == 43 and ran.out.splitlines()[-1] == key


def test_help_needs_none_of_the_packages() -> None:
    code = (
        "import sys\nfrom twin.cli import main\n"
        "try:\n    main(['serve', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'fastapi', 'uvicorn', 'starlette', 'prometheus_client', 'limits', 'torch'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
    for word in ("--host", "--port", "--set-key", "OpenAI"):
        assert word in ran.stdout

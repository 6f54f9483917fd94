"""Whatever is sent, the answer is one of ours: never a 500, never a traceback, never what was sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from inference.server.completions import ChatRequest, understand
from inference.server.problems import Refused
from inference.tokenizer import BaseTokenizer
from tests.serving import PATIENCE, Running, Scripted, running, serve_with
from twin.prompt import PromptSpec, encode_prompt
from twin.sections import Reply
from twin.settings import Settings

_ZONES = ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"]

_FIELDS = """model stream stream_options n seed stop max_tokens max_completion_tokens temperature top_p top_k min_p
repetition_penalty tools response_format logprobs frequency_penalty logit_bias modalities user"""
_texts = st.text(st.characters(codec=None), max_size=20)  # halves of surrogate pairs too
_anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(_texts, parts, max_size=3),
    max_leaves=8,
)
_parts = st.fixed_dictionaries({}, optional={"type": st.just("text") | _anything, "text": _anything})
_messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "developer", "tool"]) | _anything,
        "content": _texts | st.lists(_parts, max_size=3) | _anything,
        "bubbles": st.lists(_texts, max_size=3) | _anything,
        "at": st.just("2026-01-01T00:00:00Z") | _anything,
    },
)
_about = st.fixed_dictionaries({}, optional=dict.fromkeys(("peer", "relation", "chat_id", "at"), _anything))
_bodies = st.fixed_dictionaries(
    {"messages": st.lists(_messages, max_size=4) | _anything},
    optional=dict.fromkeys(_FIELDS.split(), _anything) | {"twin": _about | _anything},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home: Path = tmp_path_factory.mktemp("home")
    with running(serve_with(Settings(home=home)), Scripted) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx2.Client]:
    with server.http(content_type="application/json") as client:
        yield client


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Callable[[str], Path]) -> BaseTokenizer:
    return BaseTokenizer(tiny_base("gemma3"))


def check_answer(answer: httpx2.Response, sent: bytes) -> None:
    assert answer.status_code in (200, 400, 404, 405, 413), (answer.status_code, sent)
    if answer.status_code == 200:
        return
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"] and "Traceback" not in error["message"]


@hypothesis_settings(max_examples=100)
@given(body=_bodies)
def test_no_json_ever_makes_the_server_stumble(client: httpx2.Client, body: dict[str, Any]) -> None:
    sent = json.dumps(body).encode()
    check_answer(client.post("/v1/chat/completions", content=sent), sent)


@hypothesis_settings(max_examples=50)
@given(sent=st.binary(max_size=60) | _anything.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_ever_make_the_server_stumble(client: httpx2.Client, sent: bytes) -> None:
    for path in ("/v1/chat/completions", "/api/promote"):
        check_answer(client.post(path, content=sent), sent)


@hypothesis_settings(max_examples=50)
@given(name=_texts.filter(lambda name: name.isascii() and name.isprintable()))
def test_no_address_ever_makes_the_server_stumble(client: httpx2.Client, name: str) -> None:
    for path in (f"/v1/models/{name}", f"/page/{name}", f"/{name}"):
        try:
            answer = client.get(path)
        except httpx2.InvalidURL:
            continue
        check_answer(answer, path.encode())


_moments = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
_likely = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": st.text(min_size=1, max_size=2000)},
    optional={"at": _moments, "bubbles": st.lists(st.text(min_size=1, max_size=30), max_size=5)},
)
_names = st.text(min_size=1, max_size=210)
_likely_about = st.fixed_dictionaries(
    {}, optional={"peer": _names, "relation": _names, "chat_id": st.integers(), "at": _moments}
)


@given(said=st.lists(_likely, min_size=1, max_size=6), about=_likely_about, zone=st.sampled_from(_ZONES))
def test_whatever_is_let_in_can_be_put_into_a_prompt(
    tokenizer: BaseTokenizer, said: list[dict[str, Any]], about: dict[str, Any], zone: str
) -> None:
    try:
        asked = understand(ChatRequest.model_validate({"messages": said, "twin": about}), Reply())
    except Refused as refused:
        assert refused.status == 400
        return
    spec = PromptSpec(peer="name", relation=True, time_of_day=True, gaps=True, timezone=zone, context_tokens=1024)
    ids = encode_prompt(spec.bound_to(tokenizer), tokenizer, asked.conversation, 100)
    assert 0 < len(ids) <= 924


@pytest.mark.parametrize("opening", [b"[", b'{"messages":', b'{"messages":[{"role":"user","content":"\\ud800"}],"n":'])
def test_what_is_nested_without_end_is_refused(client: httpx2.Client, opening: bytes) -> None:
    sent = opening * (200_000 // len(opening))
    answer = client.post("/v1/chat/completions", content=sent)
    assert answer.status_code == 400
    check_answer(answer, b"")


def test_half_of_a_surrogate_pair_is_no_text(client: httpx2.Client) -> None:
    for body in (
        {"messages": [{"role": "user", "content": "\ud800"}]},
        {"messages": [{"role": "user", "content": "a"}], "stop": "\ud800"},
        {"messages": [{"role": "user", "content": "a"}], "model": "\ud800"},
        {"messages": [{"role": "user", "content": "a"}], "twin": {"peer": "\ud800"}},
    ):
        assert client.post("/v1/chat/completions", content=json.dumps(body)).status_code in (400, 404)


@pytest.mark.parametrize(
    "sent", [b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET /\x00 HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_hung_up_on_and_the_server_goes_on(server: Running, sent: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=PATIENCE) as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := line.recv(4096):
            heard += piece
    assert heard == b"" or heard.startswith(b"HTTP/1.1 4")
    with server.http() as client:
        assert client.get("/healthz").status_code == 200

"""How much may be asked: size of a request, requests a minute, replies at a time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import openai
import pytest

from tests.serving import KEY, PATIENCE, Running, Scripted, running, serve_with, until
from twin.settings import Settings

HELLO = [{"role": "user", "content": "hello"}]
BODY = {"messages": HELLO}


def pieces(size: int) -> Iterator[bytes]:
    """A body sent in chunks, of which nobody knows the length."""
    yield b'{"messages": [{"role": "user", "content": "'
    for _ in range(size // 1024):
        yield b"x" * 1024
    yield b'"}]}'


def test_a_body_too_large_is_refused_whether_it_tells_its_length_or_not(home: Settings) -> None:
    twin = Scripted()
    with running(serve_with(home, max_request_kilobytes=4), lambda: twin) as server, server.http() as client:
        told = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "x" * 5000}]})
        untold = client.post(
            "/v1/chat/completions", content=pieces(64 * 1024), headers={"content-type": "application/json"}
        )
        assert (told.status_code, untold.status_code) == (413, 413)
        assert told.json()["error"]["message"] == "The request is larger than 4 kilobytes."
        assert twin.asked == []
        fits = client.post("/v1/chat/completions", content=pieces(3072), headers={"content-type": "application/json"})
        assert fits.status_code == 200 and len(twin.asked[0][0].turns[0].bubbles[0].text) == 3072
        with pytest.raises(openai.APIStatusError) as raised:
            server.openai().chat.completions.create(model="twin", messages=[{"role": "user", "content": "x" * 5000}])
        assert raised.value.status_code == 413


def test_a_client_that_never_sends_its_body_keeps_nobody_waiting(home: Settings) -> None:
    twin = Scripted()
    with running(serve_with(home), lambda: twin) as server:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as half:
            half.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
            assert server.openai().chat.completions.create(model="twin", messages=HELLO).model == twin.adapter  # type: ignore[arg-type]
    assert len(twin.asked) == 1


def test_an_address_that_asks_too_often_is_told_when_to_come_again(home: Settings) -> None:
    twin = Scripted()
    with running(serve_with(home, requests_per_minute=3), lambda: twin) as server:
        client = server.openai()
        with pytest.raises(openai.RateLimitError) as raised:
            for _ in range(20):
                client.chat.completions.create(model="twin", messages=HELLO)  # type: ignore[arg-type]
        assert 1 <= int(raised.value.response.headers["retry-after"]) <= 60
        assert raised.value.code == "rate_limit_exceeded"
        assert 3 <= len(twin.asked) < 20
        assert client.models.list().data  # looking counts apart
        with server.http() as plain:
            codes = [plain.get("/v1/models").status_code for _ in range(100)]
            assert 429 in codes and codes.count(200) >= 20
            assert {plain.get("/healthz").status_code for _ in range(50)} == {200}


def test_guesses_at_the_key_are_limited_too(home: Settings) -> None:
    with running(serve_with(home, requests_per_minute=3), Scripted, KEY) as server:
        with server.http(authorization="Bearer guess") as client:
            codes = [client.post("/v1/chat/completions", json=BODY).status_code for _ in range(20)]
        assert codes[0] == 401 and 429 in codes


def test_more_replies_than_there_is_room_for_are_sent_away_and_room_comes_back(home: Settings) -> None:
    twin = Scripted()
    twin.hold.clear()
    with running(serve_with(home, max_waiting=3), lambda: twin) as server, ThreadPoolExecutor(2) as pool:
        create = server.openai().chat.completions.create
        first = pool.submit(create, model="twin", messages=HELLO, n=2)
        second = pool.submit(create, model="twin", messages=HELLO)
        until(lambda: twin.at_once == 3)
        with pytest.raises(openai.InternalServerError) as raised:
            create(model="twin", messages=HELLO)  # type: ignore[call-overload]
        assert (raised.value.status_code, raised.value.code) == (503, "overloaded")
        assert int(raised.value.response.headers["retry-after"]) >= 1
        twin.hold.set()
        assert len(first.result().choices) == 2 and len(second.result().choices) == 1
        until(lambda: _is_answered(server))


def _is_answered(server: Running) -> bool:
    with server.http() as client:
        return client.post("/v1/chat/completions", json=BODY | {"n": 3}).status_code == 200


def test_room_is_taken_until_a_reply_that_nobody_wants_any_more_really_ends(home: Settings) -> None:
    twin = Scripted()
    twin.hold.clear()
    with running(serve_with(home, max_waiting=1), lambda: twin) as server:
        create = server.openai().chat.completions.create
        for _ in range(3):
            until(lambda: twin.at_once == 0)
            stream = _begun(create)
            assert [chunk.choices[0].delta.content for chunk in islice(stream, 1)] == ["hey"]
            stream.close()
        until(lambda: twin.cancelled == 3)


def _begun(create):  # type: ignore[no-untyped-def]
    """A stream, as soon as there is room for one."""
    while True:
        try:
            return create(model="twin", messages=HELLO, stream=True)
        except openai.InternalServerError as error:
            assert error.code == "overloaded"


def test_more_choices_than_there_is_ever_room_for_are_refused_for_good(home: Settings) -> None:
    with running(serve_with(home, max_waiting=2), Scripted) as server, pytest.raises(openai.BadRequestError) as raised:
        server.openai().chat.completions.create(model="twin", messages=HELLO, n=3)  # type: ignore[arg-type]
    assert raised.value.param == "n"

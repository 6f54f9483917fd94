"""What Prometheus is told: numbers, and nothing about anybody."""

from __future__ import annotations

import logging

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving import KEY, Running, Scripted, running, serve_with, until
from twin.errors import ModelError
from twin.settings import Settings

SECRET = "the lighthouse keeper's daughter"
HELLO = [{"role": "user", "content": SECRET}]


def numbers(server: Running) -> dict[tuple[str, str], float]:
    """Every sample by its name and its one label's value, if it has one."""
    with server.http() as client:
        text = client.get("/metrics").text
    return {
        (sample.name, ",".join(value for name, value in sample.labels.items() if name != "le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_replies_tokens_swaps_and_what_was_caught_are_counted(home: Settings) -> None:
    twin = Scripted(caught=("secret", "loop", "secret"), swaps=3, waiting=2)
    with running(serve_with(home), lambda: twin) as server:
        create = server.openai().chat.completions.create
        create(model="twin", messages=HELLO, n=2)  # type: ignore[call-overload]
        list(create(model="twin", messages=HELLO, stream=True))  # type: ignore[call-overload]
        create(model="twin", messages=HELLO, max_tokens=1)  # type: ignore[call-overload]
        found = numbers(server)
    assert found["twin_replies_total", "turn"] == 3 and found["twin_replies_total", "length"] == 1
    assert found["twin_tokens_total", ""] == 21 and found["twin_prompt_tokens_total", ""] == 28
    assert found["twin_reply_seconds_count", ""] == found["twin_reply_tokens_count", ""] == 4
    assert found["twin_tokens_per_second_count", ""] == 4
    assert found["twin_time_to_first_bubble_seconds_count", ""] == 4
    assert found["twin_guard_caught_total", "secret"] == 8 and found["twin_guard_caught_total", "loop"] == 4
    assert found["twin_swaps_total", ""] == 3 and found["twin_waiting", ""] == 2 and found["twin_ready", ""] == 1


def test_what_went_wrong_is_counted_by_kind(home: Settings) -> None:
    twin = Scripted()
    with running(serve_with(home, max_request_kilobytes=1), lambda: twin, KEY) as server:
        twin.fails = ModelError(SECRET, "start it")
        with pytest.raises(openai.InternalServerError):
            server.openai().chat.completions.create(model="twin", messages=HELLO)  # type: ignore[arg-type]
        twin.fails = None
        with pytest.raises(openai.AuthenticationError):
            server.openai("another-key-altogether").models.list()
        with server.http(sec_fetch_site="cross-site") as client:
            client.get("/api/state")
        with server.http() as client:
            client.post("/v1/chat/completions", content=b"x" * 2000)
        twin.hold.clear()
        stream = server.openai().chat.completions.create(model="twin", messages=HELLO, stream=True)  # type: ignore[call-overload]
        next(stream)
        assert numbers(server)["twin_replies_open", ""] == 1
        stream.close()
        until(lambda: numbers(server)["twin_replies_open", ""] == 0)
        found = numbers(server)
    assert found["twin_replies_total", "failed"] == found["twin_replies_total", "cancelled"] == 1
    why = {label: value for (name, label), value in found.items() if name == "twin_requests_refused_total"}
    assert why == {"key": 1, "cross_site": 1, "size": 1}


def test_neither_metrics_nor_logs_tell_what_was_said_or_by_which_version(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    twin = Scripted(bubbles=["a very private reply"], caught=(SECRET, "Robin 555-0100"))
    with running(serve_with(home), lambda: twin, KEY) as server:
        client = server.openai()
        client.chat.completions.create(model="twin", messages=HELLO, extra_body={"twin": {"peer": "Robin Hood"}})  # type: ignore[arg-type]
        list(client.chat.completions.create(model="base", messages=HELLO, stream=True, user="Robin Hood"))  # type: ignore[call-overload]
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="twin", messages=HELLO, temperature=9, tools=HELLO)  # type: ignore[arg-type]
        with server.http() as plain:
            text = plain.get("/metrics").text
            plain.get("/nowhere", params={"q": SECRET})
    assert 'twin_guard_caught_total{kind="other"} 4.0' in text
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(CLIENTS))
    for private in (SECRET, "lighthouse", "private reply", "Robin", "555-0100", KEY, str(twin.adapter)):
        assert private not in text and private not in logged.replace(f"Ready: {twin.adapter} answers", "")


CLIENTS = ("openai", "httpx", "httpcore", "asyncio")
"""Logs of the clients in this same process, which do hold what they send."""

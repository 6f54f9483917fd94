"""The official OpenAI client against a server that really runs."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import openai
import pytest

from tests.serving import PATIENCE, Running, Scripted, running, sampling, serve_with, until
from twin.errors import AdapterError, ModelError
from twin.messages import Conversation, Peer, Turn
from twin.settings import Settings

HELLO = [{"role": "user", "content": "hello"}]
IMPOSSIBLE: list[tuple[dict[str, object], str]] = [
    ({"temperature": 3}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": -1}, "top_p"),
    ({"n": 9}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"seed": 1.5}, "seed"),
    ({"stop": ""}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"logprobs": True}, "logprobs"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"frequency_penalty": 0.5}, "frequency_penalty"),
    ({"logit_bias": {"50256": -100}}, "logit_bias"),
    ({"messages": []}, "messages"),
    ({"messages": ["hello"]}, "messages[0]"),
    ({"messages": [{"role": "tool", "content": "4"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
     "messages[0].content[0]"),
    ({"twin": {"at": "noon"}}, "twin"),
    ({"twin": {"at": "0001-01-01T00:00:00+23:59"}}, "twin"),
    ({"twin": {"chat_id": 2**70}}, "twin"),
    ({"twin": {"peer": "x" * 1000}}, "twin"),
    ({"messages": [{"role": "user", "content": "x", "at": "9999-12-31T23:59:59-12:00"}]}, "messages[0].at"),
]  # fmt: skip
"""What is asked, and the part of the request that is told to be wrong."""


@pytest.fixture
def twin() -> Scripted:
    return Scripted()


@pytest.fixture
def server(home: Settings, twin: Scripted) -> Iterator[Running]:
    with running(serve_with(home), lambda: twin) as server:
        yield server


def asked(twin: Scripted) -> Conversation:
    return twin.asked[-1][0]


def test_a_reply_is_one_message_whose_bubbles_are_told_apart_too(server: Running, twin: Scripted) -> None:
    twin.caught = ("secret",)
    answer = server.openai().chat.completions.create(model="twin", messages=HELLO)
    choice = answer.choices[0]
    assert choice.message.content == "hey\nwhat's up" and choice.message.role == "assistant"
    assert choice.finish_reason == "stop" and answer.model == twin.adapter and answer.object == "chat.completion"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 6, 13)
    told = {"bubbles": ["hey", "what's up"], "adapter": twin.adapter, "caught": ["secret"], "ignored": []}
    assert answer.model_extra == {"twin": told}
    assert asked(twin).turns == (Turn.of("other", ["hello"]),)


def test_a_stream_has_a_chunk_for_each_bubble_and_comes_to_the_same(server: Running, twin: Scripted) -> None:
    stream = server.openai().chat.completions.create(
        model="twin", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert said == ["hey", "\nwhat's up"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {chunk.model for chunk in chunks} == {twin.adapter} and len({chunk.id for chunk in chunks}) == 1
    end, cost = chunks[-2:]
    assert end.choices[0].finish_reason == "stop" and end.model_extra is not None
    assert end.model_extra["twin"]["bubbles"] == ["hey", "what's up"]
    assert cost.choices == [] and cost.usage is not None and cost.usage.total_tokens == 13


def test_a_bubble_is_sent_before_the_next_one_is_written(server: Running, twin: Scripted) -> None:
    twin.hold.clear()
    stream = server.openai().chat.completions.create(model="twin", messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "hey"
    assert twin.at_once == 1
    twin.hold.set()
    assert [chunk.choices[0].delta.content for chunk in stream] == ["\nwhat's up", None]


def test_silence_is_an_empty_message_and_may_be_sent_back(server: Running, twin: Scripted) -> None:
    twin.bubbles = ()
    client = server.openai()
    answer = client.chat.completions.create(model="twin", messages=HELLO)
    assert answer.choices[0].message.content == ""
    chunks = list(client.chat.completions.create(model="twin", messages=HELLO, stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == [""]
    silent = {"role": "assistant", "content": ""}
    client.chat.completions.create(model="twin", messages=[*HELLO, silent, *HELLO])
    assert asked(twin).turns == (Turn.of("other", ["hello", "hello"]),)


def test_messages_of_one_role_are_bubbles_and_replies_are_taken_apart_again(server: Running, twin: Scripted) -> None:
    server.openai().chat.completions.create(
        model="twin",
        messages=[
            {"role": "user", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "lines"}]},
            {"role": "assistant", "content": "hey\nwhat's up\r\n\n"},
            {"role": "user", "content": "not\nmuch"},
            {"role": "assistant", "content": "x", "bubbles": ["a poem\nof two lines", "yes"]},  # type: ignore[misc]
        ],
    )
    assert asked(twin).turns == (
        Turn.of("other", ["one", "two\nlines"]),
        Turn.of("owner", ["hey", "what's up"]),
        Turn.of("other", ["not\nmuch"]),
        Turn.of("owner", ["a poem\nof two lines", "yes"]),
    )


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_are_left_out_and_the_answer_says_so(server: Running, twin: Scripted, role: str) -> None:
    instruction = {"role": role, "content": "You are a pirate."}
    answer = server.openai().chat.completions.create(model="twin", messages=[instruction, *HELLO])  # type: ignore[list-item]
    assert asked(twin).turns == (Turn.of("other", ["hello"]),)
    assert answer.model_extra is not None and answer.model_extra["twin"]["ignored"] == [role]


def test_instructions_alone_ask_the_twin_to_begin(server: Running, twin: Scripted) -> None:
    server.openai().chat.completions.create(model="twin", messages=[{"role": "system", "content": "Go on."}])
    assert asked(twin).turns == ()


def test_sampling_reaches_the_twin_and_the_rest_is_as_the_settings_say(server: Running, twin: Scripted) -> None:
    create = server.openai().chat.completions.create
    create(model="twin", messages=HELLO, temperature=0.5, top_p=0.25, max_tokens=9, extra_body={"top_k": 3})
    how = sampling(twin.asked[-1][1])
    assert (how.temperature, how.top_p, how.max_tokens, how.top_k, how.min_p) == (0.5, 0.25, 9, 3, 0.0)
    create(model="twin", messages=HELLO, max_completion_tokens=3, max_tokens=9)
    how = sampling(twin.asked[-1][1])
    assert (how.temperature, how.max_tokens) == (1.0, 3)
    create(model="twin", messages=HELLO, top_p=0)
    assert sampling(twin.asked[-1][1]).temperature == 0


def test_a_reply_cut_off_says_so(server: Running) -> None:
    answer = server.openai().chat.completions.create(model="twin", messages=HELLO, max_tokens=2)
    assert answer.choices[0].finish_reason == "length" and answer.choices[0].message.content == "hey"


@pytest.mark.parametrize("stop", ["up", ["down", "up"]])
def test_a_reply_ends_before_a_stop(server: Running, stop: str | list[str]) -> None:
    answer = server.openai().chat.completions.create(model="twin", messages=HELLO, stop=stop)
    assert answer.choices[0].message.content == "hey" and answer.choices[0].finish_reason == "stop"


def test_each_choice_has_a_seed_of_its_own_made_from_the_request_s(server: Running, twin: Scripted) -> None:
    twin.bubbles = ("{seed}",)
    create = server.openai().chat.completions.create
    first, again, alone, another = (
        [choice.message.content for choice in create(model="twin", messages=HELLO, n=n, seed=seed).choices]
        for n, seed in ((3, 11), (3, 11), (1, 11), (3, 12))
    )
    assert first == again and len(set(first)) == 3 and alone == first[:1] == ["11"]
    assert not set(first) & set(another)
    create(model="twin", messages=HELLO, n=2)
    assert [wish.seed for _, wish in twin.asked[-2:]] == [None, None]


def test_choices_of_a_stream_are_told_apart_by_their_index(server: Running, twin: Scripted) -> None:
    twin.bubbles = ("{seed}", "bye")
    stream = server.openai().chat.completions.create(model="twin", messages=HELLO, n=3, seed=5, stream=True)
    said: dict[int, str] = {}
    for chunk in stream:
        said[chunk.choices[0].index] = said.get(chunk.choices[0].index, "") + (chunk.choices[0].delta.content or "")
    assert sorted(said) == [0, 1, 2] and len(set(said.values())) == 3
    assert said[0] == "5\nbye"


def test_the_peer_and_the_moment_may_be_told(server: Running, twin: Scripted) -> None:
    about = {"peer": "Robin", "relation": "friend", "chat_id": 5, "at": "2026-01-02T03:04:05+01:00"}
    server.openai().chat.completions.create(model="twin", messages=HELLO, extra_body={"twin": about})
    found = asked(twin)
    assert (found.peer, found.chat_id) == (Peer("Robin", "friend"), 5)
    assert found.at is not None and found.at.isoformat() == "2026-01-02T02:04:05+00:00"


def test_the_bare_base_model_answers_under_its_name(server: Running, twin: Scripted) -> None:
    assert server.openai().chat.completions.create(model="base", messages=HELLO).model == "base"
    twin.adapter = None
    assert server.openai().chat.completions.create(model="twin", messages=HELLO).model == "base"


def test_it_never_speaks_in_the_place_of_an_adapter_that_was_refused(server: Running, twin: Scripted) -> None:
    twin.adapter, twin.refused = None, "The adapter x is truncated: retrain."
    with pytest.raises(openai.InternalServerError, match="Nothing that was promoted can serve") as raised:
        server.openai().chat.completions.create(model="twin", messages=HELLO)
    assert raised.value.status_code == 503 and twin.asked == []
    assert server.openai().chat.completions.create(model="base", messages=HELLO).model == "base"


def test_models_that_are_not_there_are_not_found(server: Running) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        server.openai().chat.completions.create(model="gpt-4o", messages=HELLO)
    assert raised.value.code == "model_not_found" and raised.value.param == "model"
    with pytest.raises(openai.NotFoundError):
        server.openai().models.retrieve("gpt-4o")


def test_what_a_twin_cannot_do_is_refused_in_one_sentence(server: Running, twin: Scripted) -> None:
    client = server.openai()
    for options, param in IMPOSSIBLE:
        with pytest.raises(openai.BadRequestError) as raised:
            client.post("/chat/completions", cast_to=object, body={"model": "twin", "messages": HELLO, **options})
        body = raised.value.body
        assert isinstance(body, dict) and set(body) == {"message", "type", "param", "code"}
        assert body["param"].startswith(param) and body["type"] == "invalid_request_error"
        assert body["message"].endswith(".") and "\n" not in body["message"]
    assert twin.asked == []


def test_fields_that_ask_for_nothing_are_left_out(server: Running) -> None:
    answer = server.openai().chat.completions.create(
        model="twin",
        messages=HELLO,
        logprobs=False,
        tools=[],
        tool_choice="auto",
        response_format={"type": "text"},
        frequency_penalty=0,
        user="someone",
        metadata={"a": "b"},
        store=False,
        stop=None,
        extra_body={"unheard_of": [1], "seed": None},
    )
    assert answer.choices[0].message.content == "hey\nwhat's up"


def test_a_failure_of_the_engine_is_told_and_counts_as_ours(server: Running, twin: Scripted) -> None:
    twin.fails = ModelError("The engine does not answer", "start it")
    with pytest.raises(openai.InternalServerError, match="The engine does not answer") as raised:
        server.openai().chat.completions.create(model="twin", messages=HELLO)
    assert raised.value.status_code == 503 and raised.value.response.headers["retry-after"] == "2"
    with pytest.raises(openai.APIError, match="The engine does not answer"):
        list(server.openai().chat.completions.create(model="twin", messages=HELLO, stream=True))


def test_an_adapter_asked_for_that_is_damaged_is_the_request_s_fault(server: Running, twin: Scripted) -> None:
    twin.fails = AdapterError("The adapter base is damaged", "retrain")
    with pytest.raises(openai.BadRequestError, match="damaged"):
        server.openai().chat.completions.create(model="base", messages=HELLO)


def test_what_nobody_foresaw_is_told_without_details(
    server: Running, twin: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    twin.fails = KeyError("the words of a message")
    with pytest.raises(openai.InternalServerError) as raised:
        server.openai().chat.completions.create(model="twin", messages=HELLO)
    assert raised.value.status_code == 500
    with pytest.raises(openai.APIError) as broken:
        list(server.openai().chat.completions.create(model="twin", messages=HELLO, stream=True))
    assert "the words" not in str(raised.value.body) + str(broken.value.body) + caplog.text
    assert "KeyError" in caplog.text


def test_a_client_that_leaves_a_stream_ends_the_work(server: Running, twin: Scripted) -> None:
    twin.hold.clear()
    stream = server.openai().chat.completions.create(model="twin", messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "hey"
    stream.close()
    until(lambda: twin.cancelled == 1 and twin.at_once == 0)


def test_a_client_that_gives_up_waiting_ends_the_work(server: Running, twin: Scripted) -> None:
    twin.hold.clear()
    with socket.create_connection((server.host, server.port), timeout=PATIENCE) as impatient:
        body = json.dumps({"messages": HELLO, "n": 2}).encode()
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        impatient.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: twin.at_once == 2)
    until(lambda: twin.cancelled == 2 and twin.at_once == 0)


def test_a_stream_is_kept_open_while_nothing_happens(
    server: Running, twin: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.server.streaming.IDLE_SECONDS", 0.05)
    twin.hold.clear()
    with (
        server.http() as client,
        client.stream("POST", "/v1/chat/completions", json={"messages": HELLO, "stream": True}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith(":")) == ": ping"
        twin.hold.set()
        assert [line for line in lines if line.startswith("data: ")][-1] == "data: [DONE]"


def test_the_asynchronous_client_is_answered_too(server: Running, twin: Scripted) -> None:
    async def talk() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="none", timeout=PATIENCE) as client:
            answers = (client.chat.completions.create(model="twin", messages=HELLO) for _ in range(8))
            return [str(answer.choices[0].message.content) for answer in await asyncio.gather(*answers)]

    assert asyncio.run(talk()) == ["hey\nwhat's up"] * 8 and len(twin.asked) == 8


def test_eight_clients_are_answered_at_the_same_time(server: Running, twin: Scripted) -> None:
    twin.hold.clear()
    clients = [server.openai() for _ in range(8)]

    def talk(number: int) -> str:
        said = [{"role": "user", "content": f"I am {number}"}]
        stream = clients[number].chat.completions.create(model="twin", messages=said, stream=number % 2 == 0)  # type: ignore[call-overload]
        if number % 2:
            return str(stream.choices[0].message.content)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(talk, number) for number in range(8)]
        until(lambda: twin.at_once == 8)
        twin.hold.set()
        assert {answer.result() for answer in answers} == {"hey\nwhat's up"}
    texts = {conversation.turns[0].bubbles[0].text for conversation, _ in twin.asked}
    assert texts == {f"I am {number}" for number in range(8)}


def test_while_a_server_elsewhere_is_left_alone_this_one_is_not_ready(home: Settings) -> None:
    @dataclass
    class Remote(Scripted):
        is_reachable: bool = True

    twin = Remote()
    with running(serve_with(home), lambda: twin) as server, server.http() as client:
        assert client.get("/readyz").status_code == 200
        twin.is_reachable = False
        left = client.get("/readyz")
        assert left.status_code == 503 and "cannot be reached" in left.text
        assert client.get("/healthz").status_code == 200


def test_before_the_model_is_loaded_the_server_listens_and_says_so(home: Settings, twin: Scripted) -> None:
    may_load = threading.Event()

    def build() -> Scripted:
        may_load.wait()
        return twin

    with running(serve_with(home), build, wait=False) as server, server.http() as client:
        try:
            assert client.get("/healthz").status_code == 200 and client.get("/readyz").status_code == 503
            with pytest.raises(openai.InternalServerError) as raised:
                server.openai().chat.completions.create(model="twin", messages=HELLO)
            assert raised.value.status_code == 503 and int(raised.value.response.headers["retry-after"]) >= 1
            assert client.get("/api/state").json()["ready"] is False
        finally:
            may_load.set()
        # As the client does by itself: it waits, and asks again.
        patient = server.openai(max_retries=20)
        assert patient.chat.completions.create(model="twin", messages=HELLO).model == twin.adapter

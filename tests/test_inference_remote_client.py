"""The client of a server elsewhere: what is tried again and what not, limits, the breaker, and what errors say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import pytest

from inference.engine import Request, Written
from inference.remote.call import RemoteCall
from inference.remote.circuit import Circuit
from inference.remote.client import ATTEMPTS, NoSuchModel, RemoteClient
from inference.remote.dialects import Kind
from tests.test_inference_remote_circuit import Clock
from tests.wire import DONE, Wire, said
from twin.errors import ModelError, SettingsError, TwinError
from twin.sections import Reply

KEY = "invented-key-0000"
URL = "http://127.0.0.1:9/v1"
SECRET = "a private line"
WHOLE = [said("yeah"), said(" ok", "stop"), DONE]
REFUSED = httpx.ConnectError(f"refused {KEY} {SECRET}")


class Sleeps:
    """Counts what would be slept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@contextmanager
def client(wire: Wire, sleeps: Sleeps | None = None, **more: Any) -> Iterator[RemoteClient]:
    made = RemoteClient(URL, KEY, 60, sleep=sleeps or Sleeps(), chance=lambda: 1.0, transport=wire, **more)
    yield made
    made.close()


def written(wire: Wire, sleeps: Sleeps | None = None, kind: Kind = "other", told: Any = None, **more: Any) -> Written:
    """One text of what is on the wire."""
    with client(wire, sleeps, **more) as made:
        return ask(made, kind, told)


def ask(made: RemoteClient, kind: Kind = "other", told: Any = None) -> Written:
    call = RemoteCall(made, kind, "base", lambda _, text: told.append(text) if told is not None else None)
    call.begin(Request((1, 2), Reply()), {"model": "base", "prompt": SECRET})

    def load_again() -> None:
        raise NoSuchModel

    return call.finish(lambda: False, load_again)[0]


def test_a_text_comes_in_pieces_and_is_told_as_it_comes() -> None:
    told: list[str] = []
    found = written(Wire(WHOLE), told=told)
    assert (found.text, found.ended, found.count, told) == ("yeah ok", "turn", 2, ["yeah", " ok"])


@pytest.mark.parametrize(
    "fault",
    [
        429, 408, 500, 502, 503, 504, REFUSED, httpx.ConnectTimeout("x"), httpx.ReadError("x"),
        httpx.RemoteProtocolError("x"), (200, "<html>welcome</html>"), (200, {"choices": []}), [], [DONE],
        ["data: {no json\n\n"], [{"error": {"message": "out of memory"}}], [said("", None), httpx.ReadError("x")],
        ["data: 7\n\n"], [{"choices": [{"text": 7}]}], [said("x", "abort")], ["data: [[[[\n\n"],
    ],
    ids=str,
)  # fmt: skip
def test_what_passes_before_anything_was_said_is_tried_again(fault: Any) -> None:
    sleeps = Sleeps()
    wire = Wire(fault, fault, WHOLE)
    assert written(wire, sleeps).text == "yeah ok"
    assert sleeps.seconds == [0.5, 1] and len(wire.asked) == 3
    assert {request.content for request in wire.asked} == {wire.asked[0].content}


@pytest.mark.parametrize(
    "rest",
    [
        [], [DONE], [httpx.ReadError("x")], [httpx.ReadTimeout("x")], [httpx.RemoteProtocolError("x")],
        ["data: {no json\n\n"], [{"error": {"message": SECRET}}], [said("x", "abort")],
    ],
    ids=str,
)  # fmt: skip
def test_a_text_that_breaks_off_is_never_begun_again(rest: list[Any]) -> None:
    told: list[str] = []
    wire = Wire([said("yeah"), *rest])
    with pytest.raises(ModelError, match="broke off in the middle") as refused:
        written(wire, told=told)
    assert told == ["yeah"] and len(wire.asked) == 1
    assert_private(refused.value)


def test_what_comes_after_the_end_does_not_matter() -> None:
    for rest in ([], [httpx.ReadError("x")], ["data: {no json\n\n"]):
        assert written(Wire([said("yeah", "stop"), *rest])).text == "yeah"


def test_a_server_that_asks_for_a_pause_gets_it_unless_it_is_too_long() -> None:
    sleeps = Sleeps()
    assert written(Wire((429, {}, {"Retry-After": "7"}), (503, {}, {"Retry-After": "0"}), WHOLE), sleeps).text
    assert sleeps.seconds == [7, 0]
    with pytest.raises(ModelError, match="asks to wait 3600 seconds"):
        written(Wire((503, {}, {"Retry-After": "3600"})), sleeps)


@pytest.mark.parametrize(
    ("fault", "words"),
    [(503, "HTTP 503"), (429, "HTTP 429"), (REFUSED, "no connection .ConnectError"), ([], "cannot be read")],
    ids=str,
)
def test_what_does_not_pass_ends_in_one_sentence(fault: Any, words: str) -> None:
    wire = Wire(*[fault] * ATTEMPTS)
    with pytest.raises(ModelError, match=f"did not answer, {ATTEMPTS} times: .*{words}") as refused:
        written(wire)
    assert len(wire.asked) == ATTEMPTS
    assert_private(refused.value)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, SettingsError, "refuses our key"), (403, SettingsError, "refuses our key"), (302, ModelError, "HTTP 302"),
        (400, ModelError, "refuses the request .HTTP 400"), (413, ModelError, "HTTP 413"),
        (422, ModelError, "HTTP 422"),
    ],
)  # fmt: skip
def test_what_trying_again_cannot_help_is_said_at_once(status: int, kind: type[TwinError], words: str) -> None:
    wire = Wire((status, {"error": {"message": SECRET}}, {"Location": "http://elsewhere.example/"}))
    with pytest.raises(kind, match=words) as refused:
        written(wire)
    assert len(wire.asked) == 1
    assert_private(refused.value)


def test_a_silence_is_not_waited_through_twice() -> None:
    wire = Wire(httpx.ReadTimeout("x"))
    with pytest.raises(ModelError, match="said nothing for 60 seconds") as refused:
        written(wire)
    assert len(wire.asked) == 1
    assert_private(refused.value)


def test_whole_answers_are_tried_again_in_the_same_way() -> None:
    sleeps = Sleeps()
    with client(Wire(REFUSED, 503, (200, {"data": []})), sleeps) as made:
        assert made.get("/models").value == {"data": []}
    assert sleeps.seconds == [0.5, 1]
    with client(Wire((400, "no json"))) as made:
        assert made.post("/x", {}).status == 400
    with client(Wire((301, {}))) as made, pytest.raises(ModelError, match="HTTP 301"):
        made.get("/models")


def test_the_key_is_sent_and_a_key_that_is_none_is_refused_unseen() -> None:
    wire = Wire((200, {}))
    with client(wire) as made:
        made.get("/models")
    assert wire.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    for key in (f"{KEY}\nX-Other: 1", "ключ"):
        with pytest.raises(SettingsError) as refused:
            RemoteClient(URL, key, 60)
        assert KEY not in str(refused.value) and "ключ" not in str(refused.value)


def test_the_breaker_opens_fails_at_once_and_closes_after_a_trial() -> None:
    clock = Clock()
    circuit = Circuit(ATTEMPTS, 30.0, clock)
    wire = Wire(*[503] * ATTEMPTS, WHOLE)
    with client(wire, circuit=circuit) as made:
        with pytest.raises(ModelError, match="did not answer"):
            ask(made)
        assert circuit.state == "open"
        with pytest.raises(ModelError, match=r"failed 4 times in a row .* tried again in 30 seconds"):
            ask(made)
        assert len(wire.asked) == ATTEMPTS, "nobody asked while it was open"
        clock.now += 30
        assert ask(made).text == "yeah ok"
        assert circuit.state == "closed" and circuit.failures == 0


def test_the_breaker_opens_in_the_middle_of_tries_too() -> None:
    sleeps = Sleeps()
    wire = Wire(503, 503, 503)
    with pytest.raises(ModelError, match="in a row"):
        written(wire, sleeps, circuit=Circuit(2, 30.0, Clock()))
    assert len(wire.asked) == 2


def test_a_server_that_is_busy_or_refuses_is_no_failure_and_a_silent_or_broken_one_is() -> None:
    for outcome, failures in (
        ((429, {}, {"Retry-After": "3600"}), 0), (400, 0), (401, 0), (404, 0), (httpx.ReadTimeout("x"), 2),
        ([said("yeah")], 2),
    ):  # fmt: skip
        circuit = Circuit(5, 30.0, Clock())
        circuit.fail()
        with pytest.raises((TwinError, NoSuchModel)):
            written(Wire(outcome), circuit=circuit)
        assert circuit.failures == failures, outcome


def test_a_text_that_is_complete_or_not_wanted_has_its_stream_closed(eventually: Any) -> None:
    for request, cancel_after in (
        (Request((1,), Reply(), is_complete=lambda text: text == "yeah ok"), 99),
        (Request((1,), Reply()), 2),
    ):
        wire = Wire([said("yeah"), said(" ok"), anyio.sleep_forever])
        told: list[str] = []
        with client(wire) as made:
            call = RemoteCall(made, "other", "base", lambda _, text, told=told: told.append(text))
            call.begin(request, {})
            (found,) = call.finish(lambda told=told, after=cancel_after: len(told) >= after, lambda: None)
            assert found.text == "yeah ok" and found.ended == ("turn" if cancel_after == 99 else "cancelled")
            eventually(lambda wire=wire: wire.closed == 1)
            assert made.circuit.state == "closed" and made.circuit.failures == 0


def test_a_text_nobody_wants_is_let_go_of_while_the_server_is_silent() -> None:
    with client(Wire([anyio.sleep_forever])) as made:
        call = RemoteCall(made, "other", "base", lambda _, __: None)
        call.begin(Request((1,), Reply()), {})
        asked: list[int] = []
        (found,) = call.finish(lambda: asked.append(1) or len(asked) > 3, lambda: None)
        assert (found.text, found.ended, found.count) == ("", "cancelled", 0)


def test_many_threads_share_a_client() -> None:
    wire = Wire(*[WHOLE] * 24)
    found: list[str] = []
    with client(wire) as made:
        threads = [threading.Thread(target=lambda: found.append(ask(made).text)) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == ["yeah ok"] * 24


def test_signs_that_only_look_like_ends_of_lines_are_text() -> None:
    odd = "a\u2028b\u0085c\x0b d"
    assert written(Wire([": ping\n\n", said(odd), "\r\n", said("!", "stop"), DONE])).text == odd + "!"


def assert_private(error: BaseException) -> None:
    shown = str(error)
    assert KEY not in shown and SECRET not in shown and shown.endswith(".")

"""A stand-in for an OpenAI-compatible address: checks what it is asked, answers by a function, breaks when told to.

A real HTTP server in a thread of this process, on 127.0.0.1 and a port of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.http_stand_in import JsonHandler, listening

MODEL = "stand-in"
KEY = "invented-key-0000"


@dataclass
class StandIn:
    """What it was asked, and how it answers.

    Attributes:
        reply: what to answer to a request's messages.
        faults: what to do instead, one a request: an HTTP status, (status, Retry-After), "garbage", "hang", "drop".
        asked: the messages of every request that was answered, in order.
        wrong: what was wrong about requests, as OpenAI's interface has it.
    """

    reply: Callable[[list[dict[str, str]]], str] = lambda messages: f"re: {messages[-1]['content']}"
    faults: deque[Any] = field(default_factory=deque)
    finish: str = "stop"
    usage: bool = True
    asked: list[list[dict[str, str]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    requests: int = 0
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The settings section `teacher` that leads here."""
        return {"url": self.url, "model": MODEL} | more

    def environment(self, **more: Any) -> dict[str, str]:
        """The same as variables."""
        return {f"TWIN_TEACHER__{name.upper()}": str(value) for name, value in self.settings(**more).items()}


@contextmanager
def stand_in(**how: Any) -> Iterator[StandIn]:
    """A running one; gone at the end."""
    state = StandIn(**how)
    with listening(_Handler, state) as state.url:
        yield state


class _Handler(JsonHandler):
    state: StandIn

    def do_POST(self) -> None:
        body = self.read()
        self.state.requests += 1
        self.state.wrong += _faults_of(self.path, dict(self.headers), body)
        fault = self.state.faults.popleft() if self.state.faults else None
        if fault == "hang":
            self.state.closing.wait(60)
            self.close_connection = True
        elif fault == "drop":
            self.close_connection = True
        elif fault == "garbage":
            self.answer(200, "<html>welcome</html>")
        elif fault is not None:
            status, wait = fault if isinstance(fault, tuple) else (fault, None)
            self.answer(status, {"error": {"message": "no"}}, {"Retry-After": wait} if wait is not None else {})
        else:
            self.answer(200, _answer(self.state, json.loads(body)["messages"]))


def _answer(state: StandIn, messages: list[dict[str, str]]) -> dict[str, Any]:
    state.asked.append(messages)
    text = state.reply(messages)
    answer: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": state.finish},
        ],
    }
    if state.usage:
        answer["usage"] = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return answer


def _faults_of(path: str, headers: dict[str, str], body: bytes) -> list[str]:
    """What a chat completion request must have."""
    value = json.loads(body)
    messages = value.get("messages")
    checks = {
        "path": path == "/v1/chat/completions",
        "content type": headers.get("Content-Type") == "application/json",
        "key": headers.get("Authorization") == f"Bearer {KEY}",
        "model": value.get("model") == MODEL,
        "no stream": not value.get("stream"),
        "messages": bool(messages) and all(set(m) == {"role", "content"} and m["content"] for m in messages or ()),
        "roles": all(m["role"] in ("system", "user", "assistant") for m in messages or ()),
        "ends with the user": bool(messages) and messages[-1]["role"] == "user",
        "known fields": set(value) <= {"model", "messages", "max_completion_tokens"},
    }
    return [name for name, is_so in checks.items() if not is_so]

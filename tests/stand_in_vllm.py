"""A stand-in for vLLM's server: its models, completions and LoRA endpoints as vLLM documents them, faults on demand.

A real HTTP server in a thread of this process, on 127.0.0.1 and a port of its own. What it writes is scripted, or
written by real models: an engine for each model that it serves. After vllm/entrypoints/openai/models/serving.py and
completion/protocol.py.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from inference.engine import Request
from inference.local import LocalEngine
from tests.http_stand_in import JsonHandler, listening
from twin.sections import Reply

KEY = "invented-key-0000"
BASE = "tiny"
_FIELDS = {"model", "prompt", "max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stream", "logprobs"}
_FIELDS |= {"stream_options", "repetition_penalty", "stop_token_ids", "skip_special_tokens", "add_special_tokens"}
_FIELDS |= {"spaces_between_special_tokens", "return_token_ids", "return_tokens_as_token_ids"}
Script = Callable[[dict[str, Any]], Sequence[str]]


@dataclass
class StandInVllm:
    """What it has, what it was asked, and how it fails.

    Attributes:
        script: the pieces of the text that it writes to a request, one token each, if no engine writes.
        engine_of: makes the engine of an adapter's folder, None for the base model's; none: scripted.
        loads: whether it was started with VLLM_ALLOW_RUNTIME_LORA_UPDATING.
        faults: what to do to requests for texts instead, one each: an HTTP status, (status, Retry-After), "drop",
            "html", "hang", "error", "half", "silent half", "no end", "other model".
        held: as long as it is set, a text is not written beyond its first piece.
    """

    script: Script = lambda body: ["yeah", " ok"]
    engine_of: Callable[[Path | None], LocalEngine] | None = None
    loads: bool = True
    max_lora_rank: int = 16
    max_model_len: int | None = 2048
    tokens: Callable[[str], list[int]] | None = None
    names: tuple[str, ...] = (BASE,)
    owner: str = "vllm"
    faults: deque[Any] = field(default_factory=deque)
    loaded: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    closed_on: list[str] = field(default_factory=list)
    url: str = ""
    held: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    engines: dict[str, LocalEngine] = field(default_factory=dict)
    writers: list[threading.Thread] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def environment(self, **more: Any) -> dict[str, str]:
        """Variables that make this the engine."""
        values = {"KIND": "remote", "URL": self.url, "MODEL": BASE} | {name.upper(): more[name] for name in more}
        return {"TWIN_REMOTE_KEY": KEY} | {f"TWIN_ENGINE__{name}": str(value) for name, value in values.items()}

    def bodies(self, path: str = "/v1/completions") -> list[dict[str, Any]]:
        """What was asked there, in order."""
        return [body for at, body in self.asked if at == path]

    def engine(self, model: str) -> LocalEngine:
        """Who writes for a model; of an adapter loaded under this name."""
        with self.lock:
            if model not in self.engines:
                assert self.engine_of is not None
                self.engines[model] = self.engine_of(Path(self.loaded[model]) if model in self.loaded else None)
            return self.engines[model]


@contextmanager
def stand_in_vllm(**how: Any) -> Iterator[StandInVllm]:
    """A running one; gone at the end."""
    state = StandInVllm(**how)
    try:
        with listening(_Handler, state) as state.url:
            yield state
    finally:
        with state.lock:
            writers = [*state.writers]
        for writer in writers:  # a text that nobody waits for any more ends soon, and before its engine
            writer.join()
        for engine in state.engines.values():
            engine.close()


class _Faulty(Exception):
    """The connection is to be closed as it is."""


class _Handler(JsonHandler):
    state: StandInVllm

    def do_GET(self) -> None:
        self.state.asked.append((self.path, {}))
        if self.path == "/v1/models" and self.is_allowed():
            self.answer(200, {"object": "list", "data": _cards(self.state)})
        elif self.path != "/v1/models":
            self.answer(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.read())
        self.state.asked.append((self.path, body))
        if self.path == "/tokenize":
            told = {"tokens": self.state.tokens(body["prompt"])} if self.state.tokens else {"detail": "Not Found"}
            self.answer(200 if self.state.tokens else 404, told)
        elif not self.is_allowed():
            return
        elif self.path == "/v1/completions":
            self.complete(body)
        elif self.state.loads and self.path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter"):
            self.answer(*(_load if self.path.startswith("/v1/load") else _unload)(self.state, body))
        else:
            self.answer(404, {"detail": "Not Found"})

    def is_allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        self.answer(401, {"error": "Unauthorized"})
        return False

    def complete(self, body: dict[str, Any]) -> None:
        self.state.wrong += sorted(set(body) - _FIELDS)
        fault = self.state.faults.popleft() if self.state.faults else None
        if isinstance(fault, int | tuple):
            status, wait = fault if isinstance(fault, tuple) else (fault, None)
            error = {"error": {"message": "no", "type": "Error", "param": None, "code": status}}
            self.answer(status, error, {"Retry-After": wait} if wait is not None else {})
        elif fault == "html":
            self.answer(200, "<html>welcome</html>", {"Content-Type": "text/html"})
        elif fault == "drop":
            self.close_connection = True
        elif fault == "hang":
            self.state.closing.wait(60)
            self.close_connection = True
        elif body["model"] not in {*self.state.names, *self.state.loaded}:
            self.answer(404, _error(f"The model `{body['model']}` does not exist.", "NotFoundError", 404))
        elif body.get("stream"):
            self.stream(body, fault)
        else:
            self.answer(200, _whole(self.state, body))

    def stream(self, body: dict[str, Any], fault: str | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        try:
            count, ended = 0, ["length"]
            for text in _pieces(self.state, body, self, ended):
                model = "another" if fault == "other model" else body["model"]
                if fault == "error":
                    self.event(_error("out of memory", "InternalServerError", 500))
                    return
                count += 1
                self.event(_chunk(model, text, None))
                if fault == "half":
                    return
                if fault == "silent half":
                    self.state.closing.wait(60)
                    return
            if fault == "no end":
                return
            self.event(_chunk(body["model"], "", ended[0]))
            if (body.get("stream_options") or {}).get("include_usage"):
                self.event({**_chunk(body["model"], "", None), "choices": [], "usage": {"completion_tokens": count}})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.state.closed_on.append(body["model"])

    def event(self, value: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n")
        self.wfile.flush()

    def is_gone(self) -> bool:
        """Whether the client closed the connection."""
        import select

        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable)


def _cards(state: StandInVllm) -> list[dict[str, Any]]:
    cards = [
        {"id": name, "object": "model", "owned_by": state.owner, "root": name, "parent": None,
         "max_model_len": state.max_model_len}
        for name in state.names
    ]  # fmt: skip
    return cards + [
        {"id": name, "object": "model", "owned_by": state.owner, "root": path, "parent": state.names[0]}
        for name, path in state.loaded.items()
    ]


def _error(message: str, kind: str, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _load(state: StandInVllm, body: dict[str, Any]) -> tuple[int, Any]:
    name, path = body["lora_name"], body["lora_path"]
    if not name or not path:
        return 400, _error("Both 'lora_name' and 'lora_path' must be provided.", "InvalidUserInput", 400)
    if name in state.loaded:
        return 400, _error(f"The lora adapter '{name}' has already been loaded.", "InvalidUserInput", 400)
    try:
        rank = json.loads((Path(path) / "adapter_config.json").read_text())["r"]
    except OSError:
        return 404, _error(f"Loading lora {name} failed: No adapter found for {path}", "NotFoundError", 404)
    if rank > state.max_lora_rank:
        message = f"LoRA rank {rank} is greater than max_lora_rank {state.max_lora_rank}."
        return 500, _error(message, "InternalServerError", 500)
    if (Path(path) / "adapter_model.safetensors").read_bytes()[8:9] != b"{":
        return 500, _error("Error while deserializing header", "InternalServerError", 500)
    state.loaded[name] = path
    return 200, f"Success: LoRA adapter '{name}' added successfully."


def _unload(state: StandInVllm, body: dict[str, Any]) -> tuple[int, Any]:
    name = body["lora_name"]
    if name not in state.loaded:
        return 404, _error(f"The lora adapter '{name}' cannot be found.", "NotFoundError", 404)
    del state.loaded[name]
    return 200, f"Success: LoRA adapter '{name}' removed successfully."


def _chunk(model: str, text: str, why: str | None) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": why, "stop_reason": None}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": model, "choices": [choice]}


def _pieces(state: StandInVllm, body: dict[str, Any], handler: Any, ended: list[str]) -> Iterator[str]:
    """Each piece; `ended` holds afterwards why there is no more."""
    if state.engine_of is None:
        pieces = state.script(body)[: body["max_tokens"]]
        ended[0] = "stop" if len(pieces) < body["max_tokens"] else "length"
        for text in pieces:
            yield text
            while state.held.is_set() and not state.closing.wait(0.02):
                if handler.is_gone():
                    raise BrokenPipeError
        return
    told: SimpleQueue[str | None] = SimpleQueue()
    request = Request(tuple(body["prompt"]), _how(body), body["seed"])
    is_over = threading.Event()

    def write() -> None:
        try:
            (written,) = state.engine(body["model"]).write(
                [request],
                lambda _, text: told.put(text),
                lambda: is_over.is_set() or state.closing.is_set() or handler.is_gone(),
            )
            ended[0] = "length" if written.ended == "length" else "stop"
        finally:
            told.put(None)

    thread = threading.Thread(target=write)
    with state.lock:
        if state.closing.is_set():
            return
        thread.start()
        state.writers.append(thread)
    try:
        while (text := told.get()) is not None:
            yield text
    finally:
        is_over.set()
        thread.join()


def _how(body: dict[str, Any]) -> Reply:
    names = ("temperature", "top_p", "top_k", "min_p", "max_tokens", "repetition_penalty")
    return Reply(**{name: body[name] for name in names})


def _whole(state: StandInVllm, body: dict[str, Any]) -> dict[str, Any]:
    """An answer to a probe: the likeliest next tokens."""
    if state.engine_of is None:
        seed = sum(body["model"].encode())
        found = {token: -1.0 - token / 100 - seed / 10_000 for token in range(32)}
    else:
        found = dict(state.engine(body["model"]).probe())
    best = sorted(found, key=lambda token: -found[token])[: body.get("logprobs") or 0]
    top = {f"token_id:{token}": found[token] for token in best}
    answer = _chunk(body["model"], "x", "length")
    answer["choices"][0]["logprobs"] = {"top_logprobs": [top]}
    prompt = body["prompt"]
    answer["usage"] = {"prompt_tokens": len(state.tokens(prompt)) if state.tokens and isinstance(prompt, str) else 1}
    return answer

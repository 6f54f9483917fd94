"""One llama.cpp server in this process: a GGUF model, one adapter or none, slots that write at the same time.

Knows nothing of tokenizers, versions or prompts' meaning: token ids go in, pieces of text come out.

`xllamacpp` starts an HTTP server with every model. It is given a socket file in a folder that is gone once it listens,
and a random key, so nobody can ask it anything; all requests go through memory.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.errors import ModelError

_BATCH = 512  # so many tokens of a prompt are read between two looks at whether it is still wanted
_CACHE_MIB = 256  # prompts of chats whose slot another one took
_SILENT = -1
_LONGEST_SOCKET = 100  # the kernel takes 107 characters, macOS 103

OnAnswer = Callable[[Mapping[str, Any]], bool]
"""Told each part of an answer; True ends the request there."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a server makes room for.

    Attributes:
        slots: texts written at the same time.
        context: tokens of one text, prompt included.
        threads: of the CPU.
        has_gpu: whether to look how much of the model fits on a graphics card.
    """

    slots: int
    context: int
    threads: int
    has_gpu: bool = False


class LlamaServer:
    """A loaded model; any thread may ask. Its memory is free once `close` was called and all requests are over.

    Raises:
        RuntimeError: llama.cpp cannot load the model or the adapter.
    """

    def __init__(self, model: Path, adapter: Path | None, shape: Shape) -> None:
        import xllamacpp

        with tempfile.TemporaryDirectory(prefix="twin-") as unreachable:
            params = _params(model, adapter, shape)
            socket = Path(unreachable) / "llama.sock"
            if len(str(socket)) <= _LONGEST_SOCKET:
                params.hostnames = [str(socket)]
            self._server: Any = xllamacpp.Server(params)
        self.metrics()  # waits for its loop: one that is told to end before it began never ends (xllamacpp 2026.10)

    def ask(self, request: Mapping[str, Any], on_answer: OnAnswer = lambda _: False) -> None:
        """Put a completion request and wait for its end.

        Args:
            request: as llama.cpp's `POST /v1/completions` takes it.

        Raises:
            ModelError: llama.cpp refuses it, or fails.
            Exception: what `on_answer` raised; the request is ended then.
        """
        server = self._server
        if server is None:
            raise ModelError("The model was released", "try again once it is loaded")
        problems: list[Exception] = []

        def told(part: Mapping[str, Any]) -> bool:
            try:
                if "error" in part:
                    raise _refused(part["error"])
                return on_answer(part)
            except Exception as error:  # noqa: BLE001 - raised again below; the C++ between would swallow it
                problems.append(error)
                return True

        server.handle_completions(dict(request), told)
        if problems:
            raise problems[0]

    def metrics(self) -> dict[str, float]:
        """llama.cpp's own counters and gauges: `requests_processing`, `n_decode_total` ..., without their prefix."""
        lines = (line for line in self._server.handle_metrics().splitlines() if line and not line.startswith("#"))
        return {name.removeprefix("llamacpp:"): float(value) for name, value in (line.split()[:2] for line in lines)}

    def close(self) -> None:
        """Let go of the model; requests under way end first."""
        self._server = None


def _params(model: Path, adapter: Path | None, shape: Shape) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_parallel = shape.slots
    params.n_ctx = shape.slots * shape.context
    params.n_batch = params.n_ubatch = _BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = shape.threads
    params.n_threads_http = 1
    params.fit_params = shape.has_gpu
    params.swa_full = True  # any beginning can be taken up again; windows are about as long as contexts here
    params.cache_ram_mib = _CACHE_MIB
    params.special = True  # templates' marks are looked for in the text
    params.warmup = False
    params.ui = False
    params.endpoint_slots = False  # nobody could ask, and they tell prompts
    params.endpoint_metrics = True
    params.api_keys = [secrets.token_urlsafe(32)]
    params.verbosity = _SILENT
    if adapter is not None:
        lora = xllamacpp.CommonAdapterLoraInfo()
        lora.path, lora.scale = str(adapter), 1.0
        params.lora_adapters = [lora]
    return params


def _refused(error: Mapping[str, Any]) -> ModelError:
    """Never with llama.cpp's own message, which may hold a prompt."""
    kind = str(error.get("type", "unknown"))
    if kind == "exceed_context_size_error":
        return ModelError("The prompt is longer than the model was given room for", "lower dataset.context_tokens")
    return ModelError(f"llama.cpp refused a request ({kind})", 'set engine.kind to "local", and tell us')

"""The llama.cpp engine: a GGUF base with an adapter as GGUF, in this process, without torch.

Knows nothing of chats, prompts or who promotes; ids go in, text comes out.

llama.cpp fixes adapters when a server is made, so every version has a server of its own, made beside the one that
serves; the base model's pages in memory are shared by all. What a text was worth to the model is not told.
"""

from __future__ import annotations

import math
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inference.engine import EngineTokenizer, OnText, Request, Written, refuse_other_tokenizer
from inference.file_tokenizer import FileTokenizer
from inference.gguf_adapter import write_gguf
from inference.llamacpp.base import gguf_base
from inference.llamacpp.limits import refuse_adapter, unable
from inference.llamacpp.server import LlamaServer, Shape
from inference.llamacpp.text import Text, asked
from inference.machine import cores, has_gpu
from inference.model_folder import fingerprint, locate
from twin.errors import AdapterError, ModelError, SettingsError
from twin.manifest import BaseIdentity, Manifest
from twin.settings import Settings

_PROBED = range(3, 19)  # any tokens that every vocabulary has
_LIKELIEST = 32
_CERTAIN = 1000  # logits
_LOOK_SECONDS = 0.05
_SPARE_TOKENS = 16
_FINGERPRINTS = "tokenizers.json"


class LlamaCppEngine:
    """Fulfils `Engine` with llama.cpp.

    Args:
        model: the base model as GGUF; folder: the same as transformers reads it.
        shape: of the server of the bare base model.
    """

    kind = "llamacpp"

    def __init__(
        self,
        model: Path,
        folder: Path,
        tokenizer: FileTokenizer,
        identity: BaseIdentity,
        shape: Shape,
    ) -> None:
        self._model = model
        self._folder = folder
        self._files = tokenizer
        self._shape = shape
        self._serving: str | None = None
        self._servers: dict[str | None, LlamaServer] = {}
        self._servers_lock = threading.Lock()
        self._threads = ThreadPoolExecutor(shape.slots, thread_name_prefix="llamacpp")
        self._running: set[Future[None]] = set()
        self.tokenizer: EngineTokenizer = tokenizer
        self.identity = identity
        self.resume()

    @classmethod
    def open(cls, settings: Settings) -> LlamaCppEngine:
        """Load what the settings name.

        Raises:
            SettingsError: llama.cpp is not installed, or a setting asks for what it cannot do.
            ModelError: the base model or its GGUF is missing, damaged, or one is not the other.
        """
        if why := unable(settings):
            raise SettingsError(*why)
        folder = locate(settings)
        print_ = fingerprint(folder)
        tokenizer = FileTokenizer(folder, settings.cache / _FINGERPRINTS)
        model = gguf_base(settings, folder, lambda: tokenizer.backend.get_vocab(with_added_tokens=True), print_)
        engine = settings.engine
        shape = Shape(
            slots=engine.at_once,
            context=settings.dataset.context_tokens + _SPARE_TOKENS,
            threads=engine.threads or cores(),
            has_gpu=has_gpu(),
        )
        identity = BaseIdentity(settings.base.model, print_, settings.base.quantization)
        return cls(model, folder, tokenizer, identity, shape)

    def prepare(self, version: str, folder: Path, manifest: Manifest) -> None:
        """See Engine."""
        refuse_adapter(version, manifest)
        self._use_tokenizer_of(manifest)
        shape = Shape(
            self._shape.slots,
            max(self._shape.context, manifest.prompt.context_tokens + _SPARE_TOKENS),
            self._shape.threads,
            self._shape.has_gpu,
        )
        try:
            # a folder that the registry sweeps should this process be killed; llama.cpp reads the file once
            with tempfile.TemporaryDirectory(prefix=f".incoming-{os.getpid()}-", dir=folder.parent) as private:
                file = Path(private) / "adapter.gguf"
                write_gguf(folder, self._folder, file)
                server = LlamaServer(self._model, file, shape)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise AdapterError(
                f"The adapter {version} cannot be loaded by llama.cpp ({type(error).__name__})",
                'promote another version, or set engine.kind to "local"',
            ) from error
        self._put(version, server)

    def use(self, version: str | None) -> None:
        """See Engine."""
        if version is None and None not in self._servers:
            self._put(None, self._bare())
        elif version not in self._servers:
            raise AdapterError(f"The adapter {version} was not prepared", "promote it again")
        self._serving = version

    def drop(self, version: str) -> None:
        """See Engine."""
        self._put(version, None)

    def probe(self) -> Mapping[int, float]:
        """See Engine."""
        found: dict[int, float] = {}

        def told(part: Mapping[str, Any]) -> bool:
            for token in part["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
                value = token["logprob"]
                found[int(token["id"])] = math.nan if value is None else float(value)
            return True

        # probabilities are told of whole characters only, and are the model's own whatever a bias makes of them
        (whole,) = self.tokenizer.encode(["a"], special=False)
        request = {
            "prompt": [*self.tokenizer.bos, *_PROBED],
            "n_predict": 1,
            "temperature": 0,
            "n_probs": _LIKELIEST,
            "cache_prompt": False,
            "logit_bias": [[whole[-1], _CERTAIN]],
        }
        self._servers[self._serving].ask(request, told)
        return found

    def write(
        self,
        requests: Sequence[Request],
        on_text: OnText = lambda _, __: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Written]:
        """See Engine. What was cancelled while its prompt is read returns at once; llama.cpp stops within 512 tokens.

        Raises:
            SettingsError: llama.cpp cannot sample in that way.
        """
        wanted = [asked(request) for request in requests]
        if self._serving is not None:
            self._put(None, None)  # the swap was proven: nobody goes back to the bare base model
        server = self._servers[self._serving]
        texts = [
            Text(place, request, self._end_texts(), on_text, is_cancelled) for place, request in enumerate(requests)
        ]
        running = {
            self._threads.submit(server.ask, ask, text.told): text for ask, text in zip(wanted, texts, strict=True)
        }
        for future in running:
            self._running.add(future)
            future.add_done_callback(self._running.discard)
        try:
            self._wait(running, is_cancelled)
        finally:
            for text in texts:
                text.is_over = True
            for future in running:
                future.cancel()  # what waits for a slot; the rest ends at its next piece
        for future in running:
            if future.done() and not future.cancelled():
                future.result()
        return [text.written() for text in texts]

    def release(self) -> None:
        """See Engine."""
        wait(set(self._running))
        with self._servers_lock:
            for server in self._servers.values():
                server.close()
            self._servers.clear()
        self._serving = None

    def resume(self) -> None:
        """See Engine."""
        self._put(None, self._bare())

    def close(self) -> None:
        """See Engine."""
        self.release()
        self._threads.shutdown()

    def metrics(self) -> dict[str, float]:
        """Of the server that writes; see LlamaServer."""
        return self._servers[self._serving].metrics()

    def _bare(self) -> LlamaServer:
        try:
            return LlamaServer(self._model, None, self._shape)
        except RuntimeError as error:
            raise ModelError(
                f"llama.cpp cannot load {self._model.name}",
                'check the file and the free memory, or set engine.kind to "local"',
            ) from error

    def _put(self, version: str | None, server: LlamaServer | None) -> None:
        """Make a server the one of a version, or none; the one before frees its memory."""
        with self._servers_lock:
            before = self._servers.pop(version, None)
            if server is not None:
                self._servers[version] = server
        if before is not None:
            before.close()

    def _use_tokenizer_of(self, manifest: Manifest) -> None:
        """Encode as the adapter learned to. transformers changes some tokenizers while it loads them."""
        wanted, known = manifest.prompt.tokenizer, (self.tokenizer.fingerprint, self._files.fingerprint)
        if wanted == self._files.fingerprint:
            self.tokenizer = self._files
        if wanted not in known and find_spec("transformers") is not None:
            from inference.tokenizer import BaseTokenizer

            other = BaseTokenizer(self._folder)
            if other.fingerprint == wanted:
                self.tokenizer = other
                return
        refuse_other_tokenizer(manifest, *known)

    def _end_texts(self) -> tuple[str, ...]:
        ends = (*self._files.ends, self._files.pad)
        return tuple(text for token in ends if (text := self._files.backend.id_to_token(token)))

    def _wait(self, running: Mapping[Future[None], Text], is_cancelled: Callable[[], bool]) -> None:
        left: set[Future[None]] = set(running)
        while left:
            done, left = wait(left, _LOOK_SECONDS)
            if any(future.exception() for future in done) or is_cancelled():
                return

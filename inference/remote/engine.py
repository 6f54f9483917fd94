"""The remote engine: texts written by an OpenAI-compatible server (vLLM, llama.cpp's, text-generation-inference).

Knows nothing of conversations, and holds no weights: of the base model it needs the tokenizer and the fingerprint.

Prompts are ours (contract 2), so `/completions` is asked, never `/chat/completions`. A text that broke off in its
middle fails: to begin it anew would say it twice, and to go on from there with another seed would make it another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.engine import OnText, Request, Written, refuse_other_tokenizer
from inference.remote.adapters import RemoteAdapters, is_name_of_version, name_of
from inference.remote.call import RemoteCall
from inference.remote.circuit import Circuit
from inference.remote.client import RemoteClient
from inference.remote.dialects import Kind, body, likeliest, probe
from inference.remote.prompt_text import PromptText
from inference.tokenizer import BaseTokenizer
from twin.errors import ModelError
from twin.manifest import BaseIdentity, Manifest
from twin.settings import Settings

_PROBED = range(3, 19)  # any tokens that every vocabulary has


@dataclass(frozen=True, slots=True)
class Server:
    """Who answers.

    Attributes:
        kind: whose server it is.
        base: what its base model is called there; a version's own name where it serves nothing but that one.
    """

    kind: Kind
    base: str


class RemoteEngine:
    """Fulfils `Engine` with a server elsewhere; see inference/remote/opening.py for how one is opened.

    Args:
        as_text: spells prompts out for servers that take no ids.
    """

    kind = "remote"

    def __init__(
        self,
        client: RemoteClient,
        server: Server,
        adapters: RemoteAdapters,
        tokenizer: BaseTokenizer,
        identity: BaseIdentity,
        as_text: PromptText | None = None,
    ) -> None:
        self._client = client
        self._server = server
        self._adapters = adapters
        self._as_text = as_text
        self._folders: dict[str, tuple[Path, Manifest]] = {}
        self._serving: str | None = None
        self._loading = threading.Lock()
        self.tokenizer: BaseTokenizer = tokenizer
        self.identity: BaseIdentity = identity

    @classmethod
    def open(cls, settings: Settings) -> RemoteEngine:
        """The server that the settings name, if it answers and fits.

        Raises:
            SettingsError: a setting is missing or wrong, or the server refuses the key.
            ModelError: the server does not answer, or serves another model.
        """
        from inference.remote.opening import open_engine

        return open_engine(settings)

    @property
    def circuit(self) -> Circuit:
        """The breaker before the server; its state and failures are for whoever watches."""
        return self._client.circuit

    def prepare(self, version: str, folder: Path, manifest: Manifest) -> None:
        """See Engine. That the server does not answer is no fault of the adapter, and raises ModelError."""
        refuse_other_tokenizer(manifest, self.tokenizer.fingerprint)
        self._adapters.load(folder, manifest)
        self._folders[version] = (folder, manifest)

    def use(self, version: str | None) -> None:
        """See Engine."""
        self._serving = version

    def drop(self, version: str) -> None:
        """See Engine."""
        if (found := self._folders.pop(version, None)) is not None:
            self._adapters.unload(name_of(found[1]))

    def probe(self) -> Mapping[int, float]:
        """See Engine. Nothing where the server cannot tell (text-generation-inference), or has no bare base model."""
        if self._server.kind == "tgi" or (self._serving is None and is_name_of_version(self._server.base)):
            return {}
        prompt = [*self.tokenizer.bos, *_PROBED]
        ((whole, *_),) = self.tokenizer.encode(["a"], special=False)
        asked = probe(self._server.kind, self._model(), prompt, whole)
        answer = self._client.post("/completions", asked)
        if answer.status == 404 and self._serving is not None:
            self._load_again()
            answer = self._client.post("/completions", asked)
        try:
            return likeliest(answer.value)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ModelError(
                f"The remote server at {self._client.place} tells no probabilities (HTTP {answer.status})",
                "see the server's own log",
            ) from error

    def write(
        self,
        requests: Sequence[Request],
        on_text: OnText = lambda _, __: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Written]:
        """See Engine. All callbacks are called in the thread that asks."""
        model = self._model()
        call = RemoteCall(self._client, self._server.kind, model, on_text)
        bodies = [self._body(model, request) for request in requests]
        for request, asked in zip(requests, bodies, strict=True):
            call.begin(request, asked)
        return call.finish(is_cancelled, self._load_again)

    def release(self) -> None:
        """See Engine. There is no memory here to free."""

    def resume(self) -> None:
        """See Engine."""

    def close(self) -> None:
        """See Engine. What is loaded there stays: others may use it."""
        self._client.close()

    def _model(self) -> str:
        """What is to be asked for.

        Raises:
            ModelError: the server has no bare base model.
        """
        if self._serving is not None:
            return name_of(self._folders[self._serving][1])
        if is_name_of_version(self._server.base):
            raise ModelError(
                f"The remote server has nothing but {self._server.base}, which does not serve",
                "promote that version, or set engine.model to a base model there",
            )
        return self._server.base

    def _body(self, model: str, request: Request) -> dict[str, Any]:
        prompt = list(request.prompt) if self._as_text is None else self._as_text(request.prompt)
        return body(self._server.kind, model, prompt, request.how, request.seed, self.tokenizer.ends)

    def _load_again(self) -> None:
        """The server forgot what serves: it was started anew, or somebody else let go of it."""
        with self._loading:
            if self._serving is not None:
                self._adapters.load(*self._folders[self._serving])

"""Versions on a server: loaded through vLLM's endpoints, or found there under the name that only they can have.

Knows nothing of replies or of who promotes. A version's name there ends in digits of its weights' checksum, so that no
other home's version, and none that was made anew, can be met under it.

https://docs.vllm.ai/en/latest/features/lora/#dynamically-serving-lora-adapters
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any, Protocol

from inference.remote.client import Answer, RemoteClient
from inference.remote.dialects import served
from twin.errors import AdapterError, ModelError, SettingsError, TwinError
from twin.manifest import Manifest

_DIGITS = 12
_NAME = re.compile(rf"twin-.+-[0-9a-f]{{{_DIGITS}}}")
_START = "start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
log = logging.getLogger(__name__)


def name_of(manifest: Manifest) -> str:
    """What a version is called on servers."""
    return f"twin-{manifest.version}-{manifest.files['adapter_model.safetensors']['sha256'][:_DIGITS]}"


def is_name_of_version(model: str) -> bool:
    """Whether a model's name is one that `name_of` gives."""
    return _NAME.fullmatch(model) is not None


class RemoteAdapters(Protocol):
    """How versions get to a server."""

    def load(self, folder: Path, manifest: Manifest) -> str:
        """Have a version there; loading it again changes nothing.

        Returns:
            its name there.

        Raises:
            AdapterError: it cannot be had there.
            ModelError: the server does not answer.
        """

    def unload(self, name: str) -> None:
        """Let go of it; that this fails is only logged."""


class VllmAdapters:
    """Loads versions into a running vLLM, which sees the adapters' folder too.

    Args:
        folder_there: where it sees it; None: where it is here.
    """

    def __init__(self, client: RemoteClient, folder_there: str | None) -> None:
        self._client = client
        self._there = folder_there.rstrip("/") if folder_there else None

    def check(self) -> None:
        """See that the endpoints are there: a request without names is refused by them, and unknown without them.

        Raises:
            SettingsError: they are not.
        """
        answer = self._client.post("/load_lora_adapter", {"lora_name": "", "lora_path": ""})
        if answer.status in (404, 405, 501):
            raise SettingsError(
                f"The remote server at {self._client.place} loads no adapters",
                f'{_START}, or set engine.adapters = "none"',
            )

    def load(self, folder: Path, manifest: Manifest) -> str:
        """See RemoteAdapters."""
        lora = _refuse_kinds(folder, manifest)
        name = name_of(manifest)
        there = f"{self._there}/{folder.name}" if self._there else str(folder)
        answer = self._client.post("/load_lora_adapter", {"lora_name": name, "lora_path": there})
        if answer.status != 200 and not (answer.status == 400 and self._has(name)):
            raise _not_loaded(answer, manifest.version, there, int(lora.get("r") or 0))
        return name

    def unload(self, name: str) -> None:
        """See RemoteAdapters."""
        try:
            answer = self._client.post("/unload_lora_adapter", {"lora_name": name})
        except TwinError as error:
            log.warning("%s is still loaded: %s", name, error)
            return
        if answer.status not in (200, 404):
            log.warning("%s could not be unloaded from the remote server (HTTP %d)", name, answer.status)

    def _has(self, name: str) -> bool:
        return any(model.name == name for model in models_of(self._client)[0])


class ServedVersions:
    """For servers that load nothing: a version is there if a model of its name is; merged, for instance."""

    def __init__(self, client: RemoteClient) -> None:
        self._client = client

    def load(self, folder: Path, manifest: Manifest) -> str:
        """See RemoteAdapters."""
        name = name_of(manifest)
        if all(model.name != name for model in models_of(self._client)[0]):
            raise AdapterError(
                f"The remote server has no model called {name}, which would be the version {manifest.version}",
                f"write it with `twin adapters merge OUT --version {manifest.version}` and serve that under this name,"
                ' or set engine.adapters = "vllm" with a vLLM that loads adapters',
            )
        return name

    def unload(self, name: str) -> None:
        """Nothing: it was not loaded either."""


def models_of(client: RemoteClient) -> Any:
    """What a server lists; see `inference.remote.dialects.served`.

    Raises:
        SettingsError: there is no such API at the address.
        ModelError: it does not answer.
    """
    answer = client.get("/models")
    if answer.status == 200:
        try:
            return served(answer.value)
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
    raise SettingsError(
        f"There is no OpenAI-compatible API at {client.place} (HTTP {answer.status})",
        "check engine.url, which ends in /v1 for most servers",
    )


def _refuse_kinds(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """The adapter's configuration, if vLLM can load such adapters at all."""
    version = manifest.version
    if manifest.lora.get("init") == "loftq":
        raise AdapterError(
            f"The adapter {version} corrects what NF4 lost of the base model; elsewhere that is not lost",
            'train one with train.init = "default", or serve what `twin adapters merge` writes',
        )
    try:
        lora: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text())
    except (OSError, ValueError) as error:
        raise AdapterError(f"The adapter {version} cannot be read", "promote another version, or retrain") from error
    for key, kind in (
        ("use_dora", "DoRA"),
        ("trainable_token_indices", "trained rows of the vocabulary"),
        ("modules_to_save", "whole trained layers"),
    ):
        if lora.get(key):
            raise AdapterError(
                f"The adapter {version} has {kind}, which vLLM cannot load",
                "train a plain LoRA for it, or serve what `twin adapters merge` writes",
            )
    return lora


def _not_loaded(answer: Answer, version: str, there: str, rank: int) -> TwinError:
    """Why, as far as it can be told; what the server says is not shown, for it may hold anything."""
    told = json.dumps(answer.value) if answer.value is not None else ""
    if answer.status == 404 and "No adapter found" not in told and "NotFoundError" not in told:
        return ModelError("The remote server loads no adapters any more", _START)
    if answer.status == 404 or "No adapter found" in told:
        return AdapterError(
            f"The remote server sees no adapter {version} in {there}",
            "let it see the adapters' folder at the same place, or set engine.adapters_path to where it does",
        )
    if "max_lora_rank" in told:
        return AdapterError(
            f"The adapter {version} has rank {rank}, which is more than the remote server takes",
            f"start vLLM with --max-lora-rank {rank}",
        )
    return AdapterError(
        f"The remote server cannot load the adapter {version} (HTTP {answer.status})",
        "see the server's own log, and whether its base model is base.model",
    )

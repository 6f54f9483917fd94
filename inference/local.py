"""The local engine: transformers + peft, base and adapters in this process.

Knows nothing of chats, prompts or who promotes; ids go in, text comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, PeftModelForCausalLM
from safetensors import SafetensorError

from inference.base_model import LoadedBase, load_base
from inference.decoding import Decoder
from inference.engine import OnText, Request, Written, refuse_other_tokenizer
from inference.reranking import log_probs
from inference.sharing import SharedDecoder
from inference.tokenizer import BaseTokenizer
from inference.vocabulary import has_rows, rows_in, use_rows
from twin.errors import AdapterError
from twin.manifest import BaseIdentity, Manifest
from twin.settings import Settings

_PROBED = range(3, 19)  # any tokens that every vocabulary has
_LIKELIEST = 32


class LocalEngine:
    """Fulfils `Engine` with a base model in memory and adapters on top, unmerged.

    Every version is loaded under its own name, beside the one that serves.

    Args:
        load: loads the base model again after `release`; None if it is somebody else's and is never released.
    """

    kind = "local"

    def __init__(self, base: LoadedBase, load: Callable[[], LoadedBase] | None = None, at_once: int = 16) -> None:
        self._base: LoadedBase | None = base
        self._load = load
        self._at_once = at_once
        self._model: Any = base.model
        self._serving: str | None = None
        self._folders: dict[str, Path] = {}
        self.tokenizer: BaseTokenizer = base.tokenizer
        self.identity: BaseIdentity = base.identity
        self._shared = SharedDecoder(self._new_decoder())

    @classmethod
    def open(cls, settings: Settings) -> LocalEngine:
        """Load what the settings name.

        Raises:
            ModelError: the base model is missing or does not fit this machine.
        """

        def load() -> LoadedBase:
            return load_base(settings)

        return cls(load(), load, settings.engine.at_once)

    @property
    def decoder(self) -> Decoder:
        """What writes with the version that serves; not to be touched while anybody writes."""
        return self._shared.decoder

    def prepare(self, version: str, folder: Path, manifest: Manifest) -> None:
        """See Engine."""
        refuse_other_tokenizer(manifest, self.tokenizer.fingerprint)
        self._folders[version] = folder
        if self._loaded() and has_rows(self._model) != _has_own_rows(folder):
            return  # peft 0.21 wants rows of every adapter or of none: `use` makes room for it first
        with self._shared.between_steps():
            self._put_beside(version)

    def use(self, version: str | None) -> None:
        """See Engine."""
        if version is not None and version not in self._loaded():
            self._use_alone(version)
        elif isinstance(self._model, PeftModel):
            self._activate(version)
        self._serving = version
        self._shared.replace(self._new_decoder())

    def drop(self, version: str) -> None:
        """See Engine."""
        self._folders.pop(version, None)
        if version not in self._loaded():
            return
        with self._shared.between_steps():
            if len(self._loaded()) == 1:
                self._unload()
            else:
                self._delete(version)

    @torch.inference_mode()
    def probe(self) -> Mapping[int, float]:
        """See Engine."""
        ids = torch.tensor([[*self.tokenizer.bos, *_PROBED, *self.tokenizer.marks]], device=self._model.device)
        scores = self._model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[0, -1].float().log_softmax(-1)
        best, places = scores.nan_to_num(nan=torch.inf).topk(min(_LIKELIEST, len(scores)))
        return dict(zip(places.tolist(), torch.where(best.isinf(), torch.nan, best).tolist(), strict=True))

    def write(
        self,
        requests: Sequence[Request],
        on_text: OnText = lambda _, __: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Written]:
        """See Engine. Any number of threads' texts are written together, `engine.at_once` at a time."""
        return self._shared.write(requests, on_text, is_cancelled)

    def log_probs(self, opening: Sequence[int], replies: Sequence[Sequence[int]]) -> list[float]:
        """See `inference.reranking.Scorer`."""
        with self._shared.between_steps():
            return log_probs(self._model, opening, replies)

    def release(self) -> None:
        """See Engine."""
        assert self._load is not None, "somebody else's model"
        self._free()

    def resume(self) -> None:
        """See Engine."""
        assert self._load is not None, "somebody else's model"
        self._base = self._load()
        self._model = self._base.model
        self._shared.replace(self._new_decoder())

    def close(self) -> None:
        """See Engine."""
        self._free()

    def _new_decoder(self) -> Decoder:
        """One that has read nothing with other weights."""
        return Decoder(self._model, self.tokenizer, most_rows=self._at_once)

    def _loaded(self) -> list[str]:
        return list(self._model.peft_config) if isinstance(self._model, PeftModel) else []

    def _put_beside(self, version: str) -> None:
        folder = self._folders[version]
        try:
            if not isinstance(self._model, PeftModel):
                config = PeftConfig.from_pretrained(folder)
                config.inference_mode = True
                self._model = PeftModelForCausalLM(self._model, config, adapter_name=version)
            self._model.load_adapter(folder, adapter_name=version, is_trainable=False)
            self._model.eval()
            self._activate(self._serving)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            self._forget_half(version)
            raise AdapterError(
                f"The adapter {version} cannot be loaded ({type(error).__name__})",
                "promote another version, or retrain",
            ) from error

    def _forget_half(self, version: str) -> None:
        self._folders.pop(version, None)
        if self._loaded() == [version]:
            self._unload()
        elif version in self._loaded():
            self._delete(version)

    def _delete(self, version: str) -> None:
        """Drop one of several; peft wants another one to be active then, though none may serve."""
        self._activate(self._serving or next(name for name in self._loaded() if name != version))
        self._model.delete_adapter(version)
        self._activate(self._serving)

    def _activate(self, version: str | None) -> None:
        if version is None:
            self._model.base_model.disable_adapter_layers()
            return
        self._model.base_model.enable_adapter_layers()
        self._model.set_adapter(version)
        use_rows(self._model)

    def _use_alone(self, version: str) -> None:
        """Load a version that cannot stand beside the others; they go, and come back if it cannot be loaded."""
        before, serving = [name for name in self._loaded() if name != version], self._serving
        self._serving = None
        self._unload()
        try:
            self._put_beside(version)
        except AdapterError:
            for name in before:
                self._put_beside(name)
            self._serving = serving
            self._activate(serving)
            raise
        self._activate(version)

    def _unload(self) -> None:
        self._model = self._model.unload() if isinstance(self._model, PeftModel) else self._model
        if self._serving is None:
            self._shared.replace(self._new_decoder())

    def _free(self) -> None:
        self._model = self._serving = None
        if self._base is not None:
            self._base.model = None
        self._base = None
        self._folders.clear()
        self._shared.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _has_own_rows(folder: Path) -> bool:
    try:
        return bool(rows_in(folder))
    except (OSError, ValueError):
        return False  # whoever loads it says what is wrong with it

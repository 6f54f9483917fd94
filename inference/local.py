"""The local engine: transformers + peft, base and adapter in this process.

Knows nothing of chats or users; a conversation comes in, bubbles go out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import StoppingCriteria, StoppingCriteriaList

from inference.base_model import BaseTokenizer, LoadedBase, load_base
from inference.generator import TwinReply
from twin.errors import AdapterError
from twin.language import of_owner
from twin.messages import Conversation
from twin.prompt import PromptSpec, encode_prompt, read_reply, reply_is_complete
from twin.registry import Registry
from twin.sections import Reply
from twin.settings import Settings
from twin.store import Store

_BATCH = 8
_ATTEMPTS = 3
log = logging.getLogger(__name__)


class LocalGenerator:
    """Fulfils `Generator` with a base model in memory and the promoted adapter on top, unmerged.

    Every version is loaded under its own name and the previous one is dropped only when the new one is in
    place, so a reply is never written by half an adapter.
    """

    def __init__(self, base: LoadedBase, registry: Registry, sampling: Reply, bare: PromptSpec) -> None:
        self._base = base
        self._registry = registry
        self._sampling = sampling
        self._bare = bare.for_tokenizer(base.tokenizer.fingerprint)
        self._model: Any = base.model
        self._spec = self._bare
        self._adapter: str | None = None
        self._refused: dict[str, str] = {}
        self._store: Store | None = None

    @classmethod
    def open(cls, settings: Settings) -> LocalGenerator:
        """Load what the settings name and the promoted adapter.

        Raises:
            ModelError: the base model is missing or does not fit this machine.
        """
        store = Store.of(settings)
        bare = PromptSpec.of(settings, of_owner(store.db, settings))
        generator = cls(load_base(settings), Registry(settings.adapters, store.db), settings.reply, bare)
        generator._store = store
        generator.refresh()
        return generator

    @property
    def adapter(self) -> str | None:
        """See Generator."""
        return self._adapter

    @property
    def refused(self) -> str | None:
        """See Generator."""
        promoted = self._registry.current()
        return self._refused.get(promoted) if promoted is not None else None

    @property
    def prompt(self) -> PromptSpec:
        """See Generator."""
        return self._spec

    def refresh(self) -> None:
        """See Generator. A version that was withdrawn, and that none follows, stops serving."""
        candidates = self._registry.candidates()
        for version in candidates:
            if version == self._adapter:
                return
            if version in self._refused:
                continue
            try:
                self._swap(version)
                return
            except AdapterError as error:
                self._refused[version] = str(error)
                log.warning("%s", error)
            if self._adapter in candidates:
                return  # what serves keeps serving
        if self._adapter is not None:
            self._drop_adapters(keep=None)

    def use(self, version: str | None) -> None:
        """Serve a certain version, or the bare base model, whatever is promoted.

        Raises:
            AdapterError: it does not verify or belongs to another base model.
        """
        if version is None:
            self._drop_adapters(keep=None)
        elif version != self._adapter:
            self._swap(version)

    def seed(self, seed: int) -> None:
        """Make sampling repeatable from here on."""
        torch.manual_seed(seed)

    def reply(self, conversation: Conversation) -> TwinReply:
        """See Generator."""
        return self.replies([conversation])[0]

    def replies(self, conversations: Sequence[Conversation]) -> list[TwinReply]:
        """See Generator. Contexts of similar length share a batch; an empty answer is tried again."""
        self.refresh()
        return self.generate(conversations)

    def generate(self, conversations: Sequence[Conversation]) -> list[TwinReply]:
        """As `replies`, with what serves now."""
        room = min(self._sampling.max_tokens, self._spec.context_tokens // 2)
        prompts = [encode_prompt(self._spec, self._base.tokenizer, asked, room) for asked in conversations]
        answers: list[tuple[str, ...]] = [()] * len(prompts)
        for _ in range(1 if self._sampling.temperature == 0 else _ATTEMPTS):
            open_ = sorted((i for i, found in enumerate(answers) if not found), key=lambda i: len(prompts[i]))
            for start in range(0, len(open_), _BATCH):
                part = open_[start : start + _BATCH]
                for place, text in zip(part, self._complete([prompts[i] for i in part]), strict=True):
                    answers[place] = read_reply(self._spec, text)
        return [TwinReply(bubbles, self._adapter) for bubbles in answers]

    def close(self) -> None:
        """See Generator."""
        self._model = self._base.model = None
        if self._store is not None:
            self._store.close()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _complete(self, prompts: list[list[int]]) -> list[str]:
        tokenizer, device = self._base.tokenizer, self._base.device
        width = max(map(len, prompts))
        ids = torch.tensor([[tokenizer.pad] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        how = self._sampling
        sampled = (
            {"do_sample": True, "temperature": how.temperature, "top_p": how.top_p, "top_k": 0}
            if how.temperature > 0
            else {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        )
        out = self._model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=how.max_tokens,
            repetition_penalty=how.repetition_penalty,
            eos_token_id=tokenizer.eos,
            pad_token_id=tokenizer.pad,
            stopping_criteria=StoppingCriteriaList([_EndOfTurn(self._spec, tokenizer, width)]),
            **sampled,
        )
        return [tokenizer.decode(row) for row in out[:, width:].tolist()]

    def _swap(self, version: str) -> None:
        manifest = self._registry.verify(version, self._base.identity)
        if manifest.prompt.tokenizer != self._base.tokenizer.fingerprint:
            raise AdapterError(f"The adapter {version} was trained with another tokenizer", "retrain with `twin train`")
        folder = self._registry.path(version)
        try:
            if isinstance(self._model, PeftModel):
                self._model.load_adapter(folder, adapter_name=version, is_trainable=False)
            else:
                self._model = PeftModel.from_pretrained(self._base.model, folder, adapter_name=version)
            self._model.set_adapter(version)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            self._drop_adapters(keep=self._adapter)
            raise AdapterError(
                f"The adapter {version} cannot be loaded ({type(error).__name__})",
                "promote another version, or retrain",
            ) from error
        self._drop_adapters(keep=version)
        self._model.eval()
        self._spec, self._adapter = manifest.prompt, version

    def _drop_adapters(self, keep: str | None) -> None:
        if not isinstance(self._model, PeftModel):
            return
        if keep is None:
            self._model = self._model.unload()
            self._spec, self._adapter = self._bare, None
            return
        self._model.set_adapter(keep)
        for name in [name for name in self._model.peft_config if name != keep]:
            self._model.delete_adapter(name)


class _EndOfTurn(StoppingCriteria):  # type: ignore[misc]
    """Stops a sequence when its text has reached the end of the owner's turn."""

    def __init__(self, spec: PromptSpec, tokenizer: BaseTokenizer, prompt_width: int) -> None:
        self._spec = spec
        self._tokenizer = tokenizer
        self._start = prompt_width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        done = [
            reply_is_complete(self._spec, self._tokenizer.decode(row)) for row in input_ids[:, self._start :].tolist()
        ]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)

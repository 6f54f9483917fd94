"""The local engine: transformers + peft, base and adapter in this process.

Knows nothing of chats or users; a conversation comes in, bubbles go out.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError

from inference.base_model import LoadedBase, load_base
from inference.decoding import Decoder, Request, Written
from inference.generator import TwinReply
from inference.reranking import fitting_best
from inference.vocabulary import has_rows, rows_in, use_rows
from twin.errors import AdapterError
from twin.language import of_owner
from twin.messages import Conversation
from twin.prompt import PromptSpec, encode_prompt, read_reply, reply_is_complete
from twin.registry import Registry
from twin.sections import Reply
from twin.settings import Settings
from twin.store import Store

_ATTEMPTS = 3
_SEEDS = 2**63 - 1
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
        self._bare = bare.bound_to(base.tokenizer)
        self._model: Any = base.model
        self._spec = self._bare
        self._adapter: str | None = None
        self._refused: dict[str, str] = {}
        self._store: Store | None = None
        self._random = torch.Generator()
        self._random.seed()
        self._decoder = self._new_decoder()

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
        self._random.manual_seed(seed)

    def reply(self, conversation: Conversation) -> TwinReply:
        """See Generator."""
        return self.replies([conversation])[0]

    def replies(self, conversations: Sequence[Conversation]) -> list[TwinReply]:
        """See Generator."""
        self.refresh()
        return self.answer(conversations)

    def generate(self, conversations: Sequence[Conversation]) -> list[TwinReply]:
        """As `replies`, with what serves now."""
        return self.answer(conversations)

    def answer(
        self,
        conversations: Sequence[Conversation],
        sampling: Reply | None = None,
        seed: int | None = None,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> list[TwinReply]:
        """Answer conversations with what serves now; an empty answer is tried again.

        Args:
            sampling: instead of the settings'.
            seed: with the same one, a conversation at the same place gets the same answer. Default: another each time.
            on_progress: told the share of replies that are written, in [0, 1].
        """
        how = sampling or self._sampling
        first = int(torch.randint(_SEEDS, (), generator=self._random)) if seed is None else seed
        room = min(how.max_tokens, self._spec.context_tokens // 2)
        prompts = [tuple(encode_prompt(self._spec, self._base.tokenizer, asked, room)) for asked in conversations]
        answers: list[tuple[str, ...]] = [()] * len(prompts)
        for attempt in range(1 if how.temperature == 0 else _ATTEMPTS):
            open_ = [place for place, found in enumerate(answers) if not found]
            requests = [
                Request(prompts[place], how, _seed(first, attempt, place, candidate))
                for place in open_
                for candidate in range(how.candidates if how.temperature else 1)
            ]
            written = self._write(requests, on_progress if not attempt else lambda _: None)
            each = len(requests) // len(open_) if open_ else 0
            for number, place in enumerate(open_):
                answers[place] = self._best(written[number * each : (number + 1) * each], how, conversations[place])
        return [TwinReply(bubbles, self._adapter) for bubbles in answers]

    def close(self) -> None:
        """See Generator."""
        self._model = self._base.model = self._decoder = None
        if self._store is not None:
            self._store.close()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _write(self, requests: Sequence[Request], on_progress: Callable[[float], None]) -> list[Written]:
        done = 0

        def count(_: int) -> None:
            nonlocal done
            done += 1
            on_progress(done / len(requests))

        written: list[Written] = self._decoder.run(requests, on_reply=count)
        return written

    def _best(self, written: Sequence[Written], how: Reply, conversation: Conversation) -> tuple[str, ...]:
        """The bubbles of the one that fits this conversation best; none when all are empty."""
        said = [reply for reply in written if read_reply(self._spec, reply.text)]
        if len(said) > 1:
            nothing = replace(conversation, turns=(), at=None, previous_at=None)
            opening = encode_prompt(self._spec, self._base.tokenizer, nothing, how.max_tokens)
            said = [fitting_best(self._model, opening, said, how.rerank_weight)]
        return read_reply(self._spec, said[0].text) if said else ()

    def _new_decoder(self) -> Any:
        """One that has read nothing with other weights."""
        return Decoder(self._model, self._base.tokenizer, partial(reply_is_complete, self._spec))

    def _swap(self, version: str) -> None:
        manifest = self._registry.verify(version, self._base.identity)
        if manifest.prompt.tokenizer != self._base.tokenizer.fingerprint:
            raise AdapterError(
                f"The adapter {version} was trained with another tokenizer",
                "retrain with `twin train`, or set base.chatml_tokens as it was then",
            )
        folder = self._registry.path(version)
        try:
            if has_rows(self._model) and not rows_in(folder):
                self._drop_adapters(keep=None)  # peft 0.21 wants rows of every adapter once one had some
            if isinstance(self._model, PeftModel):
                self._model.load_adapter(folder, adapter_name=version, is_trainable=False)
            else:
                self._model = PeftModel.from_pretrained(self._base.model, folder, adapter_name=version)
            self._model.set_adapter(version)
            use_rows(self._model)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            self._drop_adapters(keep=self._adapter)
            raise AdapterError(
                f"The adapter {version} cannot be loaded ({type(error).__name__})",
                "promote another version, or retrain",
            ) from error
        self._drop_adapters(keep=version)
        self._model.eval()
        self._spec, self._adapter = manifest.prompt, version
        self._decoder = self._new_decoder()

    def _drop_adapters(self, keep: str | None) -> None:
        if not isinstance(self._model, PeftModel):
            return
        if keep is None:
            self._model = self._model.unload()
            self._spec, self._adapter = self._bare, None
            self._decoder = self._new_decoder()
            return
        self._model.set_adapter(keep)
        for name in [name for name in self._model.peft_config if name != keep]:
            self._model.delete_adapter(name)


def _seed(*numbers: int) -> int:
    """A seed of its own for every attempt, place and candidate of one run."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8]) >> 1

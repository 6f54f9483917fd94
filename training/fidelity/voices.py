"""A base model in memory that speaks, and is read, as one version of the twin after another.

Knows nothing of measures, nor of what a report holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inference.answering import Answering
from inference.base_model import LoadedBase, load_base
from inference.local import LocalEngine
from training.fidelity.material import Bubbles, Context
from training.fidelity.systems import OnShare
from training.fidelity.trees import Reader
from twin.messages import Conversation
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.settings import Settings


class Voices:
    """One base model and its adapters. Not thread-safe; `close` frees it.

    Args:
        settings: of which the base model and how replies are sampled count: the report is of what is deployed.
        language: of placeholders, for the base model without an adapter.

    Raises:
        ModelError: the base model is missing or does not fit this machine.
    """

    def __init__(self, settings: Settings, registry: Registry, language: str, base: LoadedBase | None = None) -> None:
        self._how = settings.reply
        self._registry = registry
        self.base = base or load_base(settings)
        self.bare = PromptSpec.of(settings, language).bound_to(self.base.tokenizer)
        self._generator = Answering(LocalEngine(self.base), registry, settings.reply, self.bare)

    def speak(self, version: str | None, contexts: Sequence[Context], seed: int, on_share: OnShare) -> list[Bubbles]:
        """A reply of a version, or of the bare base model, to each context; the same with the same seed.

        Raises:
            AdapterError: there is no such version, or it is damaged or of another base model.
        """
        return self.answer(version, [context.conversation for context in contexts], seed, on_share)

    def answer(
        self,
        version: str | None,
        asked: Sequence[Conversation],
        seed: int,
        on_share: OnShare = lambda _: None,
    ) -> list[Bubbles]:
        """The same for conversations of any kind."""
        self._generator.use(version)
        return _answer(self._generator, asked, seed, on_share)

    def speak_as(self, spec: PromptSpec, contexts: Sequence[Context], seed: int, on_share: OnShare) -> list[Bubbles]:
        """The base model's replies under another system text, which does not count towards the budget."""
        self._generator.use(None)
        (head,) = self.base.tokenizer.encode([spec.system], special=True)
        roomy = replace(spec, context_tokens=spec.context_tokens + len(head))
        other = Answering(LocalEngine(self.base), self._registry, self._how, roomy)
        return _answer(other, [context.conversation for context in contexts], seed, on_share)

    def folder(self, version: str) -> Path:
        """Where a version's files are.

        Raises:
            AdapterError: there is no such version.
        """
        return self._registry.path(version)

    def read(self, version: str | None) -> Reader:
        """The model as a version, or bare, until something else is asked of it.

        Raises:
            AdapterError: there is no such version, or it is damaged or of another base model.
        """
        self._generator.use(version)
        return Reader(self.base.model, self._generator.prompt, self.base.tokenizer, self.base.device)

    def close(self) -> None:
        """Free the model."""
        self._generator.close()


def _answer(generator: Answering, asked: Sequence[Conversation], seed: int, on_share: OnShare) -> list[Bubbles]:
    return [reply.bubbles for reply in generator.answer(asked, seed=seed, on_progress=on_share)]

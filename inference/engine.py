"""Engine: the Protocol of what runs a model: text after a prompt, by one version at a time.

Knows nothing of conversations, bubbles, guards or of who promotes: `inference.answering` is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from twin.errors import AdapterError
from twin.manifest import Manifest
from twin.prompt import Framed
from twin.registry import BaseIdentity
from twin.sections import Reply
from twin.tokens import Tokenizer

OnText = Callable[[int, str], None]
"""Told a request's place and the text that is new, which may be empty. Must return at once; any thread may call it."""


def _never_complete(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Request:
    """A text that is wanted.

    Attributes:
        prompt: the ids after which it begins; at least one.
        how: sampling, and the most tokens.
        seed: of its own randomness; the same seed gives the same text.
        is_complete: whether a text has reached its end; asked after every token.
    """

    prompt: tuple[int, ...]
    how: Reply
    seed: int = 0
    is_complete: Callable[[str], bool] = _never_complete


@dataclass(frozen=True, slots=True)
class Written:
    """A text as the model wrote it.

    Attributes:
        ids: all tokens, those that end the turn included; a remote engine may not tell them.
        text: what they read, up to the end of the sequence.
        log_prob: natural logarithm of their joint probability in the model itself, at temperature 1; NaN if unknown.
        ended: why it ended: the text was complete, there was no more room, or somebody cancelled it.
        count: how many tokens it is.
    """

    ids: tuple[int, ...]
    text: str
    log_prob: float
    ended: Literal["turn", "length", "cancelled"]
    count: int = 0


class EngineTokenizer(Tokenizer, Framed, Protocol):
    """What prompts are made with: text to ids, and the model's own chat template."""


def refuse_other_tokenizer(manifest: Manifest, *fingerprints: str) -> None:
    """Raises AdapterError for an adapter that learned to read with none of these tokenizers."""
    if manifest.prompt.tokenizer not in fingerprints:
        raise AdapterError(
            f"The adapter {manifest.version} was trained with another tokenizer",
            "retrain with `twin train`, or bring that base model back, or set base.chatml_tokens as it was then",
        )


class Engine(Protocol):
    """Runs one base model with one adapter, or none, on top.

    `write` may be called by several threads at once. `prepare` may be called while others write; `use`, `probe`,
    `release`, `resume` and `close` only while nobody does: `inference.answering` sees to that.
    """

    @property
    def kind(self) -> str:
        """Which one it is, as `engine.kind` names them."""

    @property
    def tokenizer(self) -> EngineTokenizer:
        """The base model's."""

    @property
    def identity(self) -> BaseIdentity:
        """What adapters must have been trained on."""

    def prepare(self, version: str, folder: Path, manifest: Manifest) -> None:
        """Load an adapter beside the one that serves: all of a swap that takes time.

        Raises:
            AdapterError: it cannot be loaded; nothing is left of it.
        """

    def use(self, version: str | None) -> None:
        """Write with a version that was prepared, or that served until now, or with the bare base model.

        What was kept of earlier prompts is forgotten; the version that served until now stays at hand until `drop`.
        """

    def drop(self, version: str) -> None:
        """Forget a version that does not serve."""

    def probe(self) -> Mapping[int, float]:
        """Log-probabilities of some next tokens (at least the likeliest ten) after a fixed prompt, as what serves
        computes them: two versions that give the same are the same."""

    def write(
        self,
        requests: Sequence[Request],
        on_text: OnText = lambda _, __: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Written]:
        """Write texts, together with those of other threads; returns them in the order of their requests.

        Raises:
            ModelError: the model failed, or does not answer.
        """

    def release(self) -> None:
        """Free the memory; only `resume` and `close` may follow."""

    def resume(self) -> None:
        """Be as before `release`.

        Raises:
            ModelError: there is no room any more.
        """

    def close(self) -> None:
        """Free everything."""

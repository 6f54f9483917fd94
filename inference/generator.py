"""Generator: the Protocol every engine fulfils, and what goes in and comes out.

Knows nothing of engines; they are imported only when one is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from twin.messages import Conversation
from twin.prompt import PromptSpec
from twin.settings import Settings

DAY0 = "day0"
"""The "version" of replies that are taken from the owner's past: see inference/day0.py."""


@dataclass(frozen=True, slots=True)
class TwinReply:
    """One answer in the owner's style.

    Attributes:
        bubbles: messages to send, in order; empty when the model had nothing to say.
        adapter: version that wrote it, None for the bare base model, DAY0 for the owner themselves in the past.
    """

    bubbles: tuple[str, ...]
    adapter: str | None


class Generator(Protocol):
    """Answers conversations. Not thread-safe: build, use and close it in one thread."""

    @property
    def adapter(self) -> str | None:
        """The version that would answer now."""

    @property
    def refused(self) -> str | None:
        """Why the promoted version does not serve although it should, as one sentence; None when it does."""

    @property
    def prompt(self) -> PromptSpec:
        """How what would answer now was taught to read conversations: its placeholders' language, what it is told."""

    def refresh(self) -> None:
        """Swap to the promoted adapter if another one serves; a bad one is refused and the old one stays."""

    def reply(self, conversation: Conversation) -> TwinReply:
        """Answer one conversation; looks for a newly promoted adapter before."""

    def replies(self, conversations: Sequence[Conversation]) -> list[TwinReply]:
        """Answer several conversations, in their order, at least as fast as one by one."""

    def close(self) -> None:
        """Free the model."""


def build_generator(settings: Settings) -> Generator:
    """The engine that the settings ask for.

    Raises:
        ModelError: the base model is missing or does not fit this machine.
    """
    from inference.local import LocalGenerator

    return LocalGenerator.open(settings)

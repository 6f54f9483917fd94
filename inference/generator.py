"""Generator: the Protocol of whatever answers as the twin, and what goes in and comes out.

Knows nothing of engines; they are imported only when one is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from twin.messages import Conversation
from twin.prompt import PromptSpec
from twin.sections import Reply
from twin.settings import Settings

BASE = "base"
"""The "version" to wish for that is none: the bare base model."""
DAY0 = "day0"
"""The "version" of replies that are taken from the owner's past: see inference/day0.py."""

Ended = Literal["turn", "length", "stopped", "cancelled"]
"""Why a reply ended: the model ended its turn, there was no more room, one of the asker's own stops came up, or
somebody cancelled it."""


def _unheard(_: str) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class TwinReply:
    """One answer in the owner's style.

    Attributes:
        bubbles: messages to send, in order; empty when the model had nothing to say.
        adapter: version that wrote it, None for the bare base model, DAY0 for the owner themselves in the past.
        ended: why it ended.
        prompt_tokens, tokens: how many tokens were read and written for it.
        caught: what the guard kept back on the way, by kind (see inference/guard.py), in the order it was caught.
    """

    bubbles: tuple[str, ...]
    adapter: str | None
    ended: Ended = "turn"
    prompt_tokens: int = 0
    tokens: int = 0
    caught: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """How one reply is wanted.

    Attributes:
        how: sampling instead of the settings'.
        seed: with the same one, the same version gives the same reply. Default: another each time.
        version: which adapter is to answer, or BASE; default: the one that serves.
        stops: the reply ends before the first of these texts.
        on_begin: told which version is to write, before its first bubble; for BASE it is None.
        on_bubble: told each bubble as soon as it is whole and may be said, in their order; together they are the reply.
            Called from any thread, and must return at once.
        is_cancelled: asked all the time; once true, the reply ends where it is.
    """

    how: Reply | None = None
    seed: int | None = None
    version: str | None = None
    stops: tuple[str, ...] = ()
    on_begin: Callable[[str | None], None] = lambda _: None
    on_bubble: Callable[[str], None] = _unheard
    is_cancelled: Callable[[], bool] = lambda: False

    @property
    def is_heard(self) -> bool:
        """Whether somebody is told bubbles before the reply is whole; what they were told cannot be taken back."""
        return self.on_bubble is not _unheard


ANYHOW = Wish()


class Generator(Protocol):
    """Answers conversations, several at once: any thread may call anything. Whoever built it closes it."""

    @property
    def adapter(self) -> str | None:
        """The version that would answer now, whichever may be writing for somebody who wished for it."""

    @property
    def refused(self) -> str | None:
        """Why the promoted version does not serve although it should, as one sentence; None when it does."""

    @property
    def prompt(self) -> PromptSpec:
        """How what would answer now was taught to read conversations: its placeholders' language, what it is told."""

    def refresh(self) -> None:
        """Swap to the promoted adapter if another one serves; a bad one is refused and the old one stays."""

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        """Answer one conversation; looks for a newly promoted adapter before.

        Raises:
            AdapterError: the version wished for does not exist, is damaged or does not fit the base model.
            ModelError: the engine failed, or does not answer.
        """

    def replies(self, conversations: Sequence[Conversation], wish: Wish = ANYHOW) -> list[TwinReply]:
        """Answer several conversations, in their order, at least as fast as one by one; with the same wish, whose seed
        gives each its own."""

    def release(self) -> None:
        """Free the memory, the GPU's above all, once the replies under way are done; replies then wait."""

    def resume(self) -> None:
        """Take it back; what waited is answered."""

    def close(self) -> None:
        """Free the model for good."""


def build_generator(settings: Settings) -> Generator:
    """The engine that the settings ask for, with the guard before it.

    Raises:
        ModelError: the base model is missing or does not fit this machine.
        SettingsError: the engine asked for is not installed, or lacks a setting.
    """
    from inference.building import build

    return build(settings)

"""The nouns of a conversation: Message, Bubble, Turn, Session. All frozen.

Knows nothing of where messages come from or what is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Speaker = Literal["owner", "other"]


@dataclass(frozen=True, slots=True)
class Message:
    """One Telegram message; `(chat_id, message_id)` is its identity.

    Attributes:
        sent_at: aware UTC time.
        sender_id: Telegram user id; None for deleted accounts.
        is_owner: whether the owner of this twin sent it.
        text: plain text, or a caption; empty when there is only media.
        media: kind of media ("photo", "sticker", "voice_message" ...), None for text.
        media_note: what a placeholder can tell: a sticker's emoji, a length in seconds.
        entities: Telegram's formatting entities as compact JSON, None when all is plain.
    """

    chat_id: int
    message_id: int
    sent_at: datetime
    sender_id: int | None
    is_owner: bool
    text: str
    reply_to: int | None = None
    forwarded_from: str | None = None
    via_bot: str | None = None
    edited_at: datetime | None = None
    media: str | None = None
    media_note: str | None = None
    entities: str | None = None


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message as it stands in a conversation.

    Attributes:
        text: what is shown: the words, or a placeholder such as "[photo]".
        authored: whether these are the speaker's own words (not a forward, a bot's, or media).
    """

    text: str
    authored: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's whole run of bubbles, oldest first; times are aware UTC."""

    speaker: Speaker
    bubbles: tuple[Bubble, ...]
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_supervisable(self) -> bool:
        """Whether the owner's own words are in it: only such turns teach the twin."""
        return self.speaker == "owner" and any(bubble.authored for bubble in self.bubbles)

    @property
    def characters(self) -> int:
        """Length of the authored words in characters, and one more for the end of every authored bubble."""
        return sum(len(bubble.text) + 1 for bubble in self.bubbles if bubble.authored)

    @classmethod
    def of(cls, speaker: Speaker, texts: Iterable[str]) -> Turn:
        """A turn of plain authored bubbles without times, as live chats and scripts have them."""
        return cls(speaker, tuple(Bubble(text) for text in texts))


@dataclass(frozen=True, slots=True)
class Session:
    """Turns of one dialog without a long silence between them, oldest first, speakers alternating."""

    chat_id: int
    turns: tuple[Turn, ...]

    @property
    def supervisable_turns(self) -> int:
        """How many turns teach the twin."""
        return sum(turn.is_supervisable for turn in self.turns)

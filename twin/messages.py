"""The nouns of a conversation: Message, Bubble, Turn, Peer, Session, Conversation. All frozen.

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
        reactions: compact JSON, a list of {"emoji", "by_owner", "by_other"} sorted by emoji; None when there are none.
        first_text: what it said before its first edit that was seen; None when no other text is known. The store works
            it out: of sources only our own exports tell it.
        deleted_at: when it was seen to be deleted, aware UTC; as `first_text`.
        first_edited_at: when `first_text` itself had been edited; None when it was as it was sent.
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
    reactions: str | None = None
    first_text: str | None = None
    deleted_at: datetime | None = None
    first_edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """The other person of a dialog, as far as a prompt may tell.

    Attributes:
        name: what the owner's contacts, or they themselves, call them; None for nobody in particular.
        relation: what they are to the owner ("friend"); None when the owner did not say.
    """

    name: str | None = None
    relation: str | None = None


NOBODY = Peer()
"""Nobody in particular."""


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
    """One speaker's whole run of bubbles, oldest first; times are aware UTC.

    Attributes:
        withheld: why an owner turn is context only although it holds the owner's words ("secret", "repeated" ...);
            None when it may teach the twin.
    """

    speaker: Speaker
    bubbles: tuple[Bubble, ...]
    started_at: datetime | None = None
    ended_at: datetime | None = None
    withheld: str | None = None

    @property
    def is_authored(self) -> bool:
        """Whether the owner's own words are in it."""
        return self.speaker == "owner" and any(bubble.authored for bubble in self.bubbles)

    @property
    def is_supervisable(self) -> bool:
        """Whether it teaches the twin: the owner's own words, and no reason to withhold them."""
        return self.is_authored and self.withheld is None

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
    """Turns of one dialog without a long silence between them, oldest first, speakers alternating.

    Attributes:
        chat_id: the dialog; 0 for rows that were imported or made, which have no times either.
        peer: who is spoken to.
        origin: "telegram" for the owner's own dialogs, else the name of the imported or made set it comes from.
        previous_at: when the dialog's last message before this session was sent, aware UTC; None when nothing
            tells. The silence before the first turn is counted from here.
    """

    chat_id: int
    turns: tuple[Turn, ...]
    peer: Peer = NOBODY
    origin: str = "telegram"
    previous_at: datetime | None = None

    @property
    def supervisable_turns(self) -> int:
        """How many turns teach the twin."""
        return sum(turn.is_supervisable for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a reply is asked for: what was said, to whom the twin speaks, and when.

    Attributes:
        turns: oldest first; none asks the owner to open the conversation, and one that ends with the owner's turn
            asks for what the owner writes next in that turn.
        peer: who is spoken to.
        chat_id: the dialog with them, which decides their pseudonym; 0 for nobody in particular.
        at: the moment of the reply, aware UTC; None when no clock counts.
        previous_at: when the last message before the first turn was sent, as in a Session.
    """

    turns: tuple[Turn, ...]
    peer: Peer = NOBODY
    chat_id: int = 0
    at: datetime | None = None
    previous_at: datetime | None = None

    @classmethod
    def of(cls, session: Session, at: datetime | None = None) -> Conversation:
        """What comes after all of a session."""
        return cls(session.turns, session.peer, session.chat_id, at, session.previous_at)

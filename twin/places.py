"""Where a conversation stands, as one number: a chat with the bot, or one of the owner's own chats (Telegram Business).

Knows nothing of requests. The owner's own chat with somebody has the very id that the bot's chat with them has,
so rows and queues of the bot go by places. A chat with the bot is its own place; the owner's own are far below every id
that the Bot API gives out (those have at most 52 bits, and no negative one is below -4 * 10**12).
"""

from __future__ import annotations

_OWNERS_OWN = -(10**15)


def owners_own(chat_id: int) -> int:
    """The place of the owner's own chat with somebody; private chats have positive ids."""
    return _OWNERS_OWN - chat_id


def is_owners_own(place: int) -> bool:
    """Whether a place is one of the owner's own chats."""
    return place < _OWNERS_OWN


def chat_at(place: int) -> int:
    """The id that Telegram knows the chat at a place by."""
    return _OWNERS_OWN - place if is_owners_own(place) else place

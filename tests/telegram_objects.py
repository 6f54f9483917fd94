"""Makers of real `telethon.tl.types` objects; every word and number in them is invented.

Knows nothing of who reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from telethon.tl import types

from tests.exports import ANNA, BORIS, NOON, OWNER

NEWS = 900
GIF_BOT = 801
START = datetime.fromtimestamp(NOON, UTC)


def user(number: int, first: str | None = None, last: str | None = None, **fields: Any) -> types.User:
    """A person, a bot or a deleted account that the owner can write to."""
    return types.User(id=number, access_hash=number * 7, first_name=first, last_name=last, **fields)


def people() -> list[types.User]:
    """The owner and those whom everybody here writes to."""
    return [
        user(OWNER, "Olga", is_self=True),
        user(ANNA, "Anna", username="anna_a"),
        user(BORIS, "Boris", "B."),
        user(GIF_BOT, "Gif", bot=True, bot_info_version=1, username="gif"),
    ]


def channel(number: int, title: str, **fields: Any) -> types.Channel:
    """A channel, or with `megagroup=True` a group."""
    return types.Channel(
        id=number, title=title, photo=types.ChatPhotoEmpty(), date=START, access_hash=number * 7, **fields
    )


def said(
    number: int,
    text: str = "marzipan",
    *,
    chat_id: int = ANNA,
    by_owner: bool = False,
    at: datetime | None = None,
    **fields: Any,
) -> types.Message:
    """One message as the API gives it: who wrote it stands there only when it was the owner."""
    return types.Message(
        id=number,
        peer_id=types.PeerUser(chat_id),
        date=at or START + timedelta(seconds=number * 10),
        message=text,
        out=by_owner,
        **{"from_id": types.PeerUser(OWNER) if by_owner else None, **fields},
    )


def service(number: int, *, chat_id: int = ANNA, at: datetime | None = None) -> types.MessageService:
    """A call."""
    action = types.MessageActionPhoneCall(call_id=number)
    date = at or START + timedelta(seconds=number * 10)
    return types.MessageService(id=number, peer_id=types.PeerUser(chat_id), date=date, action=action)


def document(*attributes: Any, ttl: int | None = None) -> types.MessageMediaDocument:
    """A file that was sent."""
    content = types.Document(
        id=1,
        access_hash=2,
        file_reference=b"r",
        date=START,
        mime_type="application/octet-stream",
        size=3,
        dc_id=2,
        attributes=list(attributes),
    )
    return types.MessageMediaDocument(document=content, ttl_seconds=ttl)


def photo(ttl: int | None = None) -> types.MessageMediaPhoto:
    """A picture that was sent."""
    content = types.Photo(id=1, access_hash=2, file_reference=b"r", date=START, sizes=[], dc_id=2)
    return types.MessageMediaPhoto(photo=content, ttl_seconds=ttl)


def reactions(*given: tuple[Any, Iterable[int]]) -> types.MessageReactions:
    """`reactions(("👍", [OWNER, ANNA]))`: who gave what; a number instead of a text is a custom emoji."""
    results, recent = [], []
    for emoji, givers in given:
        kind = types.ReactionEmoji(emoji) if isinstance(emoji, str) else types.ReactionCustomEmoji(emoji)
        by = list(givers)
        results.append(types.ReactionCount(kind, len(by), chosen_order=0 if OWNER in by else None))
        recent += [
            types.MessagePeerReaction(types.PeerUser(giver), START, kind, my=giver == OWNER or None) for giver in by
        ]
    return types.MessageReactions(results, can_see_list=True, recent_reactions=recent)

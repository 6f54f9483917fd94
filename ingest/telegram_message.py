"""One message of the live account, from Telethon's object to a `Message`.

Knows nothing of networks or databases, and imports no Telethon: it tells objects apart by the names of their classes,
which are those of Telegram's own schema. What comes out is what ingest/desktop_message.py makes of the same message
in an export (Telegram Desktop's export_data_types.cpp and export_output_json.cpp), and more where the export drops it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ingest.reactions import CUSTOM, PAID, compact
from ingest.source import Skip
from twin.messages import Message

NO_NAME = "deleted account"  # what an export's reader makes of a forward from nobody
_HIDDEN = "unknown"
_MEDIA = {
    "MessageMediaPhoto": "photo",
    "MessageMediaContact": "contact",
    "MessageMediaGeo": "location",
    "MessageMediaGeoLive": "location",
    "MessageMediaVenue": "location",
    "MessageMediaPoll": "poll",
    "MessageMediaGame": "game",
    "MessageMediaInvoice": "invoice",
    "MessageMediaGiveaway": "giveaway",
    "MessageMediaGiveawayResults": "giveaway",
    "MessageMediaPaidMedia": "paid_media",
    "MessageMediaToDo": "todo_list",
    "MessageMediaDice": "dice",
    "MessageMediaStory": "story",
    "MessageMediaWebPage": None,  # the preview of a link that stands in the text
    "MessageMediaEmpty": None,
}
# The export's names of entities where they are not the class's own in small letters.
_ENTITIES = {"Url": "link", "TextUrl": "text_link", "Strike": "strikethrough"}
_EXTRAS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Pre": lambda entity: {"language": entity.language},
    "TextUrl": lambda entity: {"href": entity.url},
    "MentionName": lambda entity: {"user_id": entity.user_id},
    "CustomEmoji": lambda entity: {"document_id": str(entity.document_id)},
    "Blockquote": lambda entity: {"collapsed": bool(entity.collapsed)},
}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Names:
    """The names that come along with messages: of people, bots, groups and channels."""

    def __init__(self, users: Iterable[Any] = (), chats: Iterable[Any] = ()) -> None:
        self._users = {user.id: user for user in users}
        self._titles = {(_kind(chat)[:4], chat.id): getattr(chat, "title", None) for chat in chats}

    def of(self, peer: Any) -> str | None:
        """The name of a Peer; None when it has none, or is not among them."""
        match _kind(peer):
            case "PeerUser":
                return person_name(self._users.get(peer.user_id))
            case "PeerChat":
                return self._titles.get(("Chat", peer.chat_id)) or None
            case "PeerChannel":
                return self._titles.get(("Chan", peer.channel_id)) or None
        return None

    def username(self, user_id: int) -> str | None:
        """A user's name after the "@"."""
        return username(self._users.get(user_id))


def person_name(user: Any) -> str | None:
    """First and last name; None for a deleted account."""
    parts = (getattr(user, "first_name", None), getattr(user, "last_name", None))
    return " ".join(part for part in parts if part) or None


def username(user: Any) -> str | None:
    """The name after the "@", the first of several; None when there is none."""
    several = getattr(user, "usernames", None) or ()
    return getattr(user, "username", None) or next((one.username for one in several if one.active), None)


def read_message(raw: Any, chat_id: int, owner_id: int, names: Names) -> Message:
    """Read one element of a dialog's history: a `telethon.tl.types` Message, MessageService or MessageEmpty.

    Args:
        chat_id: the other person's user id.
        names: what came along with it.

    Raises:
        Skip: it is not to be stored; the reason says why.
    """
    _refuse_kinds(raw)
    media = _media(raw.media)
    text = raw.message or _rich_text(getattr(raw, "rich_message", None))
    if not text and media is None:
        raise Skip("empty")
    sender_id = _sender(raw, chat_id, owner_id)
    return Message(
        chat_id=chat_id,
        message_id=raw.id,
        sent_at=raw.date,
        sender_id=sender_id,
        is_owner=sender_id == owner_id,
        text=text,
        reply_to=_reply(raw.reply_to, chat_id),
        forwarded_from=None if raw.fwd_from is None else _origin(raw.fwd_from, names),
        via_bot=_via_bot(raw, names),
        edited_at=None if raw.edit_hide else raw.edit_date,
        media=media,
        media_note=None if media is None else _note(raw.media, media),
        entities=_entities(raw.entities) if raw.message else None,
        reactions=_reactions(raw.reactions, owner_id),
    )


def _refuse_kinds(raw: Any) -> None:
    match _kind(raw):
        case "MessageService":
            raise Skip("service message")
        case "MessageEmpty":
            raise Skip("deleted meanwhile")
    if raw.ttl_period or getattr(raw.media, "ttl_seconds", None):
        raise Skip("self-destructing")
    if _kind(raw.media) == "MessageMediaUnsupported":
        raise Skip("of a kind that is not supported")


def _sender(raw: Any, chat_id: int, owner_id: int) -> int:
    if raw.from_id is None:
        return owner_id if raw.out else chat_id
    if _kind(raw.from_id) != "PeerUser":
        raise Skip("sender unknown")
    return int(raw.from_id.user_id)


def _reply(header: Any, chat_id: int) -> int | None:
    """What it answers in this dialog; None for answers to stories and to what was said elsewhere."""
    if _kind(header) != "MessageReplyHeader":
        return None
    elsewhere = header.reply_to_peer_id
    if elsewhere is not None and getattr(elsewhere, "user_id", None) != chat_id:
        return None
    return int(header.reply_to_msg_id) if header.reply_to_msg_id else None


def _origin(header: Any, names: Names) -> str:
    """Who said it first; a lost name still marks the message as somebody else's."""
    if header.from_id is not None:
        return names.of(header.from_id) or NO_NAME
    return header.from_name or _HIDDEN


def _via_bot(raw: Any, names: Names) -> str | None:
    """The bot that helped, or that wrote in the owner's name (Telegram Business): not the owner's own words."""
    bot = raw.via_bot_id or raw.via_business_bot_id
    if not bot:
        return None
    found = names.username(bot)
    return f"@{found}" if found else "a bot"


def _media(media: Any) -> str | None:
    kind = _kind(media)
    if media is None or kind in _MEDIA:
        return _MEDIA.get(kind)
    if kind == "MessageMediaDocument":
        return _document_kind(media.document)
    return _small(kind.removeprefix("MessageMedia"))


def _document_kind(document: Any) -> str:
    """In the export's order: a round video may be animated too."""
    kinds = {_kind(attribute): attribute for attribute in getattr(document, "attributes", None) or ()}
    video, audio = kinds.get("DocumentAttributeVideo"), kinds.get("DocumentAttributeAudio")
    if "DocumentAttributeSticker" in kinds or "DocumentAttributeCustomEmoji" in kinds:
        return "sticker"
    if video is not None and video.round_message:
        return "video_message"
    if audio is not None and audio.voice:
        return "voice_message"
    if "DocumentAttributeAnimated" in kinds:
        return "animation"
    if video is not None:
        return "video_file"
    return "file" if audio is None else "audio_file"


def _note(media: Any, kind: str) -> str | None:
    """What a placeholder can tell: a sticker's emoji, a length in whole seconds."""
    if kind == "dice":
        return str(media.emoticon) or None
    seconds = 0
    for attribute in getattr(getattr(media, "document", None), "attributes", None) or ():
        if kind == "sticker":
            if emoji := getattr(attribute, "alt", None):
                return str(emoji)
        else:
            seconds = int(getattr(attribute, "duration", seconds))
    return f"{seconds} s" if seconds else None


def _entities(entities: Iterable[Any] | None) -> str | None:
    """Formatting as the export names it, offsets and lengths in UTF-16 units, in Telegram's order."""
    found = []
    for entity in entities or ():
        kind = _kind(entity).removeprefix("MessageEntity")
        extras = _EXTRAS[kind](entity) if kind in _EXTRAS else {}
        if entity.length > 0:
            name = _ENTITIES.get(kind) or _small(kind)
            found.append({"type": name, "offset": entity.offset, "length": entity.length, **extras})
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")) if found else None


def _reactions(reactions: Any, owner_id: int) -> str | None:
    if reactions is None:
        return None
    recent = {
        _of_reaction(one.reaction)
        for one in reactions.recent_reactions or ()
        if one.my or getattr(one.peer_id, "user_id", None) == owner_id
    }
    votes = []
    for result in reactions.results:
        emoji = _emoji(result.reaction)
        is_mine = result.chosen_order is not None or _of_reaction(result.reaction) in recent
        by_owner = is_mine or result.count > 1  # there are only two people
        votes.append((emoji, by_owner, result.count > by_owner))
    return compact(vote for vote in votes if vote[0])


def _of_reaction(reaction: Any) -> Any:
    """What tells one kind of reaction from another."""
    return _emoji(reaction), getattr(reaction, "document_id", None)


def _emoji(reaction: Any) -> str:
    match _kind(reaction):
        case "ReactionEmoji":
            return str(reaction.emoticon)
        case "ReactionCustomEmoji":
            return CUSTOM
        case "ReactionPaid":
            return PAID
    return ""


def _rich_text(rich: Any) -> str:
    """The words of a message that is written in blocks, a line a block."""
    return "\n".join(filter(None, ("".join(_words(block)) for block in getattr(rich, "blocks", None) or ())))


def _words(part: Any) -> Iterator[str]:
    if _kind(part) == "TextPlain":
        yield part.text
    elif isinstance(part, list):
        for one in part:
            yield from _words(one)
    elif hasattr(part, "CONSTRUCTOR_ID"):
        for one in vars(part).values():
            yield from _words(one)


def _kind(value: Any) -> str:
    return type(value).__name__


def _small(name: str) -> str:
    return _HUMP.sub("_", name).lower()

"""The server's dialogs as Telegram Desktop would export them at this moment.

Knows nothing of how an export is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests import exports
from tests.exports import OWNER, Raw
from tests.telegram_server import Server


def export_of(server: Server, chat_ids: Iterable[int]) -> Raw:
    """A full export of these dialogs."""
    chats = []
    for chat_id in chat_ids:
        person = server.users[chat_id]
        name = " ".join(part for part in (person.first_name, person.last_name) if part) or None
        messages = [_raw(one, chat_id) for _, one in sorted(server.histories.get(chat_id, {}).items())]
        chats.append(exports.chat(messages, chat_id, name))
    return exports.full(*chats)


def _raw(message: Any, chat_id: int) -> Raw:
    """For the kinds of messages that the tests make: words, formatting that does not overlap, photos, calls."""
    sender = OWNER if message.out else chat_id
    at = int(message.date.timestamp())
    if type(message).__name__ == "MessageService":
        return exports.said(message.id, sender, "", at, type="service", action="phone_call")
    fields: Raw = {}
    if message.edit_date is not None:  # hidden or not: https://github.com/telegramdesktop/tdesktop/issues/30647
        fields |= {"edited": "x", "edited_unixtime": str(int(message.edit_date.timestamp()))}
    if message.reply_to is not None:
        fields["reply_to_message_id"] = message.reply_to.reply_to_msg_id
    if message.media is not None:
        fields["photo"] = "(File not included.)"
    if message.reactions is not None and message.reactions.results:
        fields["reactions"] = [_reaction(one, message.reactions.recent_reactions) for one in message.reactions.results]
    parts: list[Any] = []
    end = 0
    for entity in message.entities or ():
        parts += [{"type": "plain", "text": message.message[end : entity.offset]}] if entity.offset > end else []
        end = entity.offset + entity.length
        parts.append({"type": "bold", "text": message.message[entity.offset : end]})
    parts += [{"type": "plain", "text": message.message[end:]}] if message.message[end:] else []
    text = message.message if len(parts) < 2 and not message.entities else parts
    return exports.said(message.id, sender, text, at, text_entities=parts, **fields)


def _reaction(result: Any, recent: Any) -> Raw:
    emoji = result.reaction.emoticon
    by = [one for one in recent if one.reaction.emoticon == emoji]
    return {
        "type": "emoji",
        "count": result.count,
        "emoji": emoji,
        "recent": [{"from": "x", "from_id": f"user{one.peer_id.user_id}", "date": "x"} for one in by],
    }

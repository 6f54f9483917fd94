"""A Telegram update's message as the core knows messages, with the same names for media as ingest has.

Knows nothing of answers.
"""

from __future__ import annotations

from telegram import Message as TelegramMessage

from twin.messages import Message

# attribute of a Bot API message: ingest's name. An animation is a document too: the first that fits counts.
_MEDIA = {
    "photo": "photo",
    "sticker": "sticker",
    "voice": "voice_message",
    "video_note": "video_message",
    "animation": "animation",
    "video": "video_file",
    "audio": "audio_file",
    "document": "file",
    "contact": "contact",
    "location": "location",
    "poll": "poll",
    "game": "game",
    "invoice": "invoice",
    "giveaway": "giveaway",
    "paid_media": "paid_media",
    "checklist": "todo_list",
    "dice": "dice",
    "story": "story",
}


def as_message(message: TelegramMessage) -> Message:
    """One incoming message; `conversations.bubble` then shows it as the training data does.

    A message about the chat itself (a pinned note, a new photo of it) has neither text nor media.
    """
    return Message(
        chat_id=message.chat_id,
        message_id=message.message_id,
        sent_at=message.date,
        sender_id=message.from_user.id if message.from_user else None,
        is_owner=False,
        text=message.text or message.caption or "",
        reply_to=message.reply_to_message.message_id if message.reply_to_message else None,
        forwarded_from="somebody" if message.forward_origin else None,
        media=next((name for attribute, name in _MEDIA.items() if getattr(message, attribute)), None),
        media_note=_note(message),
    )


def _note(message: TelegramMessage) -> str | None:
    """A sticker's or a die's emoji, a length in seconds; a length of 0 is none, as in exports."""
    if emoji := message.sticker or message.dice:
        return emoji.emoji
    timed = message.voice or message.video_note or message.animation or message.video or message.audio
    # not `timed.duration`, which is a number or a timedelta as PTB_TIMEDELTA says
    seconds = timed.to_dict()["duration"] if timed else 0
    return f"{seconds} s" if seconds else None

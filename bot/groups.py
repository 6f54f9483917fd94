"""Groups: which messages of one are meant for the twin, and how they read without the call for it.

Knows nothing of who may write.
"""

from __future__ import annotations

from telegram import Bot, Message, MessageEntity

_CALLS = (MessageEntity.MENTION, MessageEntity.TEXT_MENTION)


def is_meant(message: Message, bot: Bot) -> bool:
    """Whether somebody calls the bot by its @username, or replies to what it said; commands are no talk."""
    answered = message.reply_to_message
    if (message.text or "").startswith("/"):
        return False
    return is_called(message, bot) or (
        answered is not None and answered.from_user is not None and answered.from_user.id == bot.id
    )


def is_called(message: Message, bot: Bot) -> bool:
    """Whether a message calls the bot by its @username."""
    return bool(_calls(message, bot))


def without_call(message: Message, bot: Bot) -> str:
    """What a message says, or its caption, without the bot's @username, which no training data holds."""
    words = message.text or message.caption or ""
    for call in _calls(message, bot):
        words = words.replace(call, "")
    return words.strip()


def _calls(message: Message, bot: Bot) -> set[str]:
    """The parts of a message that name the bot."""
    entities = message.parse_entities(list(_CALLS)) | message.parse_caption_entities(list(_CALLS))
    return {
        words
        for entity, words in entities.items()
        if words.lower() == f"@{bot.username}".lower() or (entity.user is not None and entity.user.id == bot.id)
    }

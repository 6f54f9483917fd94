"""Where an update belongs: the place of its chat, see `twin.places`.

Knows nothing of what updates say.
"""

from __future__ import annotations

from telegram import Update

from twin.places import owners_own


def place_of(update: Update) -> int | None:
    """The place that an update goes to; a business connection belongs to its owner's chat with the bot."""
    own = update.business_message or update.edited_business_message or update.deleted_business_messages
    if own is not None:
        return owners_own(own.chat.id)
    if update.business_connection is not None:
        return update.business_connection.user_chat_id
    return update.effective_chat.id if update.effective_chat is not None else None

"""Buttons under the bot's messages: a press is acknowledged, and what the message says may change.

Knows nothing of what any button does.
"""

from __future__ import annotations

from functools import partial

from telegram import InlineKeyboardMarkup, Update
from telegram.error import BadRequest

from bot.delivery import deliver, pieces
from bot.pacing import Rhythm

Screen = tuple[str, InlineKeyboardMarkup | None]
"""What a message says, and the buttons under it."""


async def acknowledge(update: Update, rhythm: Rhythm, text: str | None = None) -> None:
    """Telegram stops waiting for the press; a text is shown to whoever pressed, for a moment."""
    query = update.callback_query
    assert query is not None
    try:
        await deliver(partial(query.answer, text), rhythm)
    except BadRequest:  # too old to be answered; what it asks for is done all the same
        return


async def change(update: Update, screen: Screen, rhythm: Rhythm) -> None:
    """The message whose button was pressed says this now."""
    query = update.callback_query
    assert query is not None
    text, keyboard = screen
    try:
        await deliver(partial(query.edit_message_text, pieces(text)[0], reply_markup=keyboard), rhythm)
    except BadRequest as error:  # pressed twice, or deleted
        if "not modified" not in error.message and "not found" not in error.message:
            raise

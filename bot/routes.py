"""Which update goes to which part of the bot.

Knows nothing of what the parts do.
"""

from __future__ import annotations

from typing import Any

from telegram import Update
from telegram.ext import (
    Application,
    BusinessConnectionHandler,
    BusinessMessagesDeletedHandler,
    CallbackQueryHandler,
    CommandHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.access import Handler
from bot.business.cards import PREFIX as BUSINESS_PREFIX
from bot.business.desk import OnCard
from bot.desk import FORGET_PREFIX
from bot.failures import log_failure
from bot.parts import Parts
from bot.quiz import PREFIX as QUIZ_PREFIX
from bot.versions import PREFIX as VERSION_PREFIX

App = Application[Any, Any, Any, Any, Any, Any]
_NEW = filters.UpdateType.MESSAGE
# What somebody else wrote is no command, whoever passes it on.
_OWN_WORDS = _NEW & ~filters.FORWARDED & ~filters.VIA_BOT


def register(app: App, parts: Parts) -> None:
    """Tell the application what handles what; of several handlers that fit, the first does."""
    _add_gates(app, parts)
    _add_commands(app, parts)
    _add_buttons(app, parts)
    _add_own_chats(app, parts)
    app.add_handler(MessageHandler(_OWN_WORDS & filters.COMMAND, parts.commands.help))
    app.add_handler(MessageHandler(_NEW, parts.conversations.answer))
    app.add_handler(MessageHandler(filters.UpdateType.EDITED_MESSAGE, parts.conversations.revise))
    app.add_error_handler(log_failure)


def _add_gates(app: App, parts: Parts) -> None:
    """What every update passes first."""
    app.add_handler(TypeHandler(Update, parts.access.gate), group=-4)
    app.add_handler(TypeHandler(Update, parts.speech.gate), group=-3)
    app.add_handler(TypeHandler(Update, parts.menus.gate), group=-2)
    app.add_handler(TypeHandler(Update, parts.welcome.gate), group=-1)


def _add_commands(app: App, parts: Parts) -> None:
    for name, handler in _everybodys(parts).items():
        app.add_handler(CommandHandler(name, handler, filters=_OWN_WORDS))
    for name, handler in _owners(parts).items():
        app.add_handler(CommandHandler(name, parts.access.owner_only(handler), filters=_OWN_WORDS))


def _everybodys(parts: Parts) -> dict[str, Handler]:
    """The commands that whoever may talk may give."""

    async def start(update: Update, context: Any) -> None:
        await parts.commands.start(update, context)
        await parts.guests.tell_arrivals()

    return {
        "start": start,
        "help": parts.commands.help,
        "status": parts.commands.status,
        "forget": parts.desk.forget,
        "quiz": parts.quiz.command,
        "reset": parts.conversations.after_answers(parts.commands.reset),
    }


def _owners(parts: Parts) -> dict[str, Handler]:
    """The commands that only the owner may give."""
    return {
        "retrain": parts.retraining.command,
        "allow": parts.guests.allow,
        "deny": parts.guests.deny,
        "versions": parts.desk.versions,
        "rollback": parts.desk.rollback,
        "why": parts.desk.why,
        "settings": parts.desk.settings,
        "pause": parts.pause.pause,
        "resume": parts.pause.resume,
        "business": parts.business.business,
    }


def _add_buttons(app: App, parts: Parts) -> None:
    version_button = parts.access.owner_only(parts.desk.version_button)
    app.add_handler(CallbackQueryHandler(version_button, pattern=f"^{VERSION_PREFIX}"))
    forget_button = parts.conversations.after_answers(parts.desk.forget_button)
    app.add_handler(CallbackQueryHandler(forget_button, pattern=f"^{FORGET_PREFIX}"))
    app.add_handler(CallbackQueryHandler(parts.quiz.button, pattern=f"^{QUIZ_PREFIX}"))
    business_button = parts.access.owner_only(parts.business.pressed)
    app.add_handler(CallbackQueryHandler(business_button, pattern=f"^{BUSINESS_PREFIX}"))
    app.add_handler(CallbackQueryHandler(parts.desk.unknown_button))


def _add_own_chats(app: App, parts: Parts) -> None:
    """Telegram Business: what is said in the owner's own chats is never a command."""
    chats = parts.owners_chats
    app.add_handler(BusinessConnectionHandler(chats.connected))
    app.add_handler(MessageHandler(filters.UpdateType.BUSINESS_MESSAGE, chats.message))
    app.add_handler(MessageHandler(filters.UpdateType.EDITED_BUSINESS_MESSAGE, chats.edited))
    app.add_handler(BusinessMessagesDeletedHandler(chats.deleted))
    app.add_handler(MessageHandler(_NEW & OnCard(parts.business), parts.access.owner_only(parts.business.words)))

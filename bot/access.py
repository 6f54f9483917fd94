"""Who may talk to the bot, and who commands it: the one place that decides.

Knows nothing of what is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from telegram import Bot, Message, Update, User
from telegram.ext import ApplicationHandlerStop

from bot.groups import is_meant
from bot.invites import Invites, looks_like_invite
from bot.people import People
from bot.speech import Speech
from twin.errors import BotError
from twin.settings import Settings, settings_file

Handler = Callable[[Update, Any], Coroutine[Any, Any, None]]
_log = logging.getLogger(__name__)


def owner_of(settings: Settings) -> int:
    """The owner's user id.

    Raises:
        BotError: the settings do not say who the owner is.
    """
    if settings.bot_owner is None:
        raise BotError(
            "The bot does not know whose it is",
            f"set telegram.owner_id to your Telegram user id in {settings_file(settings.home)}",
        )
    return settings.bot_owner


class Access:
    """The owner, those who are allowed, and the ids that were turned away already.

    Raises:
        BotError: the settings do not say who the owner is.
    """

    def __init__(self, settings: Settings, people: People, invites: Invites, speech: Speech) -> None:
        self.owner = owner_of(settings)
        self._people = people
        self._invites = invites
        self._speech = speech
        self._turned_away: set[int] = set()

    async def gate(self, update: Update, context: Any) -> None:
        """The first handler of every update: whoever may not talk to the bot gets no further, and no answer.

        A stranger comes in with an invite, and only with one.
        """
        if is_of_own_chats(update):
            self._gate_own_chats(update)
            return
        found = sender_and_message(update)
        if found is None:
            raise ApplicationHandlerStop
        sender, message = found
        if message.chat.type != message.chat.PRIVATE:
            self._gate_group(update, sender, message, context.bot)
        elif not self._people.may_talk(sender.id) and not self._comes_in(update, sender):
            self._note(sender.id, "user %d, who is not on the allow-list")
            raise ApplicationHandlerStop

    def _gate_group(self, update: Update, sender: User, message: Message, bot: Bot) -> None:
        """In a group that is allowed itself, whoever is not kept out may talk, and only talk, and only to the bot."""
        if not self._people.may_talk(message.chat.id):
            self._note(message.chat.id, "chat %d, which is neither private nor on the allow-list")
            raise ApplicationHandlerStop
        is_talk = update.callback_query is None and is_meant(message, bot)
        if self._people.is_denied(sender.id) or not is_talk:
            raise ApplicationHandlerStop

    def _gate_own_chats(self, update: Update) -> None:
        """In the owner's own chats people do not talk to the bot, so they need no leave; it is the owner's connection
        that counts, see bot/business/. Whoever is kept out is not answered there either."""
        connected = update.business_connection
        if connected is not None and connected.user.id != self.owner:
            self._note(connected.user.id, "user %d, who connected the bot to an account of theirs")
            raise ApplicationHandlerStop
        message = update.business_message
        if message is not None and self._people.is_denied(message.chat.id):
            raise ApplicationHandlerStop

    def turns_away(self, update: Update) -> bool:
        """Whether the gate lets nothing of this kind pass, without asking whether an invite is good."""
        found = sender_and_message(update)
        if found is None or is_of_own_chats(update):
            return False
        sender, message = found
        if message.chat.type != message.chat.PRIVATE:
            return not self._people.may_talk(message.chat.id)
        return not self._people.may_talk(sender.id) and _invite_in(update) is None

    def is_owners(self, update: Update) -> bool:
        """Whether the owner sent this, in the owner's own chat with the bot."""
        found = sender_and_message(update)
        return found is not None and found[0].id == self.owner and found[1].chat.id == self.owner

    def owner_only(self, handler: Handler) -> Handler:
        """The same handler of commands or of buttons, for the owner; everybody else is told so."""

        async def guarded(update: Update, context: Any) -> None:
            if self.is_owners(update):
                await handler(update, context)
            elif update.callback_query is not None:
                await update.callback_query.answer(self._refusal(update.callback_query.from_user))
            elif update.message is not None and update.message.from_user is not None:
                await update.message.reply_text(self._refusal(update.message.from_user))

        return guarded

    def _refusal(self, sender: User) -> str:
        return self._speech.say(sender.id, "owners_only")

    def _comes_in(self, update: Update, sender: User) -> bool:
        """Whether this is `/start INVITE` with one that is good; it is used up then."""
        invite = _invite_in(update)
        return invite is not None and self._invites.redeem(invite, sender.id, sender.full_name)

    def _note(self, identity: int, what: str) -> None:
        if identity not in self._turned_away:
            self._turned_away.add(identity)
            _log.warning("Ignoring " + what, identity)


def _invite_in(update: Update) -> str | None:
    """Of `/start INVITE` what may be an invite."""
    match (update.message.text if update.message and update.message.text else "").split():
        case [command, token] if command.split("@")[0] == "/start" and looks_like_invite(token):
            return str(token)
        case _:
            return None


def is_of_own_chats(update: Update) -> bool:
    """Whether an update comes from Telegram Business."""
    kinds = (
        update.business_connection,
        update.business_message,
        update.edited_business_message,
        update.deleted_business_messages,
    )
    return any(kind is not None for kind in kinds)


def sender_and_message(update: Update) -> tuple[User, Message] | None:
    """Who wrote, edited or pressed a button, and the message that it is, or whose button; None for the rest."""
    message = update.message or update.edited_message
    if message is not None and message.from_user is not None:
        return message.from_user, message
    query = update.callback_query
    if query is not None and isinstance(query.message, Message):
        return query.from_user, query.message
    return None

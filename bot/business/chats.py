"""The owner's own chats: what is said there is heard, thought about, and suggested to the owner or answered.

Knows nothing of buttons or cards. Bursts, thinking and pace are those of the bot's own chats, which go by places
(`twin.places`): one number tells the owner's own chat with somebody from the bot's.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from telegram import Message as TelegramMessage
from telegram import Update, User
from telegram.error import BadRequest, Forbidden

from bot.bursts import Burst, Heard
from bot.business import wording
from bot.business.connections import Connections
from bot.business.drafts import Drafts
from bot.business.leave import Leave
from bot.business.modes import Modes
from bot.delivery import pieces
from bot.disclosure import Disclosure
from bot.handlers import Conversations
from bot.history import Planned
from bot.incoming import as_message
from bot.limits import Limits
from bot.temper import Reaction
from inference.generator import TwinReply
from twin.conversations import fate
from twin.messages import Message, Peer
from twin.places import chat_at, owners_own
from twin.store import Store

_SERVICE_ACCOUNTS = frozenset({777000, 42777, 489000, 1271266957})  # Telegram itself: login codes, notices
_log = logging.getLogger(__name__)


class OwnersChats(Conversations):
    """The owner's chats with people.

    Args:
        conversation: what `Conversations` takes.
    """

    def __init__(
        self,
        *conversation: Any,
        store: Store,
        connections: Connections,
        modes: Modes,
        leave: Leave,
        drafts: Drafts,
        limits: Limits,
        disclosure: Disclosure,
    ) -> None:
        super().__init__(*conversation)
        self._store = store
        self._connections = connections
        self._modes = modes
        self._leave = leave
        self._drafts = drafts
        self._limits = limits
        self._disclosure = disclosure

    def passes(self, update: Update) -> bool:
        """Whether an update goes on during a pause: how the connection stands, and what is of no matter at all."""
        if update.business_connection is not None:
            return True
        message = update.business_message or update.edited_business_message
        if message is None:
            return False
        is_foreign = self._connections.is_foreign(message.business_connection_id)
        return is_foreign or self._modes.mode(message.chat.id) == "off" or not self._is_talk(message)

    async def connected(self, update: Update, _: Any) -> None:
        """The owner connected the bot, changed its rights, or took it off; see bot/access.py for whose that is."""
        assert update.business_connection is not None
        self._connections.note(update.business_connection)
        self._drafts.changed()

    async def message(self, update: Update, _: Any) -> None:
        """Somebody wrote in one of the owner's chats, they themselves or the other."""
        message = update.business_message
        assert message is not None
        if not await self._connections.is_owners(message.business_connection_id) or not self._is_talk(message):
            return
        sender = message.from_user
        assert sender is not None
        if sender.id == self._owner:
            await self._owners(message)
        elif sender.id == message.chat.id:
            await self._others(update.update_id, message, sender)

    async def edited(self, update: Update, _: Any) -> None:
        """A message was edited: it is remembered, and what is not answered yet is answered as it reads now."""
        message = update.edited_business_message
        assert message is not None
        if await self._connections.is_owners(message.business_connection_id) and self._is_talk(message):
            edited = self._at_place(message)
            if fate(edited) == "shown":
                self._revise(update.update_id, edited, message.chat.full_name)

    async def deleted(self, update: Update, _: Any) -> None:
        """Messages were deleted: here, too; what answers one of them is not suggested any more."""
        deleted = update.deleted_business_messages
        assert deleted is not None
        if not await self._connections.is_owners(deleted.business_connection_id):
            return
        place, gone = owners_own(deleted.chat.id), set(deleted.message_ids)
        for draft in self._drafts.open_at(place):
            if any(message_id in gone for message_id, _ in self._history.asked(place, draft.until_id)):
                self._drafts.end(draft, "stale", wording.DELETED)
        self.bursts.drop(place, gone)
        self._history.remove(place, gone)

    async def stop(self, chat_id: int, note: str | None = None) -> None:
        """Nothing that is being prepared for a chat, or waits for the owner, is of use any more."""
        place = owners_own(chat_id)
        for draft in self._drafts.open_at(place):
            self._drafts.end(draft, "stale", note)
        self._give_up(place, await self.bursts.abandon(place))

    def left(self, update_id: int) -> None:
        """An update is left unanswered; if it was to send a suggestion, the card does not say any more that it was."""
        draft = self._drafts.decided_by(update_id)
        if draft is not None and self._history.has_planned(update_id):
            self._refuse(draft.place, update_id, wording.PAUSED)

    async def forget(self, chat_id: int) -> int:
        """Delete what is kept of the chat with somebody, for good; returns how many messages that were."""
        place = owners_own(chat_id)
        self._give_up(place, await self.bursts.abandon(place))
        self._drafts.forget(place)
        self._disclosure.forget(place)
        return self._history.forget(place)

    def say(self, update_id: int, place: int, bubbles: Sequence[str], adapter: str | None) -> None:
        """Write down what the owner has sent; `go_on` sends it. To be called within a transaction."""
        texts = [piece for text in bubbles for piece in pieces(text)]
        self._history.plan(update_id, place, texts, adapter, self._rhythm.clock.now())

    def go_on(self, update_id: int, place: int, at: Message) -> None:
        """Send what an update of the owner's had written down, unless that was done; the update is open until then."""
        if self._history.has_planned(update_id):
            self.bursts.resume(Heard(update_id, replace(at, chat_id=place)))

    def _is_talk(self, message: TelegramMessage) -> bool:
        """Whether a person wrote it to a person: not the bot's own words come back, nor what a program sends."""
        sender, chat = message.from_user, message.chat
        if message.sender_business_bot is not None or message.is_from_offline or sender is None or sender.is_bot:
            return False
        return chat.type == chat.PRIVATE and chat.id != self._owner and chat.id not in _SERVICE_ACCOUNTS

    def _at_place(self, message: TelegramMessage) -> Message:
        is_owner = message.from_user is not None and message.from_user.id == self._owner
        return replace(as_message(message), chat_id=owners_own(message.chat.id), is_owner=is_owner)

    async def _owners(self, message: TelegramMessage) -> None:
        """The owner wrote: that ends whatever was being prepared, and the twin knows of it."""
        place = owners_own(message.chat.id)
        self._modes.saw(message.chat.id, message.chat.full_name)
        if self._modes.mode(message.chat.id) == "off":
            return
        for draft in self._drafts.open_at(place):
            self._drafts.end(draft, "answered")
        self._give_up(place, await self.bursts.abandon(place))
        if fate(read := self._at_place(message)) == "shown":
            self._history.own(read)

    async def _others(self, update_id: int, message: TelegramMessage, sender: User) -> None:
        """The other wrote: that is answered with the burst that it belongs to; an open suggestion is none any more."""
        self._modes.saw(sender.id, sender.full_name, message.date.timestamp())
        mode, read = self._modes.mode(sender.id), self._at_place(message)
        if mode == "off" or fate(read) != "shown" or not self._inbox.is_open(update_id):
            return
        place = read.chat_id
        for draft in self._drafts.open_at(place):
            self._drafts.end(draft, "stale")
        heard = Heard(update_id, read, sender.full_name)
        if update_id in self._history.unsettled(place) and self._history.planned(place):
            self.bursts.resume(heard)
        elif mode != "auto" or self._admits(heard, sender.id):
            self.bursts.add(heard)

    def _revise(self, update_id: int, edited: Message, name: str | None) -> None:
        """An edit also makes a suggestion stale that answers what was edited: another one is made."""
        place = edited.chat_id
        for draft in self._drafts.open_at(place):
            asked = self._history.asked(place, draft.until_id)
            if any(message_id == edited.message_id and text != edited.text for message_id, text in asked):
                self._drafts.end(draft, "stale", wording.EDITED)
                self._history.reopen(update_id, edited)
                self.bursts.add(Heard(update_id, edited, name))
        self._history.revise(edited)
        self.bursts.revise(update_id, edited)

    def _admits(self, heard: Heard, user_id: int) -> bool:
        """Whether that is not more than is answered; else it is taken in, and the owner is told once in a period."""
        limit = self._limits.admit(heard.update_id, user_id)
        if limit is None:
            return True
        place = heard.message.chat_id
        self._history.hear(heard.update_id, heard.message)
        if self._limits.is_news(limit, place):
            note = wording.over(limit.name, limit.most)
            self._drafts.add(place, heard.update_id, self._history.newest(place), (), None, "none", note)
        return False

    async def _say(self, burst: Burst) -> None:
        place = burst.chat_id
        if self._history.planned(place):  # by the owner, by an earlier run, or before a failure
            await self._send(burst)
            self._settle(self._history.unsettled(place))
        if burst.is_planned:
            return
        reply = await self._meet(burst)
        assert not isinstance(reply, Reaction), "no bot may give one in the owner's own chats"
        if not burst.heard or self._is_overtaken(place):
            return
        obstacle = self._leave.obstacle(place)
        if isinstance(reply, str) or obstacle is not None or not self._is_auto(place):
            self._suggest(burst, reply, obstacle)
            return
        await self._disclose(place)
        self.say(burst.heard[0].update_id, place, reply.bubbles, reply.adapter)
        await self._send(burst)

    async def _think(self, burst: Burst) -> TwinReply | Reaction | str:
        """A suggestion is made at once, and nobody sees anybody typing."""
        if not burst.heard:  # all of it was deleted
            return ""
        if self._is_auto(burst.chat_id) and self._leave.obstacle(burst.chat_id) is None:
            return await super()._think(burst)
        return await self._generate(burst)

    def _peer(self, chat_id: int, name: str | None) -> Peer:
        return super()._peer(chat_at(chat_id), name)

    async def _send_one(self, chat_id: int, planned: Planned) -> bool:
        leader = self._history.leader(planned)
        if leader is None:  # refused with the bubble before it
            return True
        problem = self._leave.obstacle(chat_id)
        if problem is None:
            try:
                message_id = await self._outlet.send(chat_id, planned.text)
            except (BadRequest, Forbidden) as error:
                _log.warning("Telegram refused a bubble in one of the owner's chats (%s)", type(error).__name__)
                problem = wording.refusal(error.message)
            else:
                self._history.sent(planned, message_id)
                return True
        self._refuse(chat_id, leader, problem)
        return True

    def _refuse(self, place: int, leader: int, problem: str) -> None:
        """What is left of a reply cannot be sent: it was never said, and the owner is told why."""
        with self._store.atomic():
            planned = self._history.planned(place)
            left = [bubble.text for bubble in planned if not bubble.is_sent]
            if len(left) < len(planned):
                problem = f"{problem} {wording.IN_PART}"
            self._history.drop_unsent(leader)
            draft = self._drafts.decided_by(leader)
            if draft is not None:
                self._drafts.refuse(draft, problem)
            else:
                until = self._history.newest(place)
                self._drafts.add(place, leader, until, left, None, "refused", problem)

    def _suggest(self, burst: Burst, reply: TwinReply | str, problem: str | None) -> None:
        """A draft takes the place of an answer: from now on the burst is answered."""
        place = burst.chat_id
        with self._store.atomic():
            until, leader = self._history.newest(place), burst.heard[0].update_id
            if isinstance(reply, str):
                self._drafts.add(place, leader, until, (), None, "none", f"I have no suggestion. {reply}")
            elif reply.bubbles:
                outcome = "late" if self._leave.is_late(place) else "open"
                self._drafts.add(place, leader, until, reply.bubbles, reply.adapter, outcome, problem)  # type: ignore[arg-type]
            self._settle(burst.updates | self._history.unsettled(place))

    async def _disclose(self, place: int) -> None:
        """The first answer in a chat of the owner's is preceded by the line that a program gives it."""
        if self._disclosure.is_due(place):
            try:
                await self._outlet.send(place, self._speech.say(chat_at(place), "disclosure"))
            except (BadRequest, Forbidden):  # so is what follows, and that is told
                return
            self._disclosure.told(place)

    def _is_auto(self, place: int) -> bool:
        return self._modes.mode(chat_at(place)) == "auto"

    def _is_overtaken(self, place: int) -> bool:
        """Whether the owner wrote there meanwhile, and that only waits its turn."""
        return any(
            update.get("business_message", {}).get("from", {}).get("id") == self._owner
            for update in self._inbox.open_at(place)
        )

    def _give_up(self, place: int, update_ids: Collection[int]) -> None:
        """Updates get no answer any more."""
        with self._store.atomic():
            over = set(update_ids) | self._history.unsettled(place)
            for update_id in over:
                self._history.give_up(update_id)
            self._settle(over)

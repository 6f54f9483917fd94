"""What the bot is made of, each part given what it needs.

Knows nothing of which update goes to which part (bot/routes.py), or of the daemon's life (bot/app.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from telegram import Bot

from bot.access import Access, owner_of
from bot.business.cards import Cards
from bot.business.chats import OwnersChats
from bot.business.connections import Connections
from bot.business.desk import BusinessDesk
from bot.business.drafts import Drafts
from bot.business.leave import Leave
from bot.business.modes import Modes
from bot.business.wording import KEPT_OUT
from bot.commands import Commands
from bot.denial import Denial
from bot.desk import Desk
from bot.disclosure import Disclosure
from bot.engine import Engine
from bot.guests import Guests
from bot.handlers import Conversations
from bot.history import History
from bot.inbox import Inbox
from bot.invites import Invites
from bot.limits import Limits
from bot.menus import Menus
from bot.notices import Notices
from bot.order import PerChat
from bot.outlet import Outlet
from bot.pacing import Rhythm
from bot.pause import Pause
from bot.people import People
from bot.quiz import Quiz
from bot.retrain import Retraining
from bot.speech import Speech
from bot.switches import Switches
from bot.tries import Tries
from bot.tuning import Tuning
from bot.versions import Versions
from bot.welcome import Welcome
from bot.why import Why
from inference.generator import Generator
from inference.server.records import Records
from twin.jobs import JobQueue
from twin.quizzes import Quizzes
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store


class Parts:
    """The parts of one bot.

    Args:
        build: makes the generator, in a thread.
        queue: where updates go that are to be handled.
    """

    def __init__(
        self,
        settings: Settings,
        build: Callable[[], Generator],
        store: Store,
        rhythm: Rhythm,
        bot: Bot,
        queue: asyncio.Queue[object],
        inbox: Inbox,
        order: PerChat,
    ) -> None:
        db, telegram, clock = store.db, settings.telegram, rhythm.clock.now
        self._store = store
        self._inbox = inbox
        self._history = History(db)
        switches = Switches(db)
        tuning = Tuning(settings, switches)
        self.engine = Engine(settings, build, tuning.how)
        owner = owner_of(settings)
        self.speech = Speech(settings, tuning.language)
        registry, records = Registry(settings.adapters, db), Records(settings, clock)
        self.tries = Tries(bot, owner, self.engine, registry, records, switches, rhythm)
        connections = Connections(db, bot, owner, rhythm, clock)
        outlet = Outlet(bot, rhythm, connections.sending)
        conversation = (
            settings,
            bot,
            outlet,
            inbox,
            self._history,
            store.dialog_table,
            self.engine,
            self.tries,
            self.speech,
            rhythm,
            self.settle,
            tuning.pacing,
        )
        self.conversations = Conversations(*conversation)
        # whatever decides whether an update is answered at all
        people = People(db, owner, telegram.allowed_ids, clock)
        invites = Invites(db, people, clock)
        self.access = Access(settings, people, invites, self.speech)
        self.menus = Menus(bot, db, owner, self.speech)
        self._denial = Denial(order, self.conversations.bursts, inbox, self._history, self.settle)
        self.guests = Guests(bot, owner, people, invites, self.menus, rhythm, self._keep_out)
        disclosure = Disclosure(settings, db, clock)
        limits = Limits(db, telegram, clock)
        self.welcome = Welcome(self.access, limits, disclosure, self._history, self.speech, rhythm)
        # the owner's own chats
        modes, drafts = Modes(db, telegram.business, clock), Drafts(db, clock)
        leave = Leave(connections, modes, clock)
        self.owners_chats = OwnersChats(
            *conversation,
            store=store,
            connections=connections,
            modes=modes,
            leave=leave,
            drafts=drafts,
            limits=limits,
            disclosure=disclosure,
        )
        self.bursts = (self.conversations.bursts, self.owners_chats.bursts)
        self.business = BusinessDesk(store, owner, self.owners_chats, connections, modes, leave, drafts, rhythm)
        self.pause = Pause(
            bot,
            queue,
            self.access,
            switches,
            inbox,
            self._history,
            order,
            self.bursts,
            lambda update: self.owners_chats.passes(update) or self.business.is_on_card(update),
            telegram.answer_within_hours,
            rhythm,
        )
        self.pause.left = self.owners_chats.left
        self.cards = Cards(
            bot, owner, connections, modes, drafts, self._history, rhythm, lambda: self.pause.since is not None
        )
        # whatever answers for the twin, and not as it
        self.retraining = Retraining(bot, db, rhythm, clock)
        self.notices = Notices(bot, db, self.access.owner, rhythm)
        self.commands = Commands(
            settings,
            self.access,
            self._history,
            self.engine,
            JobQueue(db),
            registry,
            self.speech,
            rhythm,
            clock,
            lambda: self.pause.since,
            lambda: self.tries.version,
        )
        versions = Versions(records, self.tries)
        quizzes = Quizzes(db)
        self.quiz = Quiz(
            settings,
            bot,
            self.access.owner,
            outlet,
            self.engine,
            self.tries,
            registry,
            store.dialog_table,
            quizzes,
            self.speech,
            rhythm,
        )
        why, elsewhere = Why(settings, self._history), self.owners_chats.forget
        self.desk = Desk(versions, why, tuning, self._history, disclosure, quizzes, self.speech, rhythm, elsewhere)

    async def _keep_out(self, user_id: int) -> None:
        """Somebody gets no answer any more, in the bot's chats and in the owner's own."""
        await self._denial.of(user_id)
        await self.owners_chats.stop(user_id, KEPT_OUT)

    def answered(self, update_id: int) -> None:
        """An update went through its handler; one that waits for an answer stays open until that is sent."""
        if not any(bursts.holds(update_id) for bursts in self.bursts):
            self.settle([update_id])

    def settle(self, update_ids: Collection[int]) -> None:
        """Updates are answered: all of them are closed, or none."""
        with self._store.atomic():
            for update_id in update_ids:
                self._inbox.close(update_id)
                self._history.settle(update_id)

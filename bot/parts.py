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
        self._settings, self._store, self._rhythm = settings, store, rhythm
        self._bot, self._inbox, self._order = bot, inbox, order
        self._clock = rhythm.clock.now
        self._owner = owner_of(settings)
        self._make_shared(build)
        self._make_conversations()
        self._make_door()
        self._make_owners_chats()
        self._make_pause(queue)
        self._make_commands()
        self._make_desk()

    def _make_shared(self, build: Callable[[], Generator]) -> None:
        """What several parts go by."""
        settings, db = self._settings, self._store.db
        self._history = History(db)
        self._switches = Switches(db)
        self._tuning = Tuning(settings, self._switches)
        self.engine = Engine(settings, build, self._tuning.how)
        self.speech = Speech(settings, self._tuning.language)
        self._registry, self._records = Registry(settings.adapters, db), Records(settings, self._clock)
        self.tries = Tries(
            self._bot, self._owner, self.engine, self._registry, self._records, self._switches, self._rhythm
        )
        self._connections = Connections(db, self._bot, self._owner, self._rhythm, self._clock)
        self._outlet = Outlet(self._bot, self._rhythm, self._connections.sending)
        self._disclosure = Disclosure(settings, db, self._clock)
        self._limits = Limits(db, settings.telegram, self._clock)

    def _make_conversations(self) -> None:
        """The bot's own chats."""
        self._conversation = (
            self._settings,
            self._bot,
            self._outlet,
            self._inbox,
            self._history,
            self._store.dialog_table,
            self.engine,
            self.tries,
            self.speech,
            self._rhythm,
            self.settle,
            self._tuning.pacing,
        )
        self.conversations = Conversations(*self._conversation)

    def _make_door(self) -> None:
        """Whatever decides whether an update is answered at all."""
        db, settings, rhythm = self._store.db, self._settings, self._rhythm
        people = People(db, self._owner, settings.telegram.allowed_ids, self._clock)
        invites = Invites(db, people, self._clock)
        self.access = Access(settings, people, invites, self.speech)
        self.menus = Menus(self._bot, db, self._owner, self.speech)
        self._denial = Denial(self._order, self.conversations.bursts, self._inbox, self._history, self.settle)
        self.guests = Guests(self._bot, self._owner, people, invites, self.menus, rhythm, self._keep_out)
        self.welcome = Welcome(self.access, self._limits, self._disclosure, self._history, self.speech, rhythm)

    def _make_owners_chats(self) -> None:
        """Telegram Business."""
        store, connections = self._store, self._connections
        modes = Modes(store.db, self._settings.telegram.business, self._clock)
        drafts = Drafts(store.db, self._clock)
        leave = Leave(connections, modes, self._clock)
        self.owners_chats = OwnersChats(
            *self._conversation,
            store=store,
            connections=connections,
            modes=modes,
            leave=leave,
            drafts=drafts,
            limits=self._limits,
            disclosure=self._disclosure,
        )
        self.bursts = (self.conversations.bursts, self.owners_chats.bursts)
        self.business = BusinessDesk(
            store, self._owner, self.owners_chats, connections, modes, leave, drafts, self._rhythm
        )
        self.cards = Cards(
            self._bot, self._owner, connections, modes, drafts, self._history, self._rhythm, self._is_paused
        )

    def _make_pause(self, queue: asyncio.Queue[object]) -> None:
        """The kill switch, over all chats."""
        self.pause = Pause(
            self._bot,
            queue,
            self.access,
            self._switches,
            self._inbox,
            self._history,
            self._order,
            self.bursts,
            lambda update: self.owners_chats.passes(update) or self.business.is_on_card(update),
            self._settings.telegram.answer_within_hours,
            self._rhythm,
        )
        self.pause.left = self.owners_chats.left

    def _make_commands(self) -> None:
        """Whatever answers for the twin, and not as it."""
        self.retraining = Retraining(self._bot, self._store.db, self._rhythm, self._clock)
        self.notices = Notices(self._bot, self._store.db, self._owner, self._rhythm)
        self.commands = Commands(
            self._settings,
            self.access,
            self._history,
            self.engine,
            JobQueue(self._store.db),
            self._registry,
            self.speech,
            self._rhythm,
            self._clock,
            lambda: self.pause.since,
            lambda: self.tries.version,
        )

    def _make_desk(self) -> None:
        """What has buttons."""
        quizzes = Quizzes(self._store.db)
        self.quiz = Quiz(
            self._settings,
            self._bot,
            self._owner,
            self._outlet,
            self.engine,
            self.tries,
            self._registry,
            self._store.dialog_table,
            quizzes,
            self.speech,
            self._rhythm,
        )
        self.desk = Desk(
            Versions(self._records, self.tries),
            Why(self._settings, self._history),
            self._tuning,
            self._history,
            self._disclosure,
            quizzes,
            self.speech,
            self._rhythm,
            self.owners_chats.forget,
        )

    def _is_paused(self) -> bool:
        return self.pause.since is not None

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

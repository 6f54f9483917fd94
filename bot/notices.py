"""What the owner is told without having asked: how trainings ended that nobody followed in Telegram.

Knows nothing of how training is done; it sees jobs' rows.
"""

from __future__ import annotations

import asyncio
import logging

from sqlite_utils import Database
from telegram import Bot
from telegram.error import TelegramError

from bot import wording
from bot.delivery import deliver, to_its_end
from bot.pacing import Rhythm
from twin.jobs import RETRAIN, Job, JobQueue

_log = logging.getLogger(__name__)


class Notices:
    """Tells each end of a training once, across restarts; what ended before the bot first ran is old news.

    Args:
        owner: the chat to write to.
    """

    def __init__(self, bot: Bot, db: Database, owner: int, rhythm: Rhythm) -> None:
        self._bot = bot
        self._db = db
        self._queue = JobQueue(db)
        self._owner = owner
        self._rhythm = rhythm

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        if not self._db.execute("select 1 from bot_told").fetchone():
            self._mark(0)
            for job in self._untold():
                self._mark(job.id)
        while True:
            for job in self._untold():
                await to_its_end(self._tell(job), self._rhythm.close)
            await asyncio.sleep(self._rhythm.watch)

    def _untold(self) -> list[Job]:
        """Trainings that ended and whose end nobody was told, oldest first."""
        rows = self._db.execute(
            "select id from jobs where kind = ? and finished_at is not null and id not in (select job_id from bot_told)"
            " and id not in (select job_id from bot_watches) order by id",
            [RETRAIN],
        )
        return [self._queue.get(job_id) for (job_id,) in rows.fetchall()]

    async def _tell(self, job: Job) -> None:
        try:
            await deliver(lambda: self._bot.send_message(self._owner, wording.course(job)), self._rhythm)
        except TelegramError as error:  # they never wrote to the bot, or blocked it
            _log.warning("The owner could not be told of job %d (%s)", job.id, type(error).__name__)
        self._mark(job.id)

    def _mark(self, job_id: int) -> None:
        self._db.execute("insert or ignore into bot_told (job_id) values (?)", [job_id])

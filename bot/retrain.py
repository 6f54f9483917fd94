"""/retrain [force]: put a training into the queue and let one message follow it to its end, across restarts.

Knows nothing of how training is done; it sees the job's row.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from sqlite_utils import Database
from telegram import Bot, Update
from telegram.error import BadRequest, TelegramError

from bot import wording
from bot.delivery import deliver
from bot.pacing import Rhythm
from twin.errors import JobError
from twin.jobs import RETRAIN, JobQueue

_log = logging.getLogger(__name__)


class Retraining:
    """Trainings asked for in Telegram, and the messages that follow them.

    Args:
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, bot: Bot, db: Database, rhythm: Rhythm, clock: Callable[[], float]) -> None:
        self._bot = bot
        self._db = db
        self._queue = JobQueue(db)
        self._rhythm = rhythm
        self._clock = clock
        self._following: dict[int, asyncio.Task[None]] = {}

    async def command(self, update: Update, context: Any) -> None:
        """Queue a training, or tell that one is open; one message follows it from then on.

        With the word "force", what is trained will serve whatever the gate says, also of a training that is open.
        """
        message = update.message
        assert message is not None and message.from_user is not None
        words = [word.lower() for word in context.args or []]
        if words not in ([], ["force"]):
            await deliver(lambda: message.reply_text(wording.RETRAIN_USAGE), self._rhythm)
            return
        is_forced = bool(words)
        try:
            job = self._queue.enqueue(RETRAIN, f"telegram:{message.from_user.id}", self._clock(), force=is_forced)
            text = wording.course(job)
        except JobError:
            open_job = self._queue.open_job(RETRAIN)
            if open_job is None:  # it ended between the two questions
                await self.command(update, context)
                return
            job, text = open_job, wording.open_already(open_job)
            if is_forced:
                self._queue.force(job.id)
        if is_forced:
            text = f"{text} {wording.FORCED}"
        chat_id = message.chat_id
        answer = await deliver(lambda: self._bot.send_message(chat_id, text), self._rhythm)
        if job.id not in self._following:
            self._db.execute(
                "insert or replace into bot_watches (job_id, chat_id, message_id) values (?, ?, ?)",
                [job.id, chat_id, answer.message_id],
            )
            self._follow(job.id, chat_id, answer.message_id, shown=wording.course(job))

    def resume(self) -> None:
        """Follow again what was followed when the bot stopped; what ended meanwhile is told now."""
        for job_id, chat_id, message_id in self._db.execute("select * from bot_watches").fetchall():
            self._follow(job_id, chat_id, message_id, shown="")

    async def close(self) -> None:
        """Stop following; the rows stay for `resume`."""
        tasks = list(self._following.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self, job_id: int, chat_id: int, message_id: int, *, shown: str) -> None:
        task = asyncio.create_task(self._watch(job_id, chat_id, message_id, shown))
        self._following[job_id] = task
        task.add_done_callback(lambda _: self._following.pop(job_id, None))

    async def _watch(self, job_id: int, chat_id: int, message_id: int, shown: str) -> None:
        try:
            while True:
                job = self._queue.get(job_id)
                text = wording.course(job)
                if text != shown:
                    await self._edit(chat_id, message_id, text, is_last=not job.is_open)
                    shown = text
                if not job.is_open:
                    break
                await asyncio.sleep(self._rhythm.watch)
        except (JobError, TelegramError) as error:
            _log.warning("Job %d is no longer followed in Telegram (%s)", job_id, type(error).__name__)
        with self._db.atomic():
            self._db.execute("insert or ignore into bot_told (job_id) values (?)", [job_id])
            self._db.execute("delete from bot_watches where job_id = ?", [job_id])

    async def _edit(self, chat_id: int, message_id: int, text: str, *, is_last: bool) -> None:
        """Change the message; if it is gone, the end of the training is told in a new one."""
        try:
            await deliver(
                lambda: self._bot.edit_message_text(text, chat_id=chat_id, message_id=message_id), self._rhythm
            )
        except BadRequest as error:
            if is_last and "not modified" not in error.message:
                await deliver(lambda: self._bot.send_message(chat_id, text), self._rhythm)

"""Fifty people write while the line fails and bot and worker are killed again and again: everybody is answered once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.bot_api import OWNER, TOKEN, served
from tests.chaos import BOT, BadDay, Tally, Trouble, Victim, talk, tally
from twin.jobs import Job, JobQueue
from twin.store import Store

KILLS = int(os.environ.get("CHAOS_KILLS", "200"))
CHATS = range(20_001, 20_051)


def environment(home: Path, api: BadDay) -> dict[str, str]:
    """Settings of a bot that answers all of them, without limits or pauses."""
    chosen = {
        "OWNER_ID": str(OWNER),
        "ALLOWED_IDS": json.dumps(list(CHATS)),
        "BOT_API_URL": api.url,
        "DEBOUNCE_SECONDS": "0.2",
        "DEBOUNCE_MOST_SECONDS": "1",
        "BUBBLE_PAUSE_SECONDS": "0",
        "PACING": "fast",
        "DISCLOSURE": "false",
        "BUSY_SECONDS": "0",
        "MESSAGES_PER_MINUTE": "100000",
        "MESSAGES_PER_DAY": "100000",
        "MESSAGES_PER_DAY_IN_ALL": "1000000",
    }
    return (
        dict(os.environ)
        | {f"TWIN_TELEGRAM__{name}": value for name, value in chosen.items()}
        | {
            "TWIN_HOME": str(home),
            "TWIN_BOT_TOKEN": TOKEN,
            "TWIN_WORKER__POLL_SECONDS": "0.1",
            "TWIN_WORKER__STALE_SECONDS": "2",
        }
    )


def open_updates(home: Path) -> int:
    """How many messages wait for an answer."""
    with Store.open(home / "twin.db") as store:
        return int(store.db.execute("select count(*) from bot_inbox where answered_at is null").fetchone()[0])


def noted(home: Path) -> set[int]:
    """The ids of the messages that the bot knows to stand in a chat."""
    if not (home / "twin.db").exists():
        return set()
    with Store.open(home / "twin.db") as store:
        rows = store.db.execute("select message_id from bot_messages where speaker = 'owner' and message_id > 0")
        return {number for (number,) in rows}


async def kill_the_bot(bot: Victim, api: BadDay, rng: random.Random, home: Path) -> None:
    """Lives of random length, from when it first asks for updates; one in four ends while the program starts."""
    bot.start()
    for _ in range(KILLS - KILLS // 5):
        polls = api.polls
        if rng.random() < 0.25:
            await bot.live_and_die(rng.uniform(0, 2))
        else:
            await bot.live_and_die(rng.uniform(0, 2.5), lambda polls=polls: api.polls > polls)
        api.bot_died(noted(home))
        bot.start()


async def kill_the_worker(worker: Victim, rng: random.Random) -> None:
    """The same, with whatever training it runs."""
    worker.start()
    for _ in range(KILLS // 5):
        await worker.live_and_die(rng.uniform(1, 15))
        worker.start()


async def ask_for_trainings(api: BadDay, rng: random.Random, goes_on: asyncio.Event) -> int:
    """The owner's /retrain, now and then."""
    asked = 0
    while not goes_on.is_set():
        await api.write(OWNER, "/retrain")
        asked += 1
        await asyncio.sleep(rng.uniform(1, 4))
    return asked


async def the_day(home: Path, seed: int) -> tuple[Tally, Trouble, dict[str, int]]:
    """All of it; returns what came of it."""
    rng = random.Random(seed)
    trouble = Trouble(random.Random(seed + 1))
    async with served(BadDay(trouble)) as api:
        settings = environment(home, api)
        bot = Victim([sys.executable, "-c", BOT], settings, home / "bot.log")
        worker = Victim([sys.executable, "-m", "twin", "worker"], settings, home / "worker.log")
        is_evening = asyncio.Event()
        talking = [
            asyncio.create_task(talk(api, chat, random.Random(chat), lambda: not is_evening.is_set(), (5.0, 20.0)))
            for chat in CHATS
        ]
        training = asyncio.create_task(ask_for_trainings(api, random.Random(seed + 2), is_evening))
        try:
            await asyncio.gather(
                kill_the_bot(bot, api, rng, home),
                kill_the_worker(worker, random.Random(seed + 3)),
            )
            is_evening.set()
            asked = dict(zip(CHATS, await asyncio.gather(*talking), strict=True))
            await training
            trouble.is_over = True
            with suppress(AssertionError):  # the tally tells who was left waiting
                await api.until(lambda: open_updates(home) == 0, 600)
            await api.until(lambda: all(job.state in ("done", "failed") for job in jobs(home)), 120)
            for victim in (bot, worker):
                assert victim.process is not None
                victim.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(victim.process.wait, 60)
        finally:
            for victim in (bot, worker):
                victim.kill()
            for task in (*talking, training):
                task.cancel()
        return tally(api, asked), trouble, {"bot": bot.kills, "worker": worker.kills, "jobs": len(jobs(home))}


def jobs(home: Path) -> list[Job]:
    """All trainings that were asked for."""
    with Store.open(home / "twin.db") as store:
        return JobQueue(store.db).latest()


@pytest.mark.slow
def test_two_hundred_kills_under_load_and_failures_leave_every_message_answered_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, trouble, kills = asyncio.run(the_day(tmp_path, seed=20261122))
    summary = (
        f"{found.asked} messages in {len(CHATS)} chats, {found.answered} answered; {kills}; {trouble.counts};"
        f" said twice because nobody can know: {found.repeated}"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{summary}\n")
    assert found.wrong == [], summary
    assert found.answered == found.asked > 10 * len(CHATS) * KILLS / 200
    with Store.open(tmp_path / "twin.db") as store:
        assert store.db.execute("pragma integrity_check").fetchone() == ("ok",)

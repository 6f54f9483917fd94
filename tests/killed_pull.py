"""Pulls that are killed: `python -m tests.killed_pull DATABASE`, told on stdin how far the world is and when to kill.

A line "WORLD SECONDS" starts a pull in a process of its own and sends it SIGKILL that long after it connected; "WORLD"
alone lets it end by itself. The answer is a line: "killed" or "done". Everything is imported once, so that a kill costs
a fork and not the start of an interpreter.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.telegram_pull import Pull
from ingest.telegram_rows import Rows
from ingest.telethon_account import TelethonAccount
from ingest.telethon_client import make_client
from tests.exports import ANNA, BORIS, OWNER
from tests.telegram_objects import said, service, user
from tests.telegram_server import API_HASH, API_ID, Server, client_of, session_text, talk
from twin.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVER = datetime(1990, 1, 1, tzinfo=UTC)
CLARA, DORA = 203, 204
PAGE = 20


def world(age: int) -> Server:
    """The account after so many rounds of writing, editing and deleting; the same for the same age."""
    server = Server()
    server.users |= {CLARA: user(CLARA, "Clara"), DORA: user(DORA, "Dora")}
    for chat_id, count in ((ANNA, 1_500), (BORIS, 700), (CLARA, 400), (DORA, 15)):
        talk(server, chat_id, count)
    for turn in range(age):
        chance = random.Random(turn)
        for _ in range(40):
            chat_id, number = chance.choice((ANNA, ANNA, BORIS, CLARA)), server.last_id + chance.randint(1, 4)
            if chance.random() < 0.1:
                server.add(service(number, chat_id=chat_id))
            else:
                server.add(said(number, f"round {turn}: {number}", chat_id=chat_id, by_owner=chance.random() < 0.5))
        for _ in range(5):
            history = server.histories[chance.choice((ANNA, BORIS, CLARA))]
            one = chance.choice([one for one in history.values() if type(one).__name__ == "Message"])
            one.message, one.edit_date = f"{one.message} (edited in round {turn})", NOW + timedelta(seconds=turn)
        history = server.histories[chance.choice((ANNA, BORIS, CLARA))]
        del history[chance.choice(sorted(history)[1:-1])]
    return server


async def no_wait(seconds: float, why: str) -> None:
    await asyncio.sleep(0)


async def pull(server: Server, database: Path, connected: int | None = None) -> None:
    """One run; a byte into the pipe `connected` when it begins."""
    account = TelethonAccount(client_of(server, make_client(session_text(), API_ID, API_HASH)), no_wait, PAGE)
    await account.connect()
    if connected is not None:
        os.write(connected, b".")
    with Store.open(database) as store:
        await Pull(account, Rows(store, OWNER, EVER, lambda: NOW), EVER).run(await account.dialogs(), takeout=True)
    await account.close()


def start(database: Path, age: int, seconds: float | None) -> str:
    """One run in a process of its own; what became of it."""
    server = world(age)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            asyncio.run(pull(server, database, writing))
        except BaseException as error:  # noqa: BLE001 - told by the exit code
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else "failed"


def main() -> None:
    """Answer lines until there are none."""
    database = Path(sys.argv[1])
    for line in sys.stdin:
        age, *seconds = line.split()
        sys.stdout.write(start(database, int(age), float(seconds[0]) if seconds else None) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""`twin bot` in a process of its own that kills itself at a given write: for proofs that nothing is lost at any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bot_api import OWNER, TOKEN, BotApi

_BOT = """
import os, signal, sys
sys.path.insert(0, {root!r})
import bot.cli
from tests.bot_api import Parrot
from twin.store import Store

left = [{point}]
has_begun = []
TABLES = ("bot_inbox", "bot_messages", "business_drafts")
WRITES = ("insert", "update", "delete", "commit", "begin")

def watch(statement):
    words = statement.lower().split()
    if "insert" in words and "bot_inbox" in words:
        has_begun.append(True)
    if not has_begun or not words or words[0] not in WRITES:
        return
    if words[0] not in ("commit", "begin") and not any(name in words for name in TABLES):
        return
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

opened = Store.of.__func__
def of(cls, settings):
    store = opened(cls, settings)
    store.db.conn.set_trace_callback(watch)
    return store
Store.of = classmethod(of)
bot.cli.build_generator = lambda settings: Parrot(lambda heard: [" + ".join(heard), "and more"])
from twin.cli import main
main(["bot"])
"""


async def lives_until(
    home: Path, api: BotApi, point: int, play: Callable[[Callable[[], bool]], Awaitable[None]], **telegram: str
) -> bool:
    """One life of a bot that repeats what it heard, and says "and more".

    Args:
        point: at which write of what it writes from the first update on it is killed.
        play: what others do meanwhile, given what tells whether it is dead; returns when the bot may be stopped.
        telegram: further settings of that section, by their names in capitals.

    Returns:
        whether it was killed; not if it lived to the end.
    """
    chosen = {"OWNER_ID": str(OWNER), "BOT_API_URL": api.url, "BUSY_SECONDS": "0"} | telegram
    environment = os.environ | {f"TWIN_TELEGRAM__{name}": value for name, value in chosen.items()}
    environment |= {"TWIN_HOME": str(home), "TWIN_BOT_TOKEN": TOKEN}
    program = _BOT.format(root=str(Path(__file__).parents[1]), point=point)
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL)
    try:
        await play(lambda: process.poll() is not None)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        await api.until(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait()
    return process.returncode == -signal.SIGKILL

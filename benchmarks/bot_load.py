"""What the bot adds to a reply's time under the load of fifty chats, and whether its memory stays flat.

    .venv/bin/python benchmarks/bot_load.py                    (five minutes of the bot, one of the peer)
    .venv/bin/python benchmarks/bot_load.py --seconds 30 --json

Fifty people write bursts of one to four messages to a Bot API server in this process (`lo-bot-api-emulator`), wait for
the answer, think for 2 to 8 seconds, and write again. The bot is `twin bot` in a process of its own, with everything it
does for durability, and a generator that takes 200 ms. The peer is a bare python-telegram-bot application that sleeps
200 ms and answers each message, remembering nothing: what the library and this machine cost in any case.

A reply's overhead is what is left of the time from the last message of a burst to its first bubble when the gathering
(`telegram.debounce_seconds`, 1 s here) and the generator's 200 ms are taken off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.bot_api import OWNER, TOKEN, BotApi, served  # noqa: E402 - the emulator as the tests have it

GENERATOR_S, QUIET_S = 0.2, 1.0
TWIN = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
import bot.cli
from tests.bot_api import Parrot

def slow(heard):
    time.sleep({GENERATOR_S})
    return ["you said " + heard[-1]]

class Forgetful(Parrot):  # what a test wants to know afterwards would look like a leak
    def reply(self, *asked):
        try:
            return super().reply(*asked)
        finally:
            self.asked.clear()
            self.conversations.clear()

bot.cli.build_generator = lambda settings: Forgetful(slow)
from twin.cli import main
main(["bot"])
"""
PEER = f"""
import asyncio, os
from telegram.ext import Application, MessageHandler, filters
from telegram.request import HTTPXRequest

async def answer(update, context):
    await asyncio.sleep({GENERATOR_S})
    await context.bot.send_message(update.effective_chat.id, "you said " + update.message.text)

url = os.environ["TWIN_TELEGRAM__BOT_API_URL"]
app = Application.builder().token(os.environ["TWIN_BOT_TOKEN"]).base_url(url + "/bot").concurrent_updates(256)
app = app.request(HTTPXRequest(connection_pool_size=256)).build()
app.add_handler(MessageHandler(filters.ALL, answer))
app.run_polling()
"""


@dataclass
class Seen:
    """What a run showed: overheads in seconds, in the order of the answers, and (second, MiB) of resident memory."""

    overheads: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    messages: int = 0


class Watched(BotApi):
    """The emulator, telling when what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: dict[str, float] = {}
        self.news = asyncio.Condition()

    async def handle(self, request: Any) -> Any:
        """As ever; then whoever waits looks again."""
        before = len(self.calls)
        response = await super().handle(request)
        for call in self.calls[before:]:
            if call.method == "sendMessage" and call.text:
                self.answered.setdefault(call.text, time.monotonic())
        if len(self.calls) > before:
            async with self.news:
                self.news.notify_all()
        return response

    async def answer_to(self, text: str) -> float:
        """Wait for it; returns when it came, on the monotonic clock."""
        answer = f"you said {text}"
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(lambda: answer in self.answered), 60)
        return self.answered[answer]


async def person(api: Watched, chat: int, until: float, quiet: float, seen: Seen) -> None:
    """One chat, from its first burst to the end of the run."""
    rng, number = random.Random(chat), 0
    await asyncio.sleep(rng.uniform(0, 6))
    while time.monotonic() < until:
        text, at = "", 0.0
        for _ in range(rng.choice([1, 1, 2, 3, 4])):
            await asyncio.sleep(rng.uniform(0.05, 0.3))
            number += 1
            text = f"{chat}:{number}"
            await api.write(chat, text)
            at = time.monotonic()
            seen.messages += 1
        seen.overheads.append(await api.answer_to(text) - at - quiet - GENERATOR_S)
        await asyncio.sleep(rng.uniform(2, 8))


async def watch_memory(pid: int, seen: Seen) -> None:
    """A sample every second, for as long as it runs."""
    begin = time.monotonic()
    while True:
        status = Path(f"/proc/{pid}/status").read_text()
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        seen.memory.append((time.monotonic() - begin, kilobytes / 1024))
        await asyncio.sleep(1)


async def run(program: str, chats: int, seconds: float, quiet: float) -> Seen:
    """Load one program."""
    people = range(30_001, 30_001 + chats)
    seen = Seen()
    with tempfile.TemporaryDirectory() as home:
        async with served(Watched()) as api:
            settings = {
                "OWNER_ID": str(OWNER),
                "ALLOWED_IDS": json.dumps(list(people)),
                "BOT_API_URL": api.url,
                "DEBOUNCE_SECONDS": str(quiet),
                "PACING": "fast",
                "DISCLOSURE": "false",
                "MESSAGES_PER_MINUTE": "100000",
                "MESSAGES_PER_DAY": "100000",
                "MESSAGES_PER_DAY_IN_ALL": "1000000",
            }
            environment = dict(os.environ) | {f"TWIN_TELEGRAM__{name}": value for name, value in settings.items()}
            environment |= {"TWIN_HOME": home, "TWIN_BOT_TOKEN": TOKEN}
            with subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE) as process:
                watching = asyncio.create_task(watch_memory(process.pid, seen))
                try:
                    await api.write(people[0], "are you there?")
                    await api.until(lambda: api.answered)
                    until = time.monotonic() + seconds
                    await asyncio.gather(*(person(api, chat, until, quiet, seen) for chat in people))
                finally:
                    watching.cancel()
                    process.terminate()
    return seen


def quantile(values: list[float], share: float) -> float:
    """The value below which so large a share lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def figures(seen: Seen) -> dict[str, float]:
    """Milliseconds and MiB; memory as medians of the second and the last fifth of the run, as the first warms up."""
    fifth = max(1, len(seen.memory) // 5)
    return {
        "messages": seen.messages,
        "replies": len(seen.overheads),
        "overhead_p50_ms": 1000 * statistics.median(seen.overheads),
        "overhead_p95_ms": 1000 * quantile(seen.overheads, 0.95),
        "overhead_p99_ms": 1000 * quantile(seen.overheads, 0.99),
        "memory_early_mib": statistics.median(size for _, size in seen.memory[fifth : 2 * fifth]),
        "memory_late_mib": statistics.median(size for _, size in seen.memory[-fifth:]),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300, help="of load on the bot (300)")
    parser.add_argument("--peer-seconds", type=float, default=60, help="of load on the bare library (60)")
    parser.add_argument("--chats", type=int, default=50, help="(50)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    result = {
        "twin": figures(asyncio.run(run(TWIN, arguments.chats, arguments.seconds, QUIET_S))),
        "bare": figures(asyncio.run(run(PEER, arguments.chats, arguments.peer_seconds, 0))),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{arguments.chats} chats, generator {1000 * GENERATOR_S:.0f} ms")
    print(f"{'':28}{'twin bot':>12}{'bare library':>14}")
    for name in result["twin"]:
        print(f"{name:28}{result['twin'][name]:>12.1f}{result['bare'][name]:>14.1f}")


if __name__ == "__main__":
    main()

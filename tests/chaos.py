"""A bad day: a Bot API that fails in all its ways, processes that are killed, and people who write on all the while.

Used by the chaos proof and by nothing else; what was said is told apart by numbers, `PLACE:NUMBER`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from aiohttp import web

from tests.bot_api import BotApi

BOT = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import bot.cli
from tests.bot_api import Parrot

def repeat(heard):
    time.sleep(0.05)
    return heard

bot.cli.build_generator = lambda settings: Parrot(repeat)
from twin.cli import main
main(["bot"])
"""


@dataclass
class Trouble:
    """How often a request fails, and how; the rest succeeds.

    Attributes:
        refused: it is not carried out: 429, 500, 502 with a page of a proxy's, or the connection ends.
        unanswered: it is carried out, and the connection ends before the answer.
        counts: what happened so often.
    """

    random: random.Random
    refused: float = 0.05
    unanswered: float = 0.005
    is_over: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    def strikes(self, share: float) -> bool:
        """Whether it happens now."""
        return not self.is_over and self.random.random() < share

    def count(self, what: str) -> None:
        """It did."""
        self.counts[what] = self.counts.get(what, 0) + 1


class BadDay(BotApi):
    """The emulator with trouble on the line.

    Attributes:
        in_doubt: indexes in `calls` of messages that stand in a chat, which the bot cannot know: the line went dead
            before the answer, or the bot was killed before it could note it.
        polls: how often it was asked for updates.
    """

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(max_updates=1_000_000)
        self.trouble = trouble
        self.in_doubt: set[int] = set()
        self.polls = 0
        self._seen = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """As the emulator does, if nothing is in the way."""
        self.polls += request.match_info["method"] == "getUpdates"
        if self.trouble.strikes(self.trouble.refused):
            return self._fail(request)
        before = len(self.calls)
        response = await super().handle(request)
        is_send = request.match_info["method"] == "sendMessage" and len(self.calls) > before
        if is_send and self.trouble.strikes(self.trouble.unanswered):
            self.trouble.count("answer lost")
            self.in_doubt.add(before)
            _hang_up(request)
        return response

    def bot_died(self, noted: Set[int]) -> None:
        """The bot was killed having noted that the messages with these ids were sent."""
        for index in range(self._seen, len(self.calls)):
            call = self.calls[index]
            if call.method == "sendMessage" and call.message_id not in noted:
                self.in_doubt.add(index)
        self._seen = len(self.calls)

    def _fail(self, request: web.Request) -> web.StreamResponse:
        kind = self.trouble.random.choice(["429", "500", "502", "connection lost"])
        self.trouble.count(kind)
        if kind == "429":
            error = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 1"}
            return web.json_response(error | {"parameters": {"retry_after": 1}}, status=429)
        if kind == "500":
            error = {"ok": False, "error_code": 500, "description": "Internal Server Error"}
            return web.json_response(error, status=500)
        if kind == "502":
            return web.Response(status=502, text="<html><body>Bad Gateway</body></html>", content_type="text/html")
        _hang_up(request)
        return web.Response()


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


@dataclass
class Victim:
    """A process that is started again whenever it is killed.

    Attributes:
        kills: how often it was.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    kills: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """A new life."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command), env=dict(self.environment), stderr=log, stdout=log, start_new_session=True
            )

    async def live_and_die(self, seconds: float, is_up: Callable[[], bool] = lambda: True) -> None:
        """Let it live so long from when it is up, then kill it and all its children.

        Raises:
            AssertionError: it ended by itself.
        """
        assert self.process is not None
        while not is_up() and self.process.poll() is None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(seconds)
        assert self.process.poll() is None, f"it ended by itself:\n{self.log.read_text()[-2000:]}"
        self.kill()
        self.kills += 1

    def kill(self) -> None:
        """SIGKILL, to its whole process group."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@dataclass
class Tally:
    """What became of the messages of all chats.

    Attributes:
        asked, answered: messages, and those of them that got an answer.
        repeated: answers that stand there twice because nobody can know: the bot was killed, or the line went dead,
            between Telegram's taking a message and the bot's noting it.
        wrong: whatever else is not one answer each, in order, as sentences.
    """

    asked: int = 0
    answered: int = 0
    repeated: int = 0
    wrong: list[str] = field(default_factory=list)


def tally(api: BadDay, asked: Mapping[int, Sequence[str]]) -> Tally:
    """Compare what every chat was told with what it asked; answers repeat the questions."""
    found = Tally()
    for chat, questions in asked.items():
        sends = [
            (index, call.text or "")
            for index, call in enumerate(api.calls)
            if call.method == "sendMessage" and call.chat_id == chat
        ]
        once: list[str] = []
        previous: tuple[int, str] | None = None
        for index, text in sends:
            if previous is not None and text == previous[1] and previous[0] in api.in_doubt:
                found.repeated += 1
            else:
                once.append(text)
            previous = (index, text)
        found.asked += len(questions)
        found.answered += len(set(once) & set(questions))
        if once != list(questions):
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(once, questions, strict=False)))
            found.wrong.append(f"chat {chat} from {same} on: {questions[same : same + 3]}, {once[same : same + 3]}")
    return found


async def talk(
    api: BotApi, chat: int, rng: random.Random, goes_on: Callable[[], bool], pause: tuple[float, float]
) -> list[str]:
    """One person writes, now a line, now a few; returns what they wrote, in order."""
    written: list[str] = []
    while goes_on():
        for _ in range(rng.choice([1, 1, 2, 3])):
            written.append(f"{chat}:{len(written)}")
            await api.write(chat, written[-1])
            await asyncio.sleep(rng.uniform(0, 0.1))
        await asyncio.sleep(rng.uniform(*pause))
    return written

"""Whatever is held out, a guest reads nothing of anybody else's dialog, and nobody what was learned from."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.engine import Engine
from bot.outlet import Outlet
from bot.quiz import Quiz
from bot.speech import Speech
from bot.switches import Switches
from bot.tries import Tries
from inference.server.records import Records
from tests.bot_api import FAST, FRIEND, OWNER
from tests.quizzing import SNAPSHOT, Answering, hold_out, serve
from twin.messages import Bubble, Session, Turn
from twin.quizzes import Quizzes
from twin.registry import Registry
from twin.session_lines import write_session
from twin.settings import Settings
from twin.store import Store

CHATS = (FRIEND, OWNER, 4004, -4004, 0, FRIEND + 1)
_MARKED = re.compile(r"chat(-?\d+)part(\w)")
TURNS = st.lists(st.tuples(st.booleans(), st.sampled_from([None, "secret"])), min_size=1, max_size=6)
SESSIONS = st.lists(st.tuples(st.sampled_from(CHATS), TURNS), max_size=8)


def _session(chat: int, part: str, turns: list[tuple[bool, str | None]]) -> Session:
    """A session in which every bubble tells where it stands."""
    speakers = ["owner" if (number % 2) == 1 else "other" for number in range(len(turns))]
    return Session(
        chat,
        tuple(
            Turn(speaker, (Bubble(f"chat{chat}part{part} {n}", is_own),), withheld=withheld if n % 2 else None)  # type: ignore[arg-type]
            for n, (speaker, (is_own, withheld)) in enumerate(zip(speakers, turns, strict=True))
        ),
    )


async def _shown(home: Path, user: int) -> tuple[str, Answering]:
    """What the bot sends to somebody who asks for quizzes, and what the twin was asked meanwhile."""
    settings = Settings(home=home, telegram={"owner_id": OWNER}, owner={"language": "en"})  # type: ignore[arg-type]
    twin, bot = Answering(), AsyncMock()
    with Store.of(settings) as store:
        engine = Engine(settings, lambda: twin)
        await engine.load()
        registry, switches = Registry(settings.adapters, store.db), Switches(store.db)
        tries = Tries(bot, OWNER, engine, registry, Records(settings, lambda: 0.0), switches, FAST)
        speech, outlet = Speech(settings, lambda: "en"), Outlet(bot, FAST)
        dialogs, rows = store.dialog_table, Quizzes(store.db)
        quiz = Quiz(settings, bot, OWNER, outlet, engine, tries, registry, dialogs, rows, speech, FAST)
        for _ in range(4):
            update: Any = SimpleNamespace(effective_user=SimpleNamespace(id=user))
            await quiz.command(update, None)
        await engine.close(30)
        kept = str(list(store.db.query("select * from quizzes")))
    assert not _MARKED.search(kept)
    return str(bot.mock_calls), twin


@hypothesis_settings(max_examples=25)
@given(SESSIONS, SESSIONS, st.sampled_from([FRIEND, OWNER, 4004, 999]))
def test_a_guest_reads_their_own_held_out_moments_and_the_owner_all_of_them_and_nothing_else(
    held: list[tuple[int, list[tuple[bool, str | None]]]],
    learned: list[tuple[int, list[tuple[bool, str | None]]]],
    user: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        hold_out(home, [_session(chat, "T", turns) for chat, turns in held])
        for part in ("train", "val"):
            lines = [write_session(_session(chat, "L", turns)) for chat, turns in learned]
            (home / "datasets" / SNAPSHOT / f"{part}.jsonl").write_text("".join(lines))
        serve(home)
        shown, twin = asyncio.run(_shown(home, user))
    read = {(int(chat), part) for chat, part in _MARKED.findall(shown)}
    asked = {conversation.chat_id for conversation in twin.conversations}
    assert {part for _, part in read} <= {"T"}
    assert {chat for chat, _ in read} == asked
    assert asked <= ({user} if user != OWNER else {*CHATS} - {0})
    fit = {
        chat
        for chat, turns in held
        if chat and any(number % 2 and own and not why for number, (own, why) in enumerate(turns))
    }
    assert bool(asked) == bool(fit if user == OWNER else fit & {user})

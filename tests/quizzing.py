"""A home with held-out moments, and a bot that is asked for quizzes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inference.generator import ANYHOW, TwinReply, Wish
from tests.bot_api import BotApi, Parrot
from tests.bot_versions import publish
from twin.errors import AdapterError
from twin.messages import Conversation, Session, Turn
from twin.session_lines import write_session

SNAPSHOT = "5a95"
VERSION = "20261101-040000-aaaa"


def moment(chat: int, asked: str, *answer: str) -> Session:
    """A conversation in which the owner answered one question."""
    return Session(chat, (Turn.of("other", [asked]), Turn.of("owner", answer)))


def hold_out(home: Path, sessions: Sequence[Session], snapshot: str = SNAPSHOT) -> None:
    """A snapshot that holds out these; the other parts are others' affair."""
    folder = home / "datasets" / snapshot
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "test.jsonl").write_text("".join(map(write_session, sessions)), encoding="utf-8")


def serve(home: Path, version: str = VERSION, *, is_promoted: bool = True, snapshot: str = SNAPSHOT) -> None:
    """A version that learned from a snapshot."""
    publish(home, version, is_promoted=is_promoted, dataset=snapshot)


@dataclass
class Answering(Parrot):
    """Answers every moment of a quiz alike, by whatever version is wished for; remembers by which.

    Attributes:
        answers: what it writes, one after the other; the last one again and again.
        broken: versions that cannot be loaded.
    """

    adapter: str | None = VERSION
    answers: list[tuple[str, ...]] = field(default_factory=lambda: [("the twin says so",)])
    broken: frozenset[str] = frozenset()
    by: list[str | None] = field(default_factory=list)

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        """The next answer."""
        self.conversations.append(conversation)
        version = wish.version or self.adapter
        if version in self.broken:
            raise AdapterError(f"The adapter {version} is broken", "retrain")
        self.by.append(version)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return TwinReply(answer, version)


async def said_to(api: BotApi, user: int, text: str) -> str:
    """Write to the bot; returns the first message that comes back."""
    before = len(api.texts(user))
    await api.write(user, text)
    await api.until(lambda: len(api.texts(user)) > before)
    return api.texts(user)[before]


async def chosen(api: BotApi, user: int, side: str) -> str:
    """Press a button of the newest question, which Telegram sends along; returns what it then says."""
    question = next(call for call in reversed(api.calls) if call.chat_id == user and call.text)
    before = len(api.edits(user))
    assert question.message_id is not None
    await api.press(user, api.buttons(user)[side], question.message_id, question.text or "?")
    await api.until(lambda: len(api.edits(user)) > before)
    return api.edits(user)[before]


def answers_in(question: str) -> dict[str, tuple[str, ...]]:
    """The two answers of a question, by their letters."""
    lines = question.split("\n")
    first, second = lines.index("A"), len(lines) - 1 - lines[::-1].index("B")
    return {"A": tuple(lines[first + 1 : second - 1]), "B": tuple(lines[second + 1 : -2])}

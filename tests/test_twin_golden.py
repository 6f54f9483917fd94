"""The conversations of tests/golden, each of which shows one rule: messages in, rendered text out.

They are documentation: read them. A file has sections; "learned" is what the loss sees in the plain template, "prompt"
is what a twin that opens the conversation is asked with, and "· · ·" stands between sessions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.transcript import read, rendered, text_of
from twin.conversations import sessions
from twin.messages import Conversation, Message, Peer, Session
from twin.placeholders import LANGUAGES
from twin.prompt import PromptSpec, render_prompt

FILES = sorted(Path(__file__).with_name("golden").glob("*.txt"))
BREAK = "· · ·\n"
_MESSAGE = re.compile(
    r"#(?P<id>\d+) (?P<at>\S+ \S+) (?P<who>me|them)(?: \((?P<how>[^)]*)\))?: ?"
    r"(?:\{(?P<media>\w+)(?: (?P<note>[^}]*))?\} ?)?(?P<text>.*)",
    re.DOTALL,
)


@dataclass
class Golden:
    """One file: its options before the first section, and its sections by name."""

    options: dict[str, str]
    sections: dict[str, str]

    @classmethod
    def of(cls, path: Path) -> Golden:
        told, *parts = re.split(r"^== (\w+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        options = dict(re.findall(r"^(\w+): (.+)$", told, flags=re.MULTILINE))
        return cls(options, dict(zip(parts[::2], parts[1::2], strict=True)))

    @property
    def language(self) -> str:
        return self.options.get("language", "en")

    @property
    def sessions(self) -> list[Session]:
        peer = Peer(*self.options["peer"].rsplit(", ", 1)) if "peer" in self.options else Peer()
        lines = re.split(r"\n(?=#\d)", self.sections["messages"].strip("\n"))
        chat_id = int(self.options.get("chat", 1))
        return sessions([message(line, chat_id) for line in lines], language=self.language, peer=peer)

    def spec(self, template: str) -> PromptSpec:
        tells = self.options.get("tells", "").split()
        return PromptSpec(
            template=template,
            system=self.options.get("system", ""),
            peer=next((how for how in ("name", "pseudonym") if how in tells), "none"),
            relation="relation" in tells,
            time_of_day="time_of_day" in tells,
            gaps="gaps" in tells,
            language=self.language,
            timezone=self.options.get("timezone", "UTC"),
        )

    def shows(self, section: str) -> list[str]:
        """What a section says of each session, without the empty lines at its end."""
        return [part.rstrip("\n") for part in self.sections[section].split(BREAK)]


def message(line: str, chat_id: int) -> Message:
    """One line of the messages' section; what continues it is indented."""
    found = _MESSAGE.fullmatch(line)
    assert found, line
    how: dict[str, Any] = {}
    for told in filter(None, (found["how"] or "").split(", ")):
        verb, _, rest = told.partition(" ")
        match verb:
            case "answers":
                how["reply_to"] = int(rest.removeprefix("#"))
            case "from":
                how["forwarded_from"] = rest
            case "via":
                how["via_bot"] = rest
            case "deleted":
                how["deleted_at"] = datetime(2025, 1, 1, tzinfo=UTC)
    return Message(
        chat_id=chat_id,
        message_id=int(found["id"]),
        sent_at=datetime.fromisoformat(found["at"]).replace(tzinfo=UTC),
        sender_id=None,
        is_owner=found["who"] == "me",
        text=found["text"].replace("\n    ", "\n"),
        media=found["media"],
        media_note=found["note"],
        **how,
    )


@pytest.mark.parametrize("template", ["plain", "chatml"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_conversation_renders_as_its_file_shows(path: Path, template: str) -> None:
    golden = Golden.of(path)
    spec = golden.spec(template)
    texts = [text_of(rendered(spec, session)) for session in golden.sessions]
    assert [text.rstrip("\n") for text in texts] == golden.shows(template)
    for text in texts:
        named = replace(spec, peer="name", relation=True)  # who was read back has a name, were it a pseudonym
        assert text_of(rendered(named, read(spec, text))) == text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_conversation_teaches_what_its_file_shows(path: Path) -> None:
    golden = Golden.of(path)
    spec = golden.spec("plain")
    learned = [
        "".join(segment.text for segment in rendered(spec, session) if segment.supervised)
        for session in golden.sessions
    ]
    assert [text.rstrip("\n") for text in learned] == golden.shows("learned")


@pytest.mark.parametrize("path", [path for path in FILES if "prompt" in Golden.of(path).sections], ids=lambda p: p.stem)
def test_a_golden_opening_is_asked_for_as_its_file_shows(path: Path) -> None:
    golden = Golden.of(path)
    session = golden.sessions[-1]
    asked = Conversation((), session.peer, session.chat_id, session.turns[0].started_at, session.previous_at)
    prompt = text_of([part for group in render_prompt(golden.spec("plain"), asked) for part in group])
    assert [prompt.rstrip("\n")] == golden.shows("prompt")
    assert text_of(rendered(golden.spec("plain"), session)).startswith(prompt)


def test_the_golden_conversations_are_in_several_scripts_and_directions() -> None:
    languages = {Golden.of(path).language for path in FILES}
    assert {"en", "ru", "zh", "he", "ar"} <= languages <= LANGUAGES

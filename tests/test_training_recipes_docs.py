"""docs/recipes.md tells the truth: every command in it runs, every verb is in it, every format's example is read."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from tests.chats import fill
from tests.pdfs import make_pdf
from tests.stand_in_teacher import KEY, stand_in
from tests.test_training_recipes_book import STORY, printed
from training.cli import dataset
from training.recipes.answers import Answer
from training.recipes.exchange import READERS
from training.recipes.records import Reading
from twin.settings import Settings

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
VERBS = ("import", "export", "identity", "transcript", "book", "distill", "sets")
CHATML = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhey<|im_end|>\n"
FILES = {
    "tasks.json": [{"instruction": "Say hello.", "input": "In Latin.", "output": "Salve!"}],
    "friends.jsonl.gz": [{"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hey\nyou"}]}],
    "forum.json": [{"conversations": [{"from": "Bo", "value": "hi"}, {"from": "Ada", "value": "hey\n\nyou"}]}],
    "chats.txt": f"{CHATML}\n{CHATML}",
    "messages.jsonl": [{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hey"}]}],
    "answers.jsonl": [{"question": f"What about {n}?", "answer": f"I sold number {n} last year."} for n in range(6)],
    "interview.txt": "Host: How did it begin?\nAda (00:15): With a door.\n[00:01:02] Host: A door?\nAda: A door.\n",
    "memoir.txt": "\n\n".join(STORY),
    "memoir.pdf": make_pdf(printed(STORY)),
}


class Asker:
    """In place of the base model, which takes its time: its own tests are in test_training_recipes_book.py."""

    model = "asker"

    def __init__(self, settings: Settings, language: str | None) -> None:
        assert language == "en"

    def ask(self, passage: str) -> Answer:
        return Answer("What about the boats?")


@pytest.fixture
def desk(tmp_path, monkeypatch, store):
    """A folder with an invented file for every recipe, and a history of which a snapshot can be built."""
    import gzip

    for name, content in FILES.items():
        if isinstance(content, list):
            content = json.dumps(content) if Path(name).suffix == ".json" else "\n".join(map(json.dumps, content))
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    fill(store)
    store.db.execute("update messages set text = text || ' number ' || message_id")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_page_runs(desk, run_twin, monkeypatch):
    monkeypatch.setenv("TWIN_TEACHER_KEY", KEY)
    monkeypatch.setattr("training.recipes.base_interviewer.BaseInterviewer", Asker)
    assert run_twin("dataset", "build").code == 0
    administration = [line for line in COMMANDS if " sets " in line]
    exports_of_sets = [line for line in COMMANDS if "export" in line and "--set" in line]
    later = [*exports_of_sets, *administration]
    with stand_in(reply=lambda messages: f"What about {messages[-1]['content'][:12]}?") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        for line in [*(line for line in COMMANDS if line not in later), *later]:
            ran = run_twin(*shlex.split(line)[1:])
            assert (ran.code, ran.err) == (0, ""), f"{line}: {ran.err}"
            assert ran.out.strip() and "Traceback" not in ran.out
        assert server.wrong == []
    assert {"train.json", "train.jsonl", "train.txt.gz", "test.jsonl", "friends.jsonl"} <= {
        p.name for p in desk.iterdir()
    }


def test_every_verb_is_on_the_page_and_its_help_has_an_example():
    told = {line.split()[2] for line in COMMANDS}
    assert told == set(VERBS) <= set(dataset.commands)
    for verb in VERBS:
        example = re.search(r"Example:\n\s+twin dataset (\w+)", (dataset.commands[verb].help or "").replace("\b\n", ""))
        assert example and example[1] == verb


def test_every_option_of_the_page_is_there():
    for line in COMMANDS:
        words = shlex.split(line)[2:]
        command: click.Command = dataset
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("form", list(READERS))
def test_the_record_that_the_page_shows_is_of_its_format(form):
    (row,) = re.findall(rf"^\| `{form}` \| (.*) \|$", PAGE, re.M)
    shown = re.search(r"`(\{.*?\})`[;,]? ?", row) or re.search(r"`(\{.*\})`", row)
    if form == "chatml":
        value: object = FILES["chats.txt"].split("\n\n")[0]
        assert "<\\|im_start\\|>user" in row
    else:
        value = json.loads(shown[1])
    turns = READERS[form].read(value, Reading()).turns
    assert [turn.speaker for turn in turns] == ["other", "owner"]


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", PAGE, re.S))
def test_the_settings_that_the_page_shows_are_settings(block, home):
    assert Settings(home=home.home, **tomllib.loads(block)) != home


def test_the_defaults_of_the_page_are_the_defaults():
    assert "passages of 300 to 2,000 characters" in PAGE
    from training.recipes import book_text, phrases

    assert (book_text.SHORTEST, book_text.LONGEST) == (300, 2000)
    for found in phrases.PHRASES.values():
        assert min(map(len, (found.name, found.place, found.occupation, found.about))) >= 8

"""Books: printed pages repaired into paragraphs, cut into passages, each after a question that is asked only once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pdfs import make_pdf
from tests.stand_in_teacher import KEY, stand_in
from training.recipes.account import Account
from training.recipes.answers import Answer, Answers
from training.recipes.asking import Asking
from training.recipes.base_interviewer import BaseInterviewer
from training.recipes.book import book_rows
from training.recipes.book_text import LONGEST, SHORTEST, paragraphs, passages, read_passages
from training.recipes.interview import is_about, is_copied, question_in
from training.recipes.leaving import CannotScrub
from training.recipes.teacher import Refused
from twin.errors import DatasetError
from twin.messages import Turn

BOAT = (
    "My grandfather built boats out of doors. He said that a door had already learned to open, and that water respects"
    " what is well-known. We laughed, and then we rowed until the extraordinary evening ended."
)
WINTER = "In winter the lake froze, and the boats stood in the yard like a small, patient town."
DEATH = "Then he died."
KIN = ["grandfather", "grandmother", "uncle", "aunt", "cousin", "neighbour", "teacher", "brother"]
STORY = [
    paragraph
    for kin in KIN
    for paragraph in (BOAT.replace("grandfather", kin), WINTER.replace("the boats", f"what my {kin} had built"), DEATH)
]


def printed(text: list[str], a_page: int = 14) -> list[list[str]]:
    """Pages as a printer makes them: wrapped, hyphenated, with heads on odd and even pages and numbers below."""
    lines: list[str] = []
    for paragraph in text:
        for line in textwrap.wrap(paragraph, 60, break_long_words=False, break_on_hyphens=False):
            lines += line.replace("extraordinary", "extraordi-\nnary").split("\n")
    pages = [lines[start : start + a_page] for start in range(0, len(lines), a_page)]
    return [
        [f"{number}  ADA EXAMPLE" if number % 2 else f"The Doors  {number}", "", *page, "", f"- {number} -"]
        for number, page in enumerate(pages, 1)
    ]


def test_a_pdf_is_repaired_to_the_words_that_were_written(tmp_path):
    path = tmp_path / "doors.pdf"
    path.write_bytes(make_pdf(printed(STORY)))
    account = Account()
    found = read_passages(path, account)
    assert " ".join(" ".join(found).split()) == " ".join(STORY)
    assert all(SHORTEST <= len(passage) <= LONGEST for passage in found)
    assert account.notes["running heads, feet and page numbers left out"] == 2 * len(printed(STORY))
    apart = [line for passage in found for line in passage.split("\n")]
    assert apart.count(DEATH) >= 4 and len(set(apart) & set(STORY)) > len(set(STORY)) / 2, "paragraphs are kept apart"


@pytest.mark.parametrize("joint", ["\f", "\n\n"])
def test_a_printed_text_is_repaired_as_well(tmp_path, joint):
    path = tmp_path / "doors.txt"
    path.write_text(joint.join("\n".join([*page[2:-1], page[-1]]) for page in printed(STORY)))
    assert " ".join(" ".join(read_passages(path, Account())).split()) == " ".join(STORY)


def test_a_text_with_a_paragraph_a_line_stays_as_it_is(tmp_path):
    path = tmp_path / "doors.txt"
    path.write_text("\r\n".join(STORY * 2))
    assert "\n".join(read_passages(path, Account())).split("\n") == STORY * 2


def test_a_word_that_has_a_hyphen_elsewhere_keeps_it():
    page = "It is a well-known lake, a well-\nknown house and an over-\nnight boat.\n"
    assert paragraphs([page], Account()) == ["It is a well-known lake, a well-known house and an overnight boat."]


def test_soft_hyphens_ligatures_and_chinese_lines_are_joined():
    joined = paragraphs(["The \ufb01sh was won\u00ad\nderful to\u00adday.\n"], Account())
    assert joined == ["The fish was wonderful today."]
    joined = paragraphs(["我第一次做饭是因\n为停电。那天晚上\n很黑。\n"], Account())
    assert joined == ["我第一次做饭是因为停电。那天晚上很黑。"]


def test_headings_separators_and_contents_are_no_prose():
    page = f"Contents\n\nOne lake .......... 3\n\nCHAPTER ONE\n\n{BOAT}\n\n* * *\n\nГлава 2\n\n12\n\n第三章\n\n{WINTER}"
    account = Account()
    assert paragraphs([page], account) == ["Contents", BOAT, WINTER]
    assert account.notes["headings, separators and lines of contents left out"] == 6


def test_indented_paragraphs_and_those_across_pages_are_told_apart():
    page = "    The first one begins here and goes on\nto the second line.\n    The second one is\nhere and goes"
    found = paragraphs([page, "on upon the next page.\n    The third."], Account())
    assert found == [
        "The first one begins here and goes on to the second line.",
        "The second one is here and goes on upon the next page.",
        "The third.",
    ]


words = st.sampled_from(["boat", "lake.", "Door!", "Mr.", "好的。", "да?", "x" * 90, "it,"])
written = st.lists(st.lists(words, min_size=1, max_size=500).map(" ".join), max_size=6)


@settings(max_examples=60, deadline=None)
@given(written)
def test_every_passage_has_its_size_and_nothing_is_lost(text):
    account = Account()
    found = passages(text, account)
    assert all(SHORTEST <= len(passage) <= LONGEST for passage in found)
    if found:
        assert "".join("".join(found).split()) == "".join("".join(text).split())
    else:
        assert sum(map(len, text)) + len(text) <= SHORTEST and bool(text) == bool(account.left_out)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.txt", None, "cannot be read"),
        ("none.pdf", None, "cannot be read"),
        ("empty.txt", b"", "holds no passage of 300 characters: give it a longer text"),
        ("bytes.txt", b"\xff" * 999, "not UTF-8"),
        ("broken.pdf", b"%PDF-1.4\nnonsense", "no PDF that can be read"),
        ("scan.pdf", make_pdf([[], []]), "it may be scanned: run OCR first"),
    ],
)
def test_a_book_that_cannot_be_read_is_one_sentence(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=words):
        read_passages(path, Account())


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Why doors?", "Why doors?"),
        ('\n  "Why doors?" I asked.\nBecause.', "Why doors?"),
        ("1. Why doors?", "Why doors?"),
        ("**Question:** Why doors?", "Why doors?"),
        ("Вопрос: почему двери?", "почему двери?"),
        ("问题：为什么用门板做船？", "为什么用门板做船？"),
        ("<think>hm\n?</think>\nWhy doors?", "Why doors?"),
        ("Because of the doors.", None),
        ("?", None),
        ("", None),
        ("Why " + "very " * 100 + "much?", None),
    ],
)
def test_the_question_is_found_in_what_was_written(text, question):
    assert question_in(text) == question


def test_a_question_of_the_examples_is_no_question_of_the_passage():
    assert is_copied("how did your brother get you across the lake without a boat?", "en")
    assert is_copied("没有吵架，那你为什么还是离开了公司？", "zh")
    assert not is_copied("Who taught you to build boats?", "en")
    assert is_about("Who built the boats?", BOAT) and not is_about("Why did you do that?", BOAT)
    assert is_about("为什么停电？", "我第一次做饭是因为停电。")


class Asker:
    """An interviewer who counts, and breaks off or refuses where told."""

    model = "asker"

    def __init__(self, **faults: Exception) -> None:
        self.asked: list[str] = []
        self.faults = faults

    def ask(self, passage: str) -> Answer:
        self.asked.append(passage)
        if fault := self.faults.get(passage[0]):
            raise fault
        return Answer("no idea" if passage.startswith("n") else f"About {passage[:9]}?", "stop", 10, 2)


def rows_of(store, found: list[str], asker: Asker, limit: int | None = None):
    asking = Asking("book", asker.model, Answers(store.db), lambda: datetime.now(UTC), limit)
    return list(book_rows(found, asker, asking)), asking.account, asking.spent


def test_every_passage_is_asked_about_once_whatever_happens(store):
    found = ["a" * 300, "b" * 300, "n" * 300, "c" * 300]
    asker = Asker(c=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        rows_of(store, found, asker)
    again = Asker()
    rows, account, spent = rows_of(store, found, again)
    assert again.asked == [found[3]] and (spent.asked, spent.kept) == (1, 3)
    assert [row.turns[0] for row in rows] == [Turn.of("other", [f"About {letter * 9}?"]) for letter in "abc"]
    assert account.left_out == {"no question came back": [3]}
    rows_of(store, found, nobody := Asker())
    assert nobody.asked == []


def test_paragraphs_are_bubbles_and_a_limit_leaves_the_rest_for_later(store):
    found = ["a" * 150 + "\n" + "b" * 150, "c" * 300, "d" * 300]
    rows, account, spent = rows_of(store, found, Asker(), limit=1)
    assert [len(bubble.text) for bubble in rows[0].turns[1].bubbles] == [150, 150]
    assert spent.asked == 1 and account.notes["questions left for the next run (--limit)"] == 2
    rows, account, spent = rows_of(store, found, Asker(), limit=1)
    assert (len(rows), spent.asked, spent.kept) == (2, 1, 1)


def test_a_passage_that_is_refused_or_cannot_be_scrubbed_is_counted(store):
    asker = Asker(a=Refused("refused by the teacher (HTTP 400)"), b=CannotScrub())
    rows, account, _ = rows_of(store, ["a" * 300, "b" * 300, "c" * 300], asker)
    assert len(rows) == 1
    assert account.left_out == {
        "refused by the teacher (HTTP 400)": [1],
        "the scrubber failed, so it was not sent": [2],
    }


def test_the_base_model_asks_the_same_again_and_reads_its_examples_once(home, tiny_base, monkeypatch):
    monkeypatch.setenv("TWIN_BASE__MODEL", str(tiny_base()))
    from twin.settings import load_settings

    monkeypatch.setattr("training.recipes.base_interviewer._QUESTION_TOKENS", 6)
    monkeypatch.setattr("training.recipes.base_interviewer._ATTEMPTS", 2)
    asker = BaseInterviewer(load_settings(), "fr")
    first, other = asker.ask(BOAT), asker.ask(WINTER)
    assert asker.ask(BOAT) == first
    assert all(question_in(answer.text) for answer in (first, other) if answer.text)
    assert asker.model == f"base model {tiny_base()}"


def book(tmp_path, count: int = 8):
    path = tmp_path / "doors.txt"
    path.write_text("\n\n".join(f"Chapter and verse {number} begin. {BOAT} {WINTER}" for number in range(count)))
    return path


def test_the_command_asks_a_teacher_and_shows_what_it_took(tmp_path, run_twin, home, monkeypatch):
    monkeypatch.setenv("TWIN_TEACHER_KEY", KEY)
    with stand_in(reply=lambda messages: f"What about {messages[-1]['content'][:19]}?") as server:
        for name, value in server.environment(price_in=1000, price_out=2000).items():
            monkeypatch.setenv(name, value)
        told = json.loads(run_twin("dataset", "book", book(tmp_path), "--teacher", "--limit", "3", "--json").out)
        assert (told["passages"], told["rows"], told["spent"]["answers"], told["spent"]["cost"]) == (8, 3, 3, 0.36)
        ran = run_twin("dataset", "book", book(tmp_path), "--teacher")
        assert ran.code == 0 and "5 questions written now, 3 kept from before" in ran.out
        assert "Now: 500 prompt tokens and 50 written, 0.6000" in ran.out and "In all runs: 800 prompt" in ran.out
        assert server.wrong == [] and server.requests == 8
    listed = json.loads(run_twin("dataset", "sets", "list", "--json").out)[0]
    assert (listed["rows"], listed["is_synthetic"], listed["source"]) == (8, False, "doors.txt")


def test_nothing_leaves_the_machine_unless_told_so(tmp_path, run_twin, home, monkeypatch):
    monkeypatch.setenv("TWIN_TEACHER__URL", "https://api.example.com/v1")
    monkeypatch.setenv("TWIN_TEACHER__MODEL", "m")
    ran = run_twin("dataset", "book", book(tmp_path), "--teacher")
    assert ran.code == 2 and "would leave this machine for api.example.com: say so with --send-to-teacher" in ran.err


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path, home, eventually):
    """Killed while it waits for the fourth answer; the next run asks the fourth again and none of the first three."""
    reached = threading.Event()

    def reply(messages: list[dict[str, str]]) -> str:
        if len(server.asked) == 4 and not reached.is_set():
            reached.set()
            server.closing.wait(60)
        return "What about the doors?"

    with stand_in(reply=reply) as server:
        environment = os.environ | server.environment() | {"TWIN_TEACHER_KEY": KEY}
        command = [sys.executable, "-m", "twin", "dataset", "book", str(book(tmp_path)), "--teacher", "--json"]
        first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert reached.wait(120)
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        asked = [messages[-1]["content"] for messages in server.asked]
    told = json.loads(done.stdout)
    assert (told["rows"], told["spent"]["answers"], told["spent"]["kept"]) == (8, 5, 3)
    assert len(asked) == 9 and asked[3] == asked[4] and len(set(asked)) == 8


@pytest.mark.slow
def test_the_embedded_base_model_writes_questions_to_a_book(tmp_path, run_twin, home, monkeypatch):
    monkeypatch.setenv("TWIN_CACHE", os.environ.get("TWIN_TEST_CACHE", str(tmp_path)))
    ran = run_twin("dataset", "book", book(tmp_path, 3), "--json")
    told = json.loads(ran.out)
    assert told["rows"] >= 2 and told["rows"] + sum(r["count"] for r in told["left_out"].values()) == 3
    again = json.loads(run_twin("dataset", "book", book(tmp_path, 3), "--json").out)
    assert again["spent"]["kept"] == 3 and again["set"]["rows"] == told["rows"]

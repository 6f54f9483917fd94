"""The day-0 twin: the owner's own replies, found by what they answered, before there is any adapter."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.day0 import Day0Generator, PastReplies
from tests.chats import ANSWERS, QUESTIONS, fill
from twin.errors import DatasetError
from twin.messages import Bubble, Conversation, Session, Turn


def past(*pairs: tuple[str, str]) -> PastReplies:
    return PastReplies([((Turn.of("other", [asked]),), (said,)) for asked, said in pairs])


def asked(*texts: str) -> Sequence[Turn]:
    return [Turn.of("other" if (len(texts) - n) % 2 else "owner", [text]) for n, text in enumerate(texts)]


def test_a_question_is_answered_as_the_most_similar_one_was():
    found = past(("do you like pizza?", "love it"), ("where are you?", "home"), ("when are you coming?", "at 8"))
    assert found.nearest(asked("so where are you now")) == ("home",)
    assert found.nearest(asked("Pizza tonight?")) == ("love it",)
    assert past(("你喜欢吃什么", "面条"), ("你在哪里", "家")).nearest(asked("现在在哪里")) == ("家",)


def test_what_was_said_before_decides_between_equal_questions():
    def moment(first: str, said: str) -> tuple[Sequence[Turn], tuple[str, ...]]:
        return asked(first, "hm", "and you?"), (said,)

    found = PastReplies([moment("I had soup for lunch", "a salad"), moment("I am so tired of school", "me too")])
    assert found.nearest(asked("school is so boring", "hm", "and you?")) == ("me too",)
    assert found.nearest(asked("lunch was great", "hm", "and you?")) == ("a salad",)


def test_of_equal_moments_the_latest_answers_and_nothing_is_said_twice():
    found = past(("hey", "old hello"), ("hey", "new hello"))
    assert found.nearest(asked("hey")) == ("new hello",)
    assert found.nearest(asked("hey", "new hello", "hey")) == ("old hello",)
    assert found.nearest(asked("hey", "old hello", "hey", "new hello", "hey")) == ("new hello",)


def test_words_never_heard_get_the_commonest_reply():
    found = past(("a", "ok"), ("b", "no"), ("c", "ok"))
    assert found.nearest(asked("zzz")) == ("ok",)
    assert found.nearest([]) == ("ok",)


def test_only_own_words_that_may_be_learned_are_said():
    hey = Turn.of("other", ["hey"])
    photo, words = Bubble("[photo]", authored=False), Bubble("look")
    secret = Turn("owner", (Bubble("hey hey hey"),), withheld="secret")
    sessions = [
        Session(7, (hey, secret)),
        Session(7, (hey, Turn("owner", (photo,)))),
        Session(0, (hey, Turn.of("owner", ["from a book"])), origin="book"),
        Session(7, (hey, Turn("owner", (photo, words)))),
    ]
    found = PastReplies.of(sessions)
    assert len(found) == 1 and found.nearest(asked("hey")) == ("look",)
    with pytest.raises(DatasetError, match="no past reply"):
        PastReplies.of(sessions[:3])


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6), st.text(max_size=12))
def test_whatever_is_asked_some_past_reply_is_the_answer(questions: list[str], question: str) -> None:
    found = past(*((text, f"answer {place}") for place, text in enumerate(questions)))
    assert found.nearest(asked(question))[0] in {f"answer {place}" for place in range(len(questions))}


def test_it_speaks_from_the_newest_snapshot_before_any_training(home, store, run_twin, monkeypatch):
    missing = run_twin("chat", "--day0")
    assert missing.code == 2 and "run `twin dataset build`" in missing.err
    fill(store)
    assert run_twin("dataset", "build", "--json").code == 0
    for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
        lines = json.dumps({"messages": [{"role": "user", "content": question}]})
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        ran = run_twin("reply", "--day0")
        assert json.loads(ran.out) == {"bubbles": [answer], "adapter": "day0"}
    monkeypatch.setattr("sys.stdin", io.StringIO("what do you think\n"))
    chat = run_twin("chat", "--day0")
    assert chat.code == 0 and "twin no idea lol" in chat.out and "your own past" in chat.out


def test_reply_speaks_as_one_of_them_only(home, run_twin, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ran = run_twin("reply", "--day0", "--base")
    assert ran.code == 2 and "Choose one of" in ran.err


def test_a_damaged_snapshot_is_one_sentence_with_a_remedy(home, store, run_twin):
    fill(store)
    folder = Path(json.loads(run_twin("dataset", "build", "--json").out)["path"])
    (folder / "train.jsonl").write_text("{\n")
    with pytest.raises(DatasetError, match="is damaged: delete its folder"):
        Day0Generator.open(home)


def test_it_fulfils_the_protocol_of_a_generator(home, store, run_twin):
    fill(store)
    run_twin("dataset", "build", "--json")
    generator = Day0Generator.open(home)
    generator.refresh()
    conversations = [Conversation(tuple(asked(text))) for text in ("hey", "when?")]
    assert generator.replies(conversations) == [generator.reply(one) for one in conversations]
    assert generator.refused is None and generator.prompt.language == "en"
    generator.close()

"""Distillation: three of the owner's pairs, a fourth question, and never its true answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stand_in_teacher import KEY, stand_in
from training.recipes.answers import Answer, Answers
from training.recipes.asking import Asking
from training.recipes.distill import Pair, bubbles_of, choose_examples, conversation, distilled_rows, fault_of, pairs_of
from training.recipes.leaving import CannotScrub
from training.recipes.sets import Sets
from training.recipes.teacher import ATTEMPTS, Teacher
from twin.errors import DatasetError, TeacherError
from twin.messages import Bubble, Session, Turn
from twin.sections import Teacher as TeacherSettings

TOPICS = ["boat", "lake", "door", "bread", "school", "rain", "garden", "bicycle", "kitchen", "market"]
PAIRS = [
    Pair((f"what about the {topic}?",), (f"oh the {topic}", f"i sold my {topic} last year"), chat)
    for chat, topic in enumerate(TOPICS, 1)
]


def run(store, server, pairs=PAIRS, waits=None, scrub=list, limit: int | None = None):
    with Teacher(TeacherSettings(**server.settings()), KEY, sleep=(waits or []).append) as teacher:
        asking = Asking("distill", teacher.model, Answers(store.db), lambda: datetime.now(UTC), limit)
        rows = list(distilled_rows(pairs, teacher, scrub, asking))
    return rows, asking.account, asking.spent


def asked_of(server) -> list[str]:
    return [messages[-1]["content"] for messages in server.asked]


def test_the_teacher_sees_three_pairs_and_a_question_but_never_its_true_answer(store):
    with stand_in() as server:
        rows, account, spent = run(store, server)
        assert server.wrong == [] and len(server.asked) == len(rows) == len(PAIRS) == account.owner_turns
    answers = {pair.question[0]: "\n".join(pair.answer) for pair in PAIRS}
    for messages in server.asked:
        roles = [message["role"] for message in messages]
        assert roles == ["system", "user", "assistant", "user", "assistant", "user", "assistant", "user"]
        said = [message["content"] for message in messages]
        shown = dict(zip(said[1:7:2], said[2:7:2], strict=True))
        assert len(shown) == 3 and all(answers[question] == answer for question, answer in shown.items())
        fourth = said[-1]
        assert fourth not in shown
        assert answers[fourth] not in json.dumps(messages)
        assert not any(bubble in json.dumps(messages) for bubble in answers[fourth].split("\n"))
    assert (spent.asked, spent.prompt_tokens, spent.completion_tokens) == (10, 1000, 100)


def test_the_rows_are_the_questions_with_the_teachers_bubbles(store):
    with stand_in(reply=lambda messages: "haha\nno↵idea") as server:
        rows, _, _ = run(store, server)
        again, _, _ = run(store, server)
    assert {row.turns[0].bubbles[0].text for row in rows} == {pair.question[0] for pair in PAIRS}
    assert {row.turns[1] for row in rows} == {Turn.of("owner", ["haha", "no\nidea"])}
    assert all(len(row.chats) == 4 for row in rows), "the question's dialog and those of the examples"
    assert again == rows, "also when nothing has to be asked"


short = st.sampled_from(["ok", "да", "好", "yes i sold it", "i sold my boat last year", "no", "ok ok", "later, maybe"])
question = st.sampled_from(
    ["when?", "ok?", "so", "i heard i sold my boat last year", "когда?", "好吗", "what now", "hm"]
)
some_pairs = st.lists(
    st.builds(Pair, st.tuples(question), st.lists(short, min_size=1, max_size=2).map(tuple)), min_size=4, max_size=20
)


@settings(max_examples=80, deadline=None)
@given(some_pairs, st.data())
def test_no_version_of_the_true_answer_stands_in_the_examples(pairs, data):
    asked = data.draw(st.sampled_from(pairs))
    same = [pair for pair in pairs if pair.question == asked.question]
    examples = choose_examples(pairs, same)
    assert choose_examples(pairs, same) == examples, "the words alone decide"
    for example in examples or ():
        shown = " ".join((*example.question, *example.answer)).casefold()
        for pair in same:
            answer = " ".join(pair.answer).casefold()
            assert answer not in shown if len(answer) >= 12 else f" {answer} " not in f" {shown} "
    if examples:
        assert len({pair.question for pair in (*examples, asked)}) == 4
        assert len({pair.answer for pair in examples}) == 3


def test_a_question_that_holds_its_own_answer_is_left_out(store):
    pairs = [*PAIRS, Pair(("was it “i sold my everything last year”?",), ("i sold my everything last year",))]
    with stand_in() as server:
        rows, account, _ = run(store, server, pairs)
    assert len(rows) == 10 and not [asked for asked in asked_of(server) if "everything" in asked]
    assert list(account.left_out) == ["no three pairs that do not hold its answer"]


def test_a_question_is_asked_once_however_often_it_was_put(store):
    pairs = [*PAIRS, Pair(("What about  the BOAT?",), ("a boat is a boat",), 99)]
    with stand_in() as server:
        rows, _, _ = run(store, server, pairs)
        assert len(rows) == 10 and len(set(asked_of(server))) == 10
        boat = next(messages for messages in server.asked if "boat" in messages[-1]["content"].casefold())
    assert "a boat is a boat" not in str(boat) and "i sold my boat" not in str(boat)
    assert any(99 in row.chats and 1 in row.chats for row in rows)


def test_nothing_is_asked_twice_and_a_larger_history_asks_only_what_is_new(store):
    with stand_in() as server:
        _, account, spent = run(store, server, limit=4)
        assert (spent.asked, account.notes["questions left for the next run (--limit)"]) == (4, 6)
        rows, _, spent = run(store, server)
        assert (len(rows), spent.asked, spent.kept) == (10, 6, 4)
        more = [*PAIRS, Pair(("what about the tram?",), ("the tram was blue and slow",))]
        rows, _, spent = run(store, server, more)
        assert (len(rows), spent.asked, spent.kept) == (11, 1, 10)
        assert len(asked_of(server)) == len(set(asked_of(server))) == 11


def test_what_was_answered_before_the_teacher_gave_up_is_kept(store):
    waits: list[float] = []
    with stand_in(faults=deque([None] * 3 + [500] * ATTEMPTS)) as server:
        with pytest.raises(TeacherError, match="run it again: what was answered is kept"):
            run(store, server, waits=waits)
        _, _, spent = run(store, server)
    assert (spent.kept, spent.asked) == (3, 7)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer("yeah"), None),
        (Answer(""), "an empty answer"),
        (Answer("<think>what would they say"), "an empty answer"),
        (Answer("yea", "length"), "an answer that broke off"),
        (Answer("", "content_filter"), "filtered by the teacher"),
        (Answer("x" * 601), "an answer that is too long"),
        (Answer("As an AI language model, I cannot say."), "an answer that speaks of itself as a model"),
        (Answer("Как языковая модель, я не могу"), "an answer that speaks of itself as a model"),
        (Answer("作为一个人工智能，我不能"), "an answer that speaks of itself as a model"),
    ],
)
def test_answers_that_must_not_be_learned_are_known(answer, fault):
    assert fault_of(answer) == fault


def test_faults_are_counted_and_paid_for_but_not_asked_again(store):
    with stand_in(reply=lambda messages: "" if "boat" in messages[-1]["content"] else "ok") as server:
        rows, account, spent = run(store, server)
        assert len(rows) == 9 and account.left_out_records == 1 and spent.asked == 10
        _, account, spent = run(store, server)
        assert account.left_out_records == 1 and spent.asked == 0


def test_a_teachers_thoughts_are_not_its_answer():
    assert bubbles_of(Answer("<think>they say yo\nor hi</think>\n\nyo\n\nsup")) == ("yo", "sup")


def test_one_question_may_be_refused_without_the_others(store):
    with stand_in(faults=deque([400])) as server:
        rows, account, _ = run(store, server)
    assert len(rows) == 9 and list(account.left_out) == ["refused by the teacher (HTTP 400)"]


def test_what_is_sent_is_scrubbed_and_what_cannot_be_is_not_sent(store):
    def scrub(texts):
        if "boat" in texts[-1]:
            raise CannotScrub
        return [text.replace("lake", "[place]") for text in texts]

    with stand_in() as server:
        rows, account, _ = run(store, server, scrub=scrub)
    assert "lake" not in str(server.asked) and "[place]" in str(server.asked)
    assert account.left_out_records == 1 and list(account.left_out) == ["the scrubber failed, so it was not sent"]
    assert len(rows) == 9 and not [asked for asked in asked_of(server) if "boat" in asked]
    assert any("lake" in row.turns[0].bubbles[0].text for row in rows), "the row has the question as it was"


def test_a_burst_goes_out_as_lines(store):
    pairs = [Pair(("one\ntwo", "three"), ("a\nb", "c"), 1)] * 3
    messages = conversation(pairs, PAIRS[0], list)
    assert messages[1]["content"] == "one↵two\nthree" and messages[2]["content"] == "a↵b\nc"


def test_pairs_are_questions_with_answers_that_may_be_learned():
    session = Session(
        5,
        (
            Turn.of("owner", ["hi"]),
            Turn.of("other", ["how are you?"]),
            Turn("owner", (Bubble("[photo]", authored=False), Bubble("fine"))),
            Turn.of("other", ["the code?"]),
            Turn("owner", (Bubble("1234"),), withheld="secret"),
            Turn("other", (Bubble("[photo]", authored=False),)),
            Turn.of("owner", ["nice"]),
            Turn.of("other", ["x" * 601]),
            Turn.of("owner", ["long"]),
        ),
    )
    assert list(pairs_of([session])) == [Pair(("how are you?",), ("fine",), 5)]


def test_too_few_pairs_are_said(store):
    with stand_in() as server, pytest.raises(DatasetError, match="only 3 different questions"):
        run(store, server, PAIRS[:3])


def teach(server, monkeypatch, **more) -> None:
    monkeypatch.setenv("TWIN_TEACHER_KEY", KEY)
    for name, value in server.environment(**more).items():
        monkeypatch.setenv(name, value)


def keep_pairs(store, count: int = 10) -> None:
    rows = [(Turn.of("other", pair.question), Turn.of("owner", pair.answer)) for pair in PAIRS[:count]]
    from training.recipes.sets import SetRow

    Sets(store.db).put("mine", [SetRow(turns) for turns in rows], kind="qa", now=datetime(2025, 1, 1, tzinfo=UTC))


def test_the_command_distills_the_newest_snapshots_training_part(run_twin, home, store, monkeypatch):
    from tests.chats import ANSWERS, fill

    fill(store, days=30)
    store.db.execute("update messages set text = text || ' about ' || message_id where not is_owner")
    store.db.execute("update messages set text = text || ' number ' || message_id where is_owner")
    assert run_twin("dataset", "build").code == 0
    with stand_in() as server:
        teach(server, monkeypatch, price_in=100)
        ran = run_twin("dataset", "distill", "--limit", "5", "--json")
        told = json.loads(ran.out)
        assert server.wrong == [] and len(server.asked) == 5
    assert told["rows"] == told["set"]["rows"] == 5 and told["set"]["is_synthetic"]
    assert told["spent"] == {
        "answers": 5,
        "prompt_tokens": 500,
        "completion_tokens": 50,
        "uncounted": 0,
        "cost": 0.05,
        "kept": 0,
    }
    assert all(any(answer in m["content"] for answer in ANSWERS) for found in server.asked for m in found[2:7:2])
    with store.db.conn:
        latest = int(store.db.execute("select max(message_id) from messages").fetchone()[0])
    assert f"number {latest}" not in str(server.asked), "nothing held out is shown"


def test_the_command_distills_a_set_and_shows_costs(run_twin, home, store, monkeypatch):
    keep_pairs(store)
    with stand_in(usage=False) as server:
        teach(server, monkeypatch, price_in=1)
        ran = run_twin("dataset", "distill", "--set", "mine", "--name", "styled", "--weight", "0.5")
    assert ran.code == 0, ran.err
    assert "10 questions answered now, 0 kept from before" in ran.out and "distill, synthetic" in ran.out
    assert "0 prompt tokens and 0 written, 0.0000 by the prices set (10 answers came without counts)" in ran.out
    assert run_twin("dataset", "distill", "--set", "mine", "--name", "mine").code == 2
    assert {info.name: info.weight for info in Sets(store.db).all()} == {"mine": 1, "styled": 0.5}


def test_a_teacher_elsewhere_needs_the_owners_word(run_twin, home, store, monkeypatch):
    keep_pairs(store)
    assert "set teacher.url in twin.toml" in run_twin("dataset", "distill", "--set", "mine").err
    monkeypatch.setenv("TWIN_TEACHER__URL", "http://192.0.2.1/v1")
    monkeypatch.setenv("TWIN_TEACHER__MODEL", "m")
    ran = run_twin("dataset", "distill", "--set", "mine")
    assert ran.code == 2 and "leave this machine for 192.0.2.1: say so with --send-to-teacher" in ran.err
    assert [info.name for info in Sets(store.db).all()] == ["mine"]


def test_a_run_that_is_killed_goes_on_where_it_was(home, store):
    """Killed while it waits for the fifth answer; the next run asks the fifth again and none of the first four."""
    keep_pairs(store)
    reached = threading.Event()

    def reply(messages: list[dict[str, str]]) -> str:
        if len(server.asked) == 5 and not reached.is_set():
            reached.set()
            server.closing.wait(60)
        return "yeah"

    with stand_in(reply=reply) as server:
        environment = os.environ | server.environment() | {"TWIN_TEACHER_KEY": KEY}
        command = [sys.executable, "-m", "twin", "dataset", "distill", "--set", "mine", "--json"]
        first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert reached.wait(120)
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
        assert [info.name for info in Sets(store.db).all()] == ["mine"], "no half of a set"
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        asked = asked_of(server)
    told = json.loads(done.stdout)
    assert (told["rows"], told["spent"]["answers"], told["spent"]["kept"]) == (10, 6, 4)
    assert len(asked) == 11 and asked[4] == asked[5] and len(set(asked)) == 10

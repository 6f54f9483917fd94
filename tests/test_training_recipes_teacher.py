"""The teacher's address: the wire as OpenAI has it, faults that pass and faults that do not, what may leave at all."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.stand_in_teacher import KEY, stand_in
from training.recipes.answers import Answer, Answers, Spent, key_of
from training.recipes.leaving import CannotScrub, scrub_for
from training.recipes.teacher import ATTEMPTS, Refused, Teacher, address
from twin.errors import SettingsError, TeacherError
from twin.sections import Teacher as TeacherSettings
from twin.settings import teacher_key

QUESTION = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "привет\n好"}]


def ask(server, waits: list[float] | None = None, **more) -> Answer:
    settings = TeacherSettings(**server.settings(**more))
    with Teacher(settings, KEY, sleep=(waits if waits is not None else []).append) as teacher:
        return teacher.ask(QUESTION)


def test_a_question_goes_out_and_an_answer_with_its_tokens_comes_back():
    with stand_in() as server:
        assert ask(server) == Answer("re: привет\n好", "stop", 100, 10)
        assert server.asked == [QUESTION] and server.wrong == []


def test_the_address_may_be_given_with_its_path_or_a_slash():
    with stand_in() as server:
        for url in (server.url, f"{server.url}/", f"{server.url}/chat/completions"):
            ask(server, url=url)
        assert server.wrong == [] and server.requests == 3


def test_what_passes_is_tried_again_after_growing_pauses():
    waits: list[float] = []
    with stand_in(faults=deque([500, 503, "garbage", "drop", 429])) as server:
        assert ask(server, waits).text.startswith("re:")
        assert server.requests == 6
    assert waits == [1, 2, 4, 8, 16]


def test_as_long_as_the_address_asks_for_is_waited():
    waits: list[float] = []
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    with stand_in(faults=deque([(429, "7"), (503, "0"), (429, later), (429, "soon")])) as server:
        ask(server, waits)
    assert waits[:2] == [7, 0] and 0 < waits[2] <= 90 and waits[3] == 8


def test_too_long_a_wait_is_left_to_the_owner():
    with stand_in(faults=deque([(429, "86400")])) as server, pytest.raises(TeacherError, match="asks to wait 86400"):
        ask(server)


def test_an_answer_that_does_not_come_in_time_is_asked_for_again():
    with stand_in(faults=deque(["hang"])) as server:
        assert ask(server, timeout_seconds=2).text.startswith("re:")
        assert server.requests >= 2


@pytest.mark.parametrize("fault", [500, "garbage", "drop"])
def test_what_does_not_pass_ends_in_one_sentence(fault):
    with stand_in(faults=deque([fault] * ATTEMPTS)) as server:
        with pytest.raises(TeacherError, match=f"did not answer, {ATTEMPTS} times") as refused:
            ask(server)
        assert server.requests == ATTEMPTS
    assert KEY not in str(refused.value) and "привет" not in str(refused.value)


@pytest.mark.parametrize(("status", "words"), [(401, "TWIN_TEACHER_KEY"), (404, "teacher.model"), (302, "HTTP 302")])
def test_what_trying_again_cannot_help_is_said_at_once(status, words):
    with stand_in(faults=deque([status])) as server:
        with pytest.raises(TeacherError, match=words):
            ask(server)
        assert server.requests == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_question_may_be_refused_without_the_others(status):
    with stand_in(faults=deque([status])) as server:
        with pytest.raises(Refused, match=f"refused by the teacher .HTTP {status}"):
            ask(server)
        assert ask(server).text.startswith("re:")


def test_nobody_there_is_one_sentence():
    with stand_in() as server:
        gone = server.settings()
    waits: list[float] = []
    with Teacher(TeacherSettings(**gone), None, sleep=waits.append) as teacher, pytest.raises(TeacherError) as refused:
        teacher.ask(QUESTION)
    assert "no connection" in str(refused.value) and len(waits) == ATTEMPTS - 1


def test_control_characters_of_an_answer_do_not_come_through():
    with stand_in(reply=lambda _: "a\x1b[2J\x00b\tc\r\n10\xa0%") as server:
        assert ask(server).text == "a[2Jb c\n10\xa0%"


@pytest.mark.parametrize("reply", ["", None])
def test_an_empty_answer_is_an_answer(reply):
    with stand_in(reply=lambda _: reply, usage=False, finish="content_filter") as server:
        assert ask(server) == Answer("", "content_filter", None, None)


def test_no_proxy_comes_between_this_machine_and_itself(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with stand_in() as server:
        assert ask(server).text.startswith("re:")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "set teacher.url"),
        ({"url": "http://127.0.0.1:1/v1"}, "set teacher.model"),
        ({"url": "127.0.0.1:8080", "model": "m"}, "is no address"),
        ({"url": "ftp://127.0.0.1/v1", "model": "m"}, "is no address"),
        ({"url": "http://127.0.0.1:99999/v1", "model": "m"}, "is no address"),
        ({"url": "http://user:word@127.0.0.1/v1", "model": "m"}, "holds more than an address"),
        ({"url": "http://127.0.0.1/v1?key=word", "model": "m"}, "holds more than an address"),
    ],
)
def test_an_address_that_is_none_is_said_without_its_secrets(values, words):
    with pytest.raises(TeacherError, match=words) as refused:
        address(TeacherSettings(**values))
    assert "word" not in str(refused.value)


def test_nothing_leaves_unless_the_owner_said_so():
    private = ["mail me: ada@example.com"]
    assert scrub_for("http://127.0.0.1/v1", is_allowed=False)(private) == private
    with pytest.raises(TeacherError, match=r"leave this machine for api\.example\.com: say so with --send-to-teacher"):
        scrub_for("https://api.example.com/v1", is_allowed=False)


def test_what_leaves_is_scrubbed_first():
    scrub = scrub_for("https://api.example.com/v1", is_allowed=True)
    sent = scrub(["what's the password?", "Tr0ub4dor&3", "or mail ada@example.com", "fine"])
    assert "Tr0ub4dor" not in str(sent) and "ada@example.com" not in str(sent)
    assert len(sent) == 4 and sent[0] == "what's the password?" and sent[3] == "fine"


def test_a_scrubber_that_fails_lets_nothing_through(monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("twin.privacy.find_window", broken)
    with pytest.raises(CannotScrub):
        scrub_for("https://api.example.com/v1", is_allowed=True)(["hi"])
    monkeypatch.setattr("twin.privacy.find_window", lambda texts: [])
    with pytest.raises(CannotScrub):
        scrub_for("https://api.example.com/v1", is_allowed=True)(["hi"])
    monkeypatch.delattr("twin.privacy.find_window")
    with pytest.raises(TeacherError, match="cannot be scrubbed, so it is not sent"):
        scrub_for("https://api.example.com/v1", is_allowed=True)


def test_the_key_is_a_secret_of_its_own(home, monkeypatch):
    assert teacher_key(home) is None
    file = home.home / "teacher-key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="Others can read") as refused:
        teacher_key(home)
    assert KEY not in str(refused.value)
    file.chmod(0o600)
    assert teacher_key(home) == KEY
    monkeypatch.setenv("TWIN_TEACHER_KEY", "another")
    assert teacher_key(home) == "another"


def test_answers_are_kept_under_their_question_and_added_up(store):
    answers, now = Answers(store.db), datetime(2025, 1, 1, tzinfo=UTC)
    key = key_of("distill", "m", "hi")
    assert answers.get(key) is None and key != key_of("distill", "mhi", "")
    answers.put(key, Answer("yo", "stop", 100, 10), "distill", "m", now, (7,))
    answers.put(key_of("distill", "m", "b"), Answer("", "length", None, None), "distill", "m", now)
    assert answers.get(key) == Answer("yo", "stop", 100, 10)
    assert answers.total("distill") == Spent(2, 0, 100, 10, 1) and answers.total("book") == Spent()


def test_money_is_told_where_prices_are_set():
    spent = Spent()
    spent.add(Answer("a", "stop", 2_000_000, 500_000))
    spent.add(Answer("b", "stop", None, None))
    assert (spent.asked, spent.uncounted) == (2, 1)
    assert spent.money(TeacherSettings()) is None
    assert spent.money(TeacherSettings(price_in=3, price_out=15)) == pytest.approx(13.5)
    assert spent.money(TeacherSettings(price_in=3)) == pytest.approx(6)

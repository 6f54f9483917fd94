"""The rows of quizzes: what is counted for whom, once, and that no words are in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.quizzes import NOBODY, Quizzes, Score, Side, told_apart
from twin.store import Store

V1, V2 = "v1", "v2"


@pytest.fixture
def quizzes() -> Iterator[Quizzes]:
    with Store.scratch() as store:
        yield Quizzes(store.db)


def _asked(quizzes: Quizzes, user: int, answer: Side | None = "a", version: str = V1, moment: str = "m") -> int:
    number = quizzes.ask(version, user, moment, "a", 1.0)
    found = quizzes.get(number)
    assert found is not None
    if answer is not None:
        assert quizzes.answer(found, answer, 2.0)
    return number


def test_scores_count_answers_by_version_and_person_and_no_open_question(quizzes: Quizzes) -> None:
    for user, answer in ((1, "a"), (1, "b"), (2, "a"), (2, None)):
        _asked(quizzes, user, answer)  # type: ignore[arg-type]
    _asked(quizzes, 1, "a", V2)
    assert quizzes.score(V1) == Score(2, 3) and quizzes.score(V1, [1]) == Score(1, 2)
    assert quizzes.score(V2) == Score(1, 1) and quizzes.score("v3") == Score(0, 0) == quizzes.score(V1, [])


def test_the_first_answer_counts_and_no_other(quizzes: Quizzes) -> None:
    number = _asked(quizzes, 1, "b")
    found = quizzes.get(number)
    assert found is not None and found.is_right is False
    assert not quizzes.answer(found, "a", 3.0) and quizzes.score(V1) == Score(0, 1)


def test_a_moment_is_known_by_when_it_was_asked_about_last(quizzes: Quizzes) -> None:
    for at, moment in ((1.0, "x"), (5.0, "x"), (3.0, "y")):
        quizzes.ask(V1, 1, moment, "b", at)
    assert quizzes.last_asked(V1, 1) == {"x": 5.0, "y": 3.0}
    assert quizzes.last_asked(V1, 2) == {} == quizzes.last_asked(V2, 1)


def test_forgetting_somebody_keeps_numbers_and_drops_what_was_left_open(quizzes: Quizzes) -> None:
    answered, left_open = _asked(quizzes, 1), _asked(quizzes, 1, None)
    _asked(quizzes, 2)
    quizzes.forget(1)
    found = quizzes.get(answered)
    assert found is not None and found.user_id == NOBODY and quizzes.get(left_open) is None
    assert quizzes.score(V1) == Score(2, 2) and quizzes.score(V1, [1]) == Score(0, 0)


def test_a_question_that_could_not_be_put_is_none(quizzes: Quizzes) -> None:
    number = _asked(quizzes, 1, None)
    quizzes.drop(number)
    assert quizzes.get(number) is None and quizzes.last_asked(V1, 1) == {}


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_a_score_reads_as_the_share_with_its_interval(case: tuple[int, int]) -> None:
    told = Score(*case).as_dict()
    assert told is not None and f"in {case[0]:,} of {case[1]:,} quizzes" in told_apart(told)


def test_a_score_of_twelve_in_twenty_is_told_with_wilsons_bounds() -> None:
    told = Score(12, 20).as_dict()
    assert told is not None and told_apart(told) == "told from you in 12 of 20 quizzes (60 %; 95 %: 39-78)"
    assert Score(0, 0).as_dict() is None

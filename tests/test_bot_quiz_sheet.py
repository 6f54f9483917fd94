"""How a question reads: nothing but the words tells which answer is whose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram.constants import MessageLimit

from bot.quiz_sheet import LONGEST_ANSWER, answer_of, are_alike, is_fit, sheet
from twin.messages import Conversation, Turn
from twin.quizzes import Side

BUBBLES = st.lists(st.text(max_size=60), min_size=1, max_size=6)
TURNS = st.lists(st.tuples(st.sampled_from(["owner", "other"]), BUBBLES), max_size=8)


def _conversation(turns: list[tuple[str, list[str]]]) -> Conversation:
    return Conversation(tuple(Turn.of(speaker, texts) for speaker, texts in turns))  # type: ignore[arg-type]


@given(TURNS, BUBBLES, BUBBLES)
def test_who_wrote_what_can_be_exchanged_and_the_question_reads_the_same(
    turns: list[tuple[str, list[str]]], one: list[str], other: list[str]
) -> None:
    before, answers = _conversation(turns), (answer_of(one), answer_of(other))
    shown = sheet(before, "Ada", "Bob", answers, "a", "Which?")
    assert shown == sheet(before, "Ada", "Bob", answers[::-1], "b", "Which?")


@given(TURNS, BUBBLES, BUBBLES, st.sampled_from(["a", "b"]))
def test_each_bubble_is_a_line_and_both_answers_stand_there_whole(
    turns: list[tuple[str, list[str]]], one: list[str], other: list[str], side: Side
) -> None:
    answers = answer_of(one), answer_of(other)
    shown = sheet(_conversation(turns), "Ada", "Bob", answers, side, "Which?")
    first, second = answers if side == "a" else answers[::-1]
    assert shown.endswith("\n".join(["", "A", *first, "", "B", *second, "", "Which?"]))
    assert all(line.strip() == line and line.splitlines() == [line] for answer in answers for line in answer)


@given(st.integers(1, 40), st.sampled_from(["😂", "字", "ab "]))
def test_a_question_and_its_verdict_fit_into_one_message(turns: int, sign: str) -> None:
    said = _conversation([("owner" if n % 2 else "other", [sign * 400] * 3) for n in range(turns)])
    longest = answer_of([sign * (LONGEST_ANSWER // len(sign))])
    assert is_fit(longest) and not is_fit((*longest, sign * 9))
    shown = sheet(said, "A" * 64, "B" * 64, (longest, longest), "a", "Which?" * 30)
    assert len(shown.encode("utf-16-le")) // 2 + 400 <= MessageLimit.MAX_TEXT_LENGTH
    assert said.turns[-1].bubbles[-1].text[:100] in shown


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (["ok"], ["Ok!"], True),
        (["ok", "👍"], ["OK"], True),
        (["see you"], ["see you"], True),
        (["see  you"], ["see you"], True),
        (["see you"], ["See you!"], False),
        (["👍"], ["👍"], True),
        (["👍"], ["😂"], False),
        (["ok"], ["no"], False),
    ],
)
def test_answers_that_say_the_same_are_told_from_those_that_do_not(
    one: list[str], other: list[str], alike: bool
) -> None:
    assert are_alike(answer_of(one), answer_of(other)) == alike == are_alike(answer_of(other), answer_of(one))


@pytest.mark.parametrize(
    "bubbles", [[], ["  "], ["[photo]"], ["look [Sticker 😂]"], ["[in reply to] x", "y"], ["x" * 501]]
)
def test_answers_that_would_tell_themselves_are_not_fit(bubbles: list[str]) -> None:
    assert not is_fit(answer_of(bubbles))


def test_signs_that_turn_a_line_round_or_break_it_are_left_out() -> None:
    assert answer_of(["a\u202eb\nc\u2028d", "\u200b"]) == ("a b c d",)
    assert answer_of(["می\u200cخواهم", "👩\u200d💻"]) == ("می\u200cخواهم", "👩\u200d💻")

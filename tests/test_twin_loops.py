"""Loops: what a model says over and over is seen; how people repeat themselves is not."""

from __future__ import annotations

import pytest

from tests.chatter import LINES
from twin.loops import loops, says_again


@pytest.mark.parametrize(
    "reply",
    [
        ("I like the cat I like the cat I like the cat",),
        ("well, so it goes, so it goes. So it goes!",),
        ("the cat", "the cat", "the cat"),
        ("what now?", "nothing", "what now?", "really", "What now"),
        ("no " * 8,),
        ("好的我知道了好的我知道了好的我知道了",),
        ("да ладно тебе да ладно тебе да ладно тебе",),
        ("a" * 80,),
        ("- " * 40,),
        ("ok", "." * 100),
    ],
)
def test_a_phrase_over_and_over_is_a_loop(reply: tuple[str, ...]) -> None:
    assert loops(reply)


@pytest.mark.parametrize(
    "reply",
    [
        (),
        ("",),
        ("no no no no",),
        ("ha ha ha ha ha ha ha ha ha ha ha",),
        ("hahahahahahahahaha",),
        ("哈哈哈哈哈哈哈哈哈哈哈哈",),
        ("对对对", "好的好的好的"),
        ("ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",),
        ("yes", "yes", "yes"),
        ("so good so good", "I mean it"),
        ("yessssssssss!!!!!!!!!!!!",),
        ("😂😂😂😂😂😂😂😂😂😂😂",),
        ("ठीक ठीक ठीक है",),
    ],
)
def test_how_people_repeat_themselves_is_no_loop(reply: tuple[str, ...]) -> None:
    assert not loops(reply)


def test_how_often_a_phrase_may_stand_in_a_row_is_told() -> None:
    thrice = "it's for the cat, it's for the cat, it's for the cat"
    assert loops((thrice,)) and not loops((thrice,), 4)
    assert loops((thrice, "It's for the cat!"), 4)


@pytest.mark.parametrize("language", sorted(LINES))
def test_ordinary_lines_loop_in_no_language(language: str) -> None:
    assert not any(loops((line,)) for line in LINES[language])
    assert not loops(LINES[language])


@pytest.mark.parametrize(
    ("bubble", "turns", "is_again"),
    [
        ("haha yeah I know right", [["haha yeah I know right"], ["so?", "Haha, yeah I know, right!"]], True),
        ("我也这么觉得呢", [["我也这么觉得呢"], ["嗯", "我也这么觉得呢"]], True),
        ("haha yeah I know right", [["haha yeah I know right"], ["ok"]], False),
        ("haha yeah I know right", [["haha yeah I know right"]], False),
        ("ok cool", [["ok cool"], ["ok cool"]], False),
        ("no no no no no", [["no no no no no"], ["no no no no no"]], False),
        ("😂😂😂😂", [["😂😂😂😂"], ["😂😂😂😂"]], False),
    ],
)
def test_a_sentence_in_a_third_turn_on_end_is_said_again(bubble: str, turns: list[list[str]], is_again: bool) -> None:
    assert says_again(bubble, turns) is is_again

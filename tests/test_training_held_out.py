"""Held-out texts leave training, wherever they stand; what everybody says does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from training.drafts import Drafts
from training.held_out import take_out
from training.reasons import ALSO_HELD_OUT
from twin.messages import Bubble, Session, Turn

START = datetime(2024, 1, 1, tzinfo=UTC)
TOLD = "the boat leaves from the old harbour at noon"


def session(*turns: tuple[str, list[str | Bubble]]) -> Session:
    return Session(
        7,
        tuple(
            Turn(
                "owner" if who == "me" else "other",
                tuple(Bubble(part) if isinstance(part, str) else part for part in said),
                START + timedelta(minutes=number),
                START + timedelta(minutes=number),
            )
            for number, (who, said) in enumerate(turns)
        ),
    )


def left(found: Session, *held_out: str) -> tuple[list[list[str]], dict[str, int], int]:
    """The bubbles of each turn that stay, what became of lost turns, and how many messages went."""
    taken = take_out(held_out, Drafts.of([found]))
    turns = [turn for one in taken.drafts for turn in one.turns]
    return [[bubble.text for bubble in turn.bubbles] for turn in turns], dict(taken.lost), taken.messages


@pytest.mark.parametrize(
    "said",
    [
        TOLD,
        "The boat leaves, from the OLD harbour... at noon!",
        f"so: {TOLD} I think",
        "the boat   leaves\nfrom the old harbour at noon",
    ],
)
def test_a_text_is_found_without_regard_to_case_signs_and_what_stands_around_it(said):
    found = session(("them", ["when?"]), ("me", [said, "ok?"]), ("them", ["yes"]))
    assert left(found, TOLD) == ([["when?"], ["ok?"], ["yes"]], {}, 1)
    (taken,) = take_out([TOLD], Drafts.of([found])).drafts
    assert [turn.withheld for turn in taken.turns] == [None, ALSO_HELD_OUT, None]


def test_a_text_spread_over_bubbles_is_found():
    found = session(("them", ["hm", "the boat leaves from", "the old harbour", "at noon or so", "bye"]), ("me", ["ok"]))
    assert left(found, TOLD) == ([["hm", "bye"], ["ok"]], {}, 3)


def test_turns_around_a_turn_that_is_gone_become_one():
    found = session(("me", ["a"]), ("them", [TOLD]), ("me", ["b"]), ("them", ["c"]), ("me", [TOLD]))
    assert left(found, TOLD) == (
        [["a", "b"], ["c"]],
        {"joined with the one before": 1, ALSO_HELD_OUT: 1},
        2,
    )


def test_a_session_of_which_nothing_is_left_is_gone():
    assert left(session(("me", [TOLD])), TOLD) == ([], {ALSO_HELD_OUT: 1}, 1)


@pytest.mark.parametrize(
    "trivial", ["ok", "see you tomorrow at noon", "haha yes I do", "好的，明天见", "a b c d e f g"]
)
def test_what_everybody_says_stays(trivial):
    found = session(("them", [trivial]), ("me", [f"{trivial} indeed"]))
    assert left(found, trivial)[2] == 0


@pytest.mark.parametrize(
    "text",
    [
        "пароход отходит от старой пристани ровно в полдень",
        "船中午十二点从旧港口出发去岛上",
        "تغادر السفينة من الميناء القديم عند الظهر تماما",
        "เรือออกจากท่าเรือเก่าตอนเที่ยงวัน",
    ],
)
def test_texts_of_every_script_are_found(text):
    assert left(session(("them", ["x"]), ("me", [f"{text} ok"])), text)[2] == 1


def test_other_numbers_make_another_text():
    found = session(("them", ["the train to the lake leaves at 12 on platform 3"]), ("me", ["ok"]))
    assert left(found, "the train to the lake leaves at 14 on platform 3")[2] == 0
    assert left(found, "the train to the lake leaves at 12 on platform 3")[2] == 1


def test_a_forward_that_goes_leaves_the_owner_what_they_said_themselves():
    forward = Bubble(f"[forwarded] {TOLD}", authored=False)
    (taken,) = take_out([TOLD], Drafts.of([session(("them", ["x"]), ("me", [forward, "look at this"]))])).drafts
    assert [turn.is_supervisable for turn in taken.turns] == [False, True]
    assert [bubble.text for bubble in taken.turns[1].bubbles] == ["look at this"]


def test_a_quote_that_goes_is_no_message():
    quote = Bubble(f"[in reply to] {TOLD}", authored=False)
    assert left(session(("them", ["x"]), ("me", [quote, "yes"])), TOLD) == ([["x"], ["yes"]], {}, 0)


def test_nothing_held_out_leaves_everything_as_it_is():
    found = session(("them", [TOLD]), ("me", [TOLD]))
    assert left(found) == ([[TOLD], [TOLD]], {}, 0) and take_out([TOLD], Drafts.of([])).messages == 0

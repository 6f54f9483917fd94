"""The worked example: what it teaches is true, and what it asks was never learned."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples" / "arithmetic"))

from problems import answer, column_addition, pairs, places, product_in, question

_numbers = st.integers(2, 9999)


def test_the_whole_way_to_a_product_is_written_line_by_line():
    assert question(47, 36) == "47 × 36 = ?"
    assert answer(47, 36).splitlines() == [
        "47 = 40 + 7",
        "36 = 30 + 6",
        "40 × 30 = 1200",
        "40 × 6 = 240",
        "7 × 30 = 210",
        "7 × 6 = 42",
        "1200 + 240: 0+0=0 0+4=4 2+2=4 1 = 1440",
        "1440 + 210: 0+0=0 4+1=5 4+2=6 1 = 1650",
        "1650 + 42: 0+2=2 5+4=9 6 1 = 1692",
        "47 × 36 = 1692",
    ]


@given(_numbers, _numbers)
def test_every_line_of_an_answer_is_true(a, b):
    for line in answer(a, b).splitlines():
        sides = [line.split(":")[0], line.rsplit("=", 1)[1]] if ":" in line else line.split("=")
        left, right = (eval(side.strip().replace("×", "*")) for side in sides)
        assert left == right
    assert product_in(answer(a, b)) == a * b


@given(_numbers, _numbers)
def test_the_columns_of_an_addition_spell_its_sum_from_the_right(a, b):
    columns = [column.rsplit("=", 1)[-1] for column in column_addition(a, b).split()]
    spelled = columns[-1] + "".join(column[-1] for column in columns[-2::-1])
    assert int(spelled) == a + b


@given(_numbers)
def test_the_places_of_a_number_sum_to_it(number):
    assert sum(places(number)) == number and all(str(place).strip("0") in set("123456789") for place in places(number))


@pytest.mark.parametrize("text", ["", "no sum", "2 × 3 = six", "2 × 3 =", "7 = 3 + 4 = ?"])
def test_an_answer_without_a_number_at_its_end_has_no_product(text):
    assert product_in(text) is None


def test_pairs_that_are_asked_are_never_learned_in_either_order(monkeypatch):
    from run import split

    asked, learned = split((2, 2), 3000, 100)
    assert len(asked) == 100 and len(learned) == 3000
    assert not {frozenset(pair) for pair in asked} & {frozenset(pair) for pair in learned}
    assert len(set(pairs(2, 1))) == 90 * 8

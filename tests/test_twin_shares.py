"""A share's interval: Wilson's, checked against published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.shares import wilson


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(12, 20, 0.387, 0.781), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (81, 263, 0.255, 0.366)],
    ids=["twelve of twenty", "none", "all", "Newcombe 1998"],
)
def test_an_interval_is_wilsons_as_published(count: int, of: int, low: float, high: float) -> None:
    share, found_low, found_high = wilson(count, of)
    assert (share, round(found_low, 3), round(found_high, 3)) == (count / of, low, high)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_lies_within_zero_and_one_around_its_share(case: tuple[int, int]) -> None:
    share, low, high = wilson(*case)
    assert 0 <= low <= share <= high <= 1 and low < high

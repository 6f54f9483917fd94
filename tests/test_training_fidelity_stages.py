"""Stages of long work on one bar: it only ever moves on, and ends full."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from training.fidelity.stages import Stages

Plan = list[tuple[str, float]]


@given(st.lists(st.tuples(st.text(min_size=1), st.floats(0, 1e4)), min_size=1, max_size=8), st.data())
def test_a_bar_over_stages_never_goes_back_and_ends_full(plan: Plan, data: st.DataObject) -> None:
    told: list[tuple[str, float]] = []
    stages = Stages(lambda what, share: told.append((what, share)), plan)
    for _ in plan:
        stages.next()
        for share in sorted(data.draw(st.lists(st.floats(0, 1), max_size=3))):
            stages.share(share)
    stages.end()
    shares = [share for _, share in told]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(shares))
    assert shares[-1] == 1 and all(0 <= share <= 1 for share in shares)
    assert list(dict.fromkeys(what for what, _ in told)) == list(dict.fromkeys(what for what, _ in plan))


def test_a_stage_takes_the_share_of_the_bar_that_it_takes_of_the_time() -> None:
    told: list[tuple[str, float]] = []
    stages = Stages(lambda what, share: told.append((what, round(share, 3))), [("a", 1), ("b", 3)])
    stages.next()
    stages.share(0.5)
    stages.next()
    stages.share(0.5)
    assert told == [("a", 0), ("a", 0.125), ("b", 0.25), ("b", 0.625)]

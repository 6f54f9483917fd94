"""Trying again: pauses that grow, an asked-for wait, an end; the same for threads and for coroutines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import AsyncRetrying, Retrying

from inference.retrying import Passing, Pause, retry_after, tries


def waits_of(faults: list[Exception], pause: Pause, attempts: int = 6) -> list[float]:
    waits: list[float] = []

    def once() -> None:
        if faults:
            raise faults.pop(0)

    Retrying(**tries(attempts, pause, waits.append))(once)
    return waits


def test_pauses_double_up_to_the_longest():
    assert waits_of([Passing("x") for _ in range(5)], Pause(1, 6)) == [1, 2, 4, 6, 6]


def test_a_server_that_asks_for_a_pause_gets_it():
    assert waits_of([Passing("x", 7.0), Passing("x"), Passing("x", 0.0)], Pause(1, 100)) == [7, 2, 0]


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 5))
def test_chance_moves_a_pause_within_its_second_half(chance, count):
    found = waits_of([Passing("x") for _ in range(count)], Pause(1, 8, lambda: chance))
    for wait, whole in zip(found, [1, 2, 4, 8, 8], strict=False):
        assert whole / 2 <= wait <= whole


def test_the_last_fault_is_told_as_it_was_and_others_at_once():
    with pytest.raises(Passing, match="third"):
        waits_of([Passing("first"), Passing("second"), Passing("third")], Pause(1, 1), attempts=3)
    with pytest.raises(KeyError):
        waits_of([KeyError("x")], Pause(1, 1))


def test_coroutines_try_again_in_the_same_way():
    waits: list[float] = []
    faults = [Passing("x"), Passing("x", 3.0)]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def once() -> str:
        if faults:
            raise faults.pop(0)
        return "done"

    assert asyncio.run(AsyncRetrying(**tries(4, Pause(1, 8), sleep))(once)) == "done"
    assert waits == [1, 3]


def test_a_wait_is_told_in_seconds_or_as_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after({"Retry-After": "7"}) == 7
    assert 0 < (retry_after({"Retry-After": later}) or 0) <= 90
    assert retry_after({"Retry-After": "-1"}) == 0
    assert retry_after({"Retry-After": "soon"}) is retry_after({}) is None

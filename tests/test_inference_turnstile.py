"""The turnstile: one version inside at a time, everybody in the order they came, nobody kept waiting by others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.turnstile import LeftTheQueue, Turnstile


class Inside:
    """Who is inside just now, noted by those who are; `mixed` is true once two versions met."""

    def __init__(self) -> None:
        self.now: list[str | None] = []
        self.seen: list[str | None] = []
        self.changes: list[str | None] = []
        self.mixed = False
        self.lock = threading.Lock()

    def change(self, version: str | None) -> None:
        with self.lock:
            self.mixed |= bool(self.now)
            self.changes.append(version)

    def enter(self, version: str | None) -> None:
        with self.lock:
            self.now.append(version)
            self.seen.append(version)
            self.mixed |= len(set(self.now)) > 1

    def leave(self, version: str | None) -> None:
        with self.lock:
            self.now.remove(version)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", None]), max_size=30), st.integers(1, 4))
def test_two_versions_are_never_inside_together_and_everybody_gets_in(wanted: list[str | None], at_once: int) -> None:
    inside = Inside()
    gate = Turnstile(inside.change, at_once=at_once)

    def visit(version: str | None) -> None:
        with gate.inside(lambda: version) as got:
            assert got == version
            inside.enter(version)
            assert len(inside.now) <= at_once
            inside.leave(version)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(visit, wanted))
    assert not inside.mixed and sorted(map(str, inside.seen)) == sorted(map(str, wanted))
    assert gate.waiting == 0


def test_whoever_wants_another_version_goes_in_before_those_who_came_later(eventually: Callable[..., None]) -> None:
    inside = Inside()
    gate = Turnstile(inside.change, "a")
    order: list[str] = []
    with ThreadPoolExecutor(3) as threads:
        with gate.inside(lambda: "a"):
            other = threads.submit(visit, gate, "b", order)
            eventually(lambda: gate.waiting == 1)
            late = threads.submit(visit, gate, "a", order)
            eventually(lambda: gate.waiting == 2)
            assert order == []
        other.result(60)
        late.result(60)
    assert order == ["b", "a"] and inside.changes == ["b", "a"]


def visit(gate: Turnstile, version: str, order: list[str]) -> None:
    with gate.inside(lambda: version):
        order.append(version)


def test_a_change_that_fails_is_told_to_who_wanted_it_and_the_old_version_serves_on() -> None:
    def fail(_: str | None) -> None:
        raise ValueError("no such version")

    gate = Turnstile(fail, "a")
    with pytest.raises(ValueError, match="no such version"), gate.inside(lambda: "b"):
        raise AssertionError("nobody gets in")
    with gate.inside(lambda: "a") as version:
        assert version == gate.version == "a"


def test_who_waits_takes_what_is_wanted_when_it_is_their_turn(eventually: Callable[..., None]) -> None:
    inside = Inside()
    gate = Turnstile(inside.change, "a")
    wanted, order = ["b"], []

    def follow() -> None:
        with gate.inside(lambda: wanted[0]) as version:
            order.append(version)

    with ThreadPoolExecutor(1) as threads:
        with gate.inside(lambda: "a"):
            waiting = threads.submit(follow)
            eventually(lambda: gate.waiting == 1)
            wanted[0] = "c"
        waiting.result(60)
    assert order == ["c"] and inside.changes == ["c"], "b was overtaken while it waited"


def test_a_closed_turnstile_keeps_everybody_out_until_it_opens_and_one_may_leave_the_queue(
    eventually: Callable[..., None],
) -> None:
    gate = Turnstile(lambda _: None, "a")
    gate.close()
    order: list[str] = []
    gone = threading.Event()

    def impatient() -> None:
        with gate.inside(lambda: "a", gone.is_set):
            order.append("impatient")

    with ThreadPoolExecutor(2) as threads:
        leaver, stayer = threads.submit(impatient), threads.submit(visit, gate, "a", order)
        eventually(lambda: gate.waiting == 2)
        gone.set()
        with pytest.raises(LeftTheQueue):
            leaver.result(60)
        assert order == []
        gate.open("a")
        stayer.result(60)
    assert order == ["a"]

"""The circuit breaker: opens after failures in a row, lets one try after a while, and closes when that one succeeds."""

from __future__ import annotations

import threading

import pytest

from inference.remote.circuit import Circuit, CircuitOpen


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock, failures: int = 3) -> Circuit:
    circuit = Circuit(failures, 30.0, clock)
    for _ in range(failures):
        circuit.enter()
        circuit.fail()
    return circuit


def test_it_opens_after_failures_in_a_row_only():
    circuit = Circuit(3, 30.0, Clock())
    for outcome in (circuit.fail, circuit.fail, circuit.succeed, circuit.fail, circuit.fail):
        circuit.enter()
        outcome()
    assert circuit.state == "closed" and circuit.failures == 2
    circuit.enter()
    circuit.fail()
    assert circuit.state == "open" and circuit.failures == 3


def test_while_it_is_open_nobody_asks_and_it_says_for_how_long():
    clock = Clock()
    circuit = broken(clock)
    clock.now += 10
    with pytest.raises(CircuitOpen) as refused:
        circuit.enter()
    assert refused.value.seconds == 20


def test_after_a_while_one_tries_and_success_lets_everybody_in():
    clock = Clock()
    circuit = broken(clock)
    clock.now += 30
    assert circuit.state == "half-open"
    circuit.enter()
    with pytest.raises(CircuitOpen):
        circuit.enter()
    circuit.succeed()
    assert circuit.state == "closed" and circuit.failures == 0
    circuit.enter()
    circuit.enter()


def test_a_trial_that_fails_keeps_it_open_as_long_again():
    clock = Clock()
    circuit = broken(clock)
    clock.now += 31
    circuit.enter()
    circuit.fail()
    assert circuit.state == "open"
    clock.now += 29
    with pytest.raises(CircuitOpen):
        circuit.enter()
    clock.now += 1
    circuit.enter()


def test_a_trial_that_nobody_waits_for_leaves_room_for_another():
    clock = Clock()
    circuit = broken(clock)
    clock.now += 30
    circuit.enter()
    circuit.leave()
    circuit.enter()
    circuit.succeed()
    assert circuit.state == "closed"


def test_failures_that_come_late_do_not_keep_it_open_longer():
    clock = Clock()
    circuit = broken(clock)
    clock.now += 20
    circuit.fail()
    clock.now += 10
    assert circuit.state == "half-open"


def test_of_many_threads_one_gets_the_trial():
    clock = Clock()
    circuit = broken(clock)
    clock.now += 30
    let_in: list[int] = []
    gate = threading.Barrier(8)

    def ask(number: int) -> None:
        gate.wait()
        try:
            circuit.enter()
        except CircuitOpen:
            return
        let_in.append(number)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 1

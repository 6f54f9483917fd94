"""The gate: what is better passes, what parrots, loops, leaks or got worse does not, and each says why."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fidelity.material import Measured
from training.gate import Evidence, Speech, judge

SPEECH = Speech(
    fidelity=Measured(0.45, 0.30, 0.60),
    excess=Measured(0.02, -0.02, 0.06),
    loops=0.0,
    missing=0.0,
    same=0.0,
    leaks=0,
    asked=100,
)


def _evidence(bits: float, speech: Speech | None = SPEECH, spread: float = 0.01) -> Evidence:
    """Forty windows of 200 characters, each a little better or worse than the rest."""
    wiggle = [spread * math.sin(number) for number in range(40)]
    return Evidence(tuple(200 * math.log(2) * (bits + its) for its in wiggle), (200,) * 40, speech)


BASE = _evidence(1.32, None)


def test_a_first_adapter_that_is_better_than_the_base_model_serves():
    verdict = judge(_evidence(1.20), BASE, None)
    assert verdict.promoted
    assert verdict.reason == "1.200 held-out bits per character against the base model's 1.320, fidelity 0.45"


def test_an_adapter_that_learned_nothing_does_not_serve():
    verdict = judge(_evidence(1.33), BASE, None)
    assert not verdict.promoted and "not better than the base model" in verdict.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"excess": Measured(0.9, 0.85, 0.95), "fidelity": Measured(0.95, 0.8, 1.1)}, "it copies: 90%"),
        ({"same": 0.97, "fidelity": Measured(-0.3, -0.4, -0.2)}, "one and the same reply 97%"),
        ({"loops": 0.2}, "20% of its replies repeat themselves"),
        ({"missing": 0.5}, "nothing to say to 50%"),
        ({"leaks": 1}, "1 of its 100 replies held something"),
    ],
    ids=["a parrot", "a constant", "loops", "silence", "a leak"],
)
def test_what_degenerates_never_serves_however_low_its_loss(change, reason):
    verdict = judge(_evidence(0.9, replace(SPEECH, **change)), BASE, None)
    assert not verdict.promoted and reason in verdict.reason


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        (_evidence(1.21), "worse than the adapter that serves: 1.210 against 1.200"),
        (_evidence(1.20, replace(SPEECH, fidelity=Measured(0.2, 0.05, 0.35))), "fidelity 0.20 against 0.45"),
        (_evidence(1.20, replace(SPEECH, excess=Measured(0.09, 0.05, 0.13))), "+9% against +2%"),
    ],
    ids=["loss", "fidelity", "copying"],
)
def test_a_challenger_that_is_worse_than_the_champion_beyond_the_noise_is_kept_back(challenger, reason):
    verdict = judge(challenger, BASE, _evidence(1.20))
    assert not verdict.promoted and reason in verdict.reason


def test_a_challenger_that_is_worse_within_the_noise_serves():
    noisy = Evidence(
        tuple(n + 5 * math.cos(7 * place) for place, n in enumerate(_evidence(1.201).nats)), (200,) * 40, SPEECH
    )
    slightly = replace(SPEECH, fidelity=Measured(0.40, 0.25, 0.55), excess=Measured(0.03, -0.01, 0.07))
    assert judge(replace(noisy, speech=slightly), BASE, _evidence(1.20)).promoted


def test_without_fidelity_the_loss_and_the_habits_decide():
    void = replace(SPEECH, fidelity=Measured(math.nan, math.nan, math.nan))
    assert judge(_evidence(1.19, void), BASE, _evidence(1.20, void)).promoted
    assert not judge(_evidence(1.22, void), BASE, _evidence(1.20, void)).promoted
    assert judge(_evidence(1.19, None), BASE, _evidence(1.20, None)).promoted


@given(st.floats(0.5, 1.5), st.floats(-0.5, 1.2), st.floats(-0.1, 0.09))
def test_an_adapter_is_never_worse_than_itself(bits, fidelity, excess):
    speech = replace(
        SPEECH,
        fidelity=Measured(fidelity, fidelity - 0.1, fidelity + 0.1),
        excess=Measured(excess, excess - 0.05, excess + 0.05),
    )
    mine = _evidence(bits, speech)
    assert judge(mine, _evidence(2.0, None), mine).promoted


def test_adapters_that_read_in_different_windows_may_differ_by_one_in_a_hundred():
    other = Evidence(tuple(100 * math.log(2) * 1.2 for _ in range(80)), (100,) * 80, SPEECH)
    assert judge(_evidence(1.21), BASE, other).promoted
    assert not judge(_evidence(1.22), BASE, other).promoted

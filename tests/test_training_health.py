"""Runs that are ended and runs that are not: the verdict on made-up curves, healthy and sick."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.health import PATIENT, Diverged, Health


def healthy(draw: random.Random, steps: int, first: float, last: float, noise: float) -> list[float]:
    """A loss that falls from one level to another with noise on every step, some of it in outliers."""
    return [
        max(
            1e-3 * first,
            last
            + (first - last) * math.exp(-4 * step / steps)
            + draw.gauss(0, noise) * (3 if draw.random() < 0.02 else 1),
        )
        for step in range(steps)
    ]


def see_all(losses: list[float], before: float | None = None) -> int | None:
    """The step at which a run of these losses is ended; None if it is not."""
    health = Health(losses[0] if before is None else before)
    for step, loss in enumerate(losses):
        try:
            health.see(loss, 1.0)
        except Diverged:
            return step
    return None


@given(
    seed=st.integers(0, 10**6),
    steps=st.integers(1, 3000),
    first=st.floats(0.1, 12),
    kept=st.floats(0.01, 1.2),
    noise=st.floats(0, 0.6),
)
@settings(max_examples=150)
def test_a_noisy_healthy_curve_is_never_ended(seed, steps, first, kept, noise):
    assert see_all(healthy(random.Random(seed), steps, first, first * kept, first * noise)) is None


@given(seed=st.integers(0, 10**6), share=st.floats(0.02, 0.5))
@settings(max_examples=60)
def test_two_kinds_of_text_with_different_losses_are_no_divergence(seed, share):
    draw = random.Random(seed)
    losses = [4 + draw.gauss(0, 0.3) if draw.random() < share else 0.5 + draw.gauss(0, 0.05) for _ in range(1500)]
    # so few of the dearer kind that the first twenty steps may not have seen one are the hardest case
    losses[:20] = [4.0 if place % max(2, round(1 / share)) == 1 else 0.5 for place in range(20)]
    assert see_all(losses) is None


@given(
    seed=st.integers(0, 10**6),
    turn=st.integers(40, 400),
    first=st.floats(1, 6),
    high=st.floats(2.2, 6),
    slope=st.floats(0.005, 0.5),
)
@settings(max_examples=100)
def test_a_loss_that_climbs_and_stays_high_is_ended(seed, turn, first, high, slope):
    draw = random.Random(seed)
    losses = healthy(draw, turn, first, 0.7 * first, 0.08 * first)
    level = losses[-1]
    for _ in range(2000):
        level += slope * (high * first - level)
        losses.append(level + draw.gauss(0, 0.08 * first))
    ended = see_all(losses)
    assert ended is not None and ended > turn, "... and not before it climbs"


@given(seed=st.integers(0, 10**6), factor=st.floats(1e-3, 1e3))
@settings(max_examples=40)
def test_the_verdict_does_not_depend_on_the_unit(seed, factor):
    draw = random.Random(seed)
    losses = healthy(draw, 100, 4, 3, 0.3) + [3 + 0.05 * step + draw.gauss(0, 0.3) for step in range(200)]
    assert see_all(losses) == see_all([factor * loss for loss in losses])


def test_a_spike_that_passes_is_forgiven():
    losses = [4.0 + 0.1 * (-1) ** step for step in range(200)]
    losses[100 : 100 + PATIENT // 4] = [9.0] * (PATIENT // 4)
    assert see_all(losses) is None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_ends_a_run_at_once(number):
    with pytest.raises(Diverged, match="NaN"):
        Health(4.0).see(number, 1.0)
    with pytest.raises(Diverged, match="NaN"):
        Health(4.0).see(4.0, number)
    with pytest.raises(Diverged, match="held-out"):
        Health(4.0).see_held_out(number, 4.0)


def test_a_held_out_loss_far_above_the_base_ends_a_run_that_never_learned():
    health = Health(4.0)
    health.see_held_out(5.9, best=4.0)
    health.see_held_out(7.0, best=3.9)  # it had learned: that is overfitting, and the best checkpoint is kept
    with pytest.raises(Diverged, match=r"from 4\.00 to 6\.10"):
        health.see_held_out(6.1, best=4.0)


def test_going_on_in_the_middle_comes_to_the_same_verdict():
    draw = random.Random(1)
    losses = healthy(draw, 60, 4, 3, 0.2) + [12.0] * 60
    ended = see_all(losses)
    assert ended is not None
    for place in (5, 25, 60, ended - 1):
        health = Health(losses[0], losses[:place])
        with pytest.raises(Diverged):
            for loss in losses[place : ended + 1]:
                health.see(loss, 1.0)

"""The live view: what a person sees of a training, in a terminal and in a log."""

from __future__ import annotations

import io
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from training.evaluate import HeldOut
from training.live import View, duration, live, spark
from training.progress import Point, Progress

BASE = HeldOut(3000.0, 1000, 3300, 100)
STEP = Progress(1, 40, 2.75, 112.4, 312.0, BASE, BASE, Point(1, 1024, 9.1, 2.8, 5e-4, 1.25))


def _drawn(view: View) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(view)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_before_the_first_step_only_what_is_being_done_is_shown():
    view = View()
    view.doing = "Loading the base model"
    assert _drawn(view).split(maxsplit=1)[1].strip() == "Loading the base model"


def test_a_step_shows_how_far_it_is_its_loss_what_is_held_out_and_its_speed():
    view = View()
    view.add(STEP)
    shown = _drawn(view)
    for part in ("step 1 of 40, 5:12 left", "2.750 nats a token", "1.312 bits a character for the base model"):
        assert part in shown
    assert "112 tokens/s · 1,024 tokens · rate 5.0e-04 · gradient 1.25" in shown
    view.add(replace(STEP, step=2, held_out=replace(BASE, nats=2700.0)))
    assert "1.180 bits a character, -10.0% against the base model's 1.312" in _drawn(view)


def test_a_run_that_starts_again_draws_a_new_line():
    view = View()
    for step, loss in ((1, 9.0), (2, 50.0), (1, 3.0), (2, 2.0)):
        view.add(replace(STEP, step=step, loss=loss))
    assert "█▁" in _drawn(view) and "▁█" not in _drawn(view)


def test_without_a_terminal_a_line_is_written_now_and_then():
    console = Console(file=io.StringIO(), width=80)
    now = iter([1.0, 1.0, 3.0, 17.0, 17.0])
    with live(console, lambda: next(now)) as (say, show):
        say("Loading [the] model")
        for step in (1, 2, 3):
            show(replace(STEP, step=step))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "Loading [the] model"
    assert [line.split(" · ")[0] for line in lines[1:]] == ["Training: step 1/40", "Training: step 3/40"]


@given(st.lists(st.floats(0, 10), min_size=1, max_size=200), st.integers(1, 60))
def test_a_line_of_blocks_has_its_width_and_its_highest_and_lowest_block(values, width):
    drawn = spark(values, width)
    assert len(drawn) == min(width, len(values))
    assert "▁" in drawn


def test_durations_show_hours_only_where_there_are_any():
    assert [duration(s) for s in (0, 59.6, 61, 3723)] == ["0:00", "1:00", "1:01", "1:02:03"]

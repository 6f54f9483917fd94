"""A run's curve: as a picture beside the adapter, and in TensorBoard's own event files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from matplotlib import image

from training.curve_plot import draw_curve, smoothed
from training.progress import Point
from training.tensorboard import Board
from twin.errors import SettingsError

CURVE = [Point(n, 100 * n, 0.5 * n, 3 - n / 20, 5e-4, 1.0, 2.9 - n / 30 if n % 5 == 0 else None) for n in range(1, 21)]


def test_a_curve_is_drawn_whole_and_replaces_an_older_picture(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    path.write_bytes(b"old")
    draw_curve(CURVE, 3.0, path, title="a run")
    height, width, _ = image.imread(path).shape
    assert width > 1000 and height > 600
    assert [found.name for found in tmp_path.iterdir()] == ["curve.png"]


def test_a_run_that_took_no_step_has_a_picture_all_the_same(tmp_path: Path) -> None:
    draw_curve([], 3.0, tmp_path / "curve.png", title="nothing")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_a_picture_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "curve.png").mkdir()
    with pytest.raises(OSError):
        draw_curve(CURVE, 3.0, tmp_path / "curve.png", title="a run")
    assert [found.name for found in tmp_path.iterdir()] == ["curve.png"]


def test_smoothing_starts_at_the_first_loss_and_follows_slowly() -> None:
    assert smoothed([]) == []
    assert smoothed([4.0, 4.0]) == [4.0, 4.0]
    assert smoothed([4.0, 2.0]) == pytest.approx([4.0, 3.8])


def test_tensorboard_reads_back_every_step_that_was_shown(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Board(tmp_path) as board:
        for point in CURVE:
            board.show(point)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/train")] == [
        (p.step, pytest.approx(p.loss, rel=1e-6)) for p in CURVE
    ]
    assert [e.step for e in events.Scalars("loss/held_out")] == [5, 10, 15, 20]
    assert events.Scalars("tokens_per_second")[0].value == pytest.approx(200)


def test_without_the_package_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SettingsError, match="not installed"):
        Board(tmp_path)

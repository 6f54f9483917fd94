"""The picture of a training run: its loss, what it came to on held-out replies, its learning rate and gradients.

Knows nothing of models; a run is its points.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from training.page_style import INK, page_style
from training.progress import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAIN, _HELD_OUT, _RATE, _GRADIENT = "#0072B2", "#D55E00", "#009E73", "#999999"
_INCHES = (8.27, 5.0)
_DPI = 150
_SMOOTHING = 0.9


def draw_curve(curve: Sequence[Point], base: float, path: Path, *, title: str) -> None:
    """Draw a run as PNG.

    Args:
        curve: its steps in order; none makes a page that says so.
        base: nats a token of the bare base model on the held-out replies.
        path: replaced if it is there, whole or not at all.
        title: what the page is called; no message text.

    Raises:
        OSError: it cannot be written.
    """
    with page_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
        loss, rate = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        _losses(loss, curve, base)
        _rates(rate, curve)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            figure.savefig(partial, format="png")
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def smoothed(losses: Sequence[float]) -> list[float]:
    """Exponential moving average as progress shows it, from the first value on."""
    result: list[float] = []
    for loss in losses:
        result.append(_SMOOTHING * result[-1] + (1 - _SMOOTHING) * loss if result else loss)
    return result


def _losses(axes: Axes, curve: Sequence[Point], base: float) -> None:
    steps = [point.step for point in curve]
    losses = [point.loss for point in curve]
    axes.plot(steps, losses, color=_TRAIN, alpha=0.25, linewidth=0.8)
    axes.plot(steps, smoothed(losses), color=_TRAIN, linewidth=1.6, label="training (smoothed)")
    measured = [(0, base), *((point.step, point.held_out) for point in curve if point.held_out is not None)]
    axes.plot(*zip(*measured, strict=True), color=_HELD_OUT, marker="o", markersize=4, label="held-out replies")
    axes.axhline(base, color=_HELD_OUT, linestyle=":", linewidth=1, label=f"base model on them ({base:.3f})")
    if len(measured) > 1:
        best = min(measured[1:], key=lambda found: found[1])
        axes.annotate(f"{best[1]:.3f}", best, textcoords="offset points", xytext=(0, 7), ha="center", color=INK)
    axes.set_ylabel("nats a token")
    axes.legend(loc="upper right", frameon=False)


def _rates(axes: Axes, curve: Sequence[Point]) -> None:
    steps = [point.step for point in curve]
    axes.plot(steps, [point.rate for point in curve], color=_RATE)
    axes.set_ylabel("learning rate", color=_RATE)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes.set_xlabel("optimiser steps")
    beside = axes.twinx()
    beside.plot(steps, [point.gradient_norm for point in curve], color=_GRADIENT, linewidth=0.8)
    beside.set_ylabel("gradient norm", color=_GRADIENT)
    beside.grid(False)

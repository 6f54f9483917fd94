"""Bootstrap: how far a number would move if other contexts had been drawn (Efron 1979).

Knows nothing of what is measured.

What is drawn again are the contexts, not what was made from them: models and classifiers stay as they were fitted. The
intervals leave out, therefore, what another training run, another sampling of the replies or another fit would change.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.fidelity.material import Measured

RESAMPLES = 1000
Floats = NDArray[np.float64]

NOTHING = Measured(math.nan, math.nan, math.nan)


def weights(count: int, seed: int, resamples: int = RESAMPLES) -> Floats:
    """How often each of `count` things is drawn in each resample: (resamples, count), each row sums to `count`."""
    drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
    cells = (drawn + np.arange(resamples)[:, None] * count).ravel()
    return np.bincount(cells, minlength=resamples * count).reshape(resamples, count).astype(np.float64)


def measured(value: float, resampled: Floats) -> Measured:
    """A value with the middle 95 % of its resamples; NaN ones are left out."""
    usable = resampled[np.isfinite(resampled)]
    if not (math.isfinite(value) and len(usable)):
        return NOTHING
    low, high = np.percentile(usable, [2.5, 97.5])
    return Measured(value, float(low), float(high))


def mean(values: Floats, seed: int) -> Measured:
    """The mean of one number a context."""
    if not len(values):
        return NOTHING
    return measured(float(values.mean()), weights(len(values), seed) @ values / len(values))


def plain(it: Measured, digits: int = 4) -> dict[str, Any] | None:
    """Rounded plain numbers for scripts; None where nothing was measured, or without an interval."""
    if not math.isfinite(it.value):
        return None
    return {name: rounded(getattr(it, name), digits) for name in ("value", "low", "high")}


def rounded(value: float, digits: int = 4) -> float | None:
    """A plain number for scripts; None for NaN."""
    return round(value, digits) if math.isfinite(value) else None

"""A share of cases with how far it is to be trusted: Wilson's interval.

Knows nothing of what was counted.
"""

from __future__ import annotations

import math

_Z = 1.96  # 95 %


def wilson(count: int, of: int) -> tuple[float, float, float]:
    """A share in [0, 1] with the bounds of its 95 % interval (Wilson 1927), by which none seen is not none ever.

    Args:
        of: how many cases there were; at least one.
    """
    share, square = count / of, _Z * _Z / of
    centre = (share + square / 2) / (1 + square)
    reach = _Z * math.sqrt(share * (1 - share) / of + square / of / 4) / (1 + square)
    return share, max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach))  # rounding, at the ends

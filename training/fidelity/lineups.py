"""Line-ups: the true reply among nine others, drawn for every held-out context.

Knows nothing of models. The same seed draws the same line-ups.

The owner's other replies come from the held-out part first: a twin has learned its training replies, and would be
blamed for knowing them. Only when there are too few do validation and then training replies fill up. Nothing that
stands in the context's own session is drawn: what was just said is likely to be said again, whoever says it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.fidelity.material import Bubbles, Context, Material, Reply, bubbles_of

OTHERS = 9
_NEAREST = 27  # of similar length, from which nine are drawn


@dataclass(frozen=True, slots=True)
class Lineup:
    """What one context is scored against; either list is empty when there are too few different replies for it.

    Attributes:
        owner: nine other replies of the owner's; theirs: nine replies of others, of about the same length.
    """

    context: Context
    owner: tuple[Bubbles, ...]
    theirs: tuple[Bubbles, ...]

    @property
    def candidates(self) -> tuple[Bubbles, ...]:
        """The true reply, then all others."""
        return (self.context.true.bubbles, *self.owner, *self.theirs)


def lineups(material: Material, seed: int = 0) -> list[Lineup]:
    """A line-up for every context, in their order."""
    draw = random.Random(seed)
    own = _pool(material.owner_test, material.owner_val, material.owner_train)
    theirs = _pool(material.partner_test, material.partner_val, material.partner_train)
    return [_lineup(context, own, theirs, draw) for context in material.contexts]


def _pool(*parts: Sequence[Reply]) -> list[list[Bubbles]]:
    """Different replies of each part that are in no part before it, in order."""
    seen: set[Bubbles] = set()
    pools: list[list[Bubbles]] = []
    for part in parts:
        pools.append([bubbles for bubbles in dict.fromkeys(reply.bubbles for reply in part) if bubbles not in seen])
        seen.update(pools[-1])
    return pools


def _lineup(
    context: Context, own: Sequence[Sequence[Bubbles]], theirs: Sequence[Sequence[Bubbles]], draw: random.Random
) -> Lineup:
    said = {bubbles_of(turn) for turn in context.session.turns} | {context.true.bubbles}
    length = _length(context.true.bubbles)
    others = _fill(own, said, draw.sample)
    similar = _fill(theirs, said, lambda pool, count: _similar(pool, length, count, draw))
    return Lineup(context, others, similar)


def _fill(
    pools: Sequence[Sequence[Bubbles]],
    said: set[Bubbles],
    take: Callable[[Sequence[Bubbles], int], Sequence[Bubbles]],
) -> tuple[Bubbles, ...]:
    """Nine that were not said in the session, of earlier pools first; none when there are not nine."""
    chosen: list[Bubbles] = []
    for pool in pools:
        left = [bubbles for bubbles in pool if bubbles not in said]
        chosen += take(left, min(OTHERS - len(chosen), len(left)))
    return tuple(chosen) if len(chosen) == OTHERS else ()


def _similar(pool: Sequence[Bubbles], length: int, count: int, draw: random.Random) -> list[Bubbles]:
    """Some of those whose length is nearest."""
    nearest = sorted(pool, key=lambda bubbles: abs(_length(bubbles) - length))[:_NEAREST]
    return draw.sample(nearest, count)


def _length(bubbles: Bubbles) -> int:
    return sum(len(bubble) + 1 for bubble in bubbles)

"""Held-out contexts as trunks of token ids: contexts that stand close together in a session share one.

Knows nothing of candidates or scores. What stands before a reply is written by THE renderer, piece by piece, so that a
trunk is what training and serving see, but for turns that are too long ago.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from training.fidelity.material import Context
from twin.prompt import PromptSpec, render_prompt
from twin.tokens import Tokenizer, encode

Ids = tuple[int, ...]
_LEAST = 2  # of a trunk's longest length, the part that every context gets of what stands before it


@dataclass(frozen=True, slots=True)
class Trunk:
    """Token ids, and after how many of them each of some contexts (by place in the caller's list) is to be answered."""

    ids: tuple[int, ...]
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A context as tokens: `bodies` of the turns before it, and the opening of the reply."""

    place: int
    bodies: int
    tail: tuple[int, ...]


def trunks(spec: PromptSpec, tokenizer: Tokenizer, contexts: Sequence[Context], longest: int) -> list[Trunk]:
    """Trunks of at most `longest` ids in which every context stands once.

    Each context has at least half of that before it, or all there is, whole turns only; those further on in a trunk
    have more. When a single turn is too long, its end is kept.
    """
    found: list[Trunk] = []
    order = sorted(range(len(contexts)), key=lambda place: (_session(contexts[place]), contexts[place].turn))
    for _, group in groupby(order, key=lambda place: _session(contexts[place])):
        rendered = [(place, render_prompt(spec, contexts[place].conversation)) for place in group]
        tails = encode(tokenizer, [groups[-1] for _, groups in rendered])
        head, *bodies = encode(tokenizer, rendered[-1][1][:-1])
        asked = [
            _Asked(place, len(groups) - 2, tail.ids) for (place, groups), tail in zip(rendered, tails, strict=True)
        ]
        fixed = (*tokenizer.bos, *head.ids)
        while asked:
            trunk, asked = _share(fixed, [body.ids for body in bodies], asked, longest)
            found.append(trunk)
    return found


def _session(context: Context) -> str:
    return context.id.rpartition(":")[0]


def _share(fixed: Ids, bodies: Sequence[Ids], asked: list[_Asked], longest: int) -> tuple[Trunk, list[_Asked]]:
    """A trunk for the first contexts of a session, as many as fit; and those that are left."""
    first = asked[0]
    room = (longest - len(fixed)) // _LEAST - len(first.tail)
    begin = first.bodies
    while begin and len(bodies[begin - 1]) <= room:
        begin -= 1
        room -= len(bodies[begin])
    ids = fixed
    if begin and begin == first.bodies and room > 0:
        ids += bodies[begin - 1][-room:]
    points: list[tuple[int, int]] = []
    answered: Ids = ids
    for count, one in enumerate(asked):
        ids += tuple(token for body in bodies[begin : one.bodies] for token in body)
        begin = one.bodies
        if points and len(ids) + len(one.tail) > longest:
            return Trunk(answered, tuple(points)), asked[count:]
        answered = ids + one.tail
        points.append((len(answered), one.place))
    return Trunk(answered, tuple(points)), []

"""Two invented people who write about the same things in different ways, and what a fidelity report is made from.

Knows nothing of measures.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from training.fidelity.material import Bubbles, Context, Material, Reply
from twin.messages import Conversation, Session

_THINGS = (
    "garden kettle bicycle ladder window bakery harbour violin lantern pepper blanket ticket orchard meadow hammer"
    " saddle pillow engine market balloon canyon feather mirror basket candle island jacket kitten lemon marble"
    " needle onion parrot quilt rabbit spoon turnip umbrella valley walnut"
)
_DOINGS = "fix find lose paint carry borrow sell watch clean hide bring draw cook move count"
_SHARED = "the a with for near under and then but about after because over before"

Writer = Callable[[random.Random], Bubbles]


def _phrase(rng: random.Random, longest: int) -> list[str]:
    words = [rng.choice(_DOINGS.split())]
    for _ in range(rng.randint(1, longest)):
        words += [rng.choice(_SHARED.split()), rng.choice(_THINGS.split())]
    return words


def breezy(rng: random.Random) -> Bubbles:
    """Small letters, no full stops, bursts, laughter, stretched words, no apostrophes."""
    bubbles = []
    for _ in range(rng.randint(1, 4)):
        words = [rng.choice(["i gotta", "we", "u could", "dont", "gonna", "lets"]), *_phrase(rng, 2)]
        if rng.random() < 0.3:
            words.append(rng.choice(["haha", "lol", "sooo", "yesss"]))
        bubbles.append(" ".join(words) + rng.choice(["", "", "", "!!", "??"]))
    return tuple(bubbles)


def proper(rng: random.Random) -> Bubbles:
    """One bubble of whole sentences, with capitals, commas, apostrophes and full stops."""
    sentences = []
    for _ in range(rng.randint(1, 3)):
        words = [rng.choice(["I shall", "We ought to", "You don't", "It's wise to", "Perhaps I'll"]), *_phrase(rng, 3)]
        words[len(words) // 2] += rng.choice(["", ","])
        sentences.append(" ".join(words) + rng.choice([".", ".", "?"]))
    return (" ".join(sentences),)


def replies(writer: Writer, count: int, seed: int) -> list[Bubbles]:
    """So many turns of one writer."""
    rng = random.Random(seed)
    return [writer(rng) for _ in range(count)]


def material(
    owner: Writer = breezy, partner: Writer = proper, *, contexts: int = 100, past: int = 500, dialogs: int = 7
) -> Material:
    """What two writers wrote in all three parts; every dialog has about equally many turns of both."""

    def part(writer: Writer, count: int, seed: int) -> tuple[Reply, ...]:
        return tuple(Reply(said, place % dialogs) for place, said in enumerate(replies(writer, count, seed)))

    true = part(owner, contexts, 1)
    return Material(
        contexts=tuple(
            Context(f"{reply.dialog}:0:{place}", Conversation(()), Session(reply.dialog, ()), place, reply)
            for place, reply in enumerate(true)
        ),
        owner_train=part(owner, past, 2),
        owner_val=part(owner, contexts, 3),
        owner_test=true,
        partner_train=part(partner, past, 4),
        partner_val=part(partner, contexts, 5),
        partner_test=part(partner, contexts, 6),
        past=(),
    )

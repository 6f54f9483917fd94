"""Context fit: how much of the way from any past reply to the true one a system's replies go, by what they are about.

Knows nothing of style, or of how vectors are made.

    fit = (cos_system - cos_random) / (cos_true - cos_random)

Each cosine is one between the vector of the last turns before a reply and that of the reply, bubbles as lines, on
average over the contexts. For the random reply it is the mean over all of a sample of the owner's training replies, so
that nothing is left to one draw. 0 is what any reply of the owner's gets, 1 what the true ones get; a system that says
again what it was told gets more than 1. An empty reply is about nothing: its cosine is 0.
Where the true replies themselves are not clearly nearer than random ones, as in a language that the encoder does not
know, there is nothing to measure with.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.fidelity.bootstrap import NOTHING, Floats, mean, measured, plain, weights
from training.fidelity.material import Bubbles, Context, Material, Measured
from training.fidelity.sentences import Vectors

TURNS = 3
"""How many turns before the reply are what it is to fit, the owner's own among them. On the 335 validation replies of
the development corpus true replies stand out from random ones most clearly after three: the difference of their cosines
is 16.8, 18.7, 20.2, 19.8 and 19.1 times its standard error after 1, 2, 3, 4 and 6 turns (.172 after three)."""
_SAMPLE = 500  # training replies
_CLEARLY = 0.02  # cosine
Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class ContextFit:
    """How well replies fit what they answer.

    Attributes:
        fit: 0 for any past reply, 1 for the true ones; NaN when void.
        system, true, random: mean cosine with the context.
        void: why the measure says nothing here; None when it does.
    """

    fit: Measured
    system: Measured
    true: Measured
    random: Measured
    void: str | None

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers; None for what could not be measured."""
        return {
            "fit": plain(self.fit),
            "cosine": plain(self.system),
            "cosine_true": plain(self.true),
            "cosine_random": plain(self.random),
            "void": self.void,
        }


@dataclass(frozen=True)
class Fitting:
    """What every system is measured with: the contexts as vectors, and the cosines of true and random replies.

    Attributes:
        contexts: (N, D) vectors; true, random: (N,) cosines.
    """

    embed: Embed
    contexts: Vectors
    true: Floats
    random: Floats
    seed: int

    @property
    def void(self) -> str | None:
        """Why nothing can be measured with it; None when it can."""
        if not len(self.true):
            return "there are no contexts or no past replies"
        if not mean(self.true - self.random, self.seed).low > _CLEARLY:
            return (
                "the sentence encoder, which knows English, does not find the true replies clearly nearer to their"
                " contexts than random ones"
            )
        return None

    def of(self, replies: Sequence[Bubbles]) -> ContextFit:
        """Measure a system's replies, aligned with the contexts; intervals from drawing contexts again."""
        if not len(self.true):
            return ContextFit(NOTHING, NOTHING, NOTHING, NOTHING, self.void)
        its = _cosines(self.contexts, self.embed, replies)
        drawn = np.concatenate([np.ones((1, len(its))), weights(len(its), self.seed)]) / len(its)
        base = drawn @ self.random
        fit = (drawn @ its - base) / (drawn @ self.true - base)
        void = self.void
        return ContextFit(
            NOTHING if void else measured(float(fit[0]), fit[1:]),
            mean(its, self.seed),
            mean(self.true, self.seed),
            mean(self.random, self.seed),
            void,
        )


def fitting(material: Material, embed: Embed, seed: int = 0, turns: int = TURNS) -> Fitting:
    """Read contexts, true replies and a sample of past ones once for all systems.

    Args:
        embed: texts to vectors of length one, as `sentences.Encoder`.
    """
    past = sorted({reply.bubbles for reply in material.owner_train})
    sample = random.Random(seed).sample(past, min(_SAMPLE, len(past)))
    if not sample or not material.contexts:
        return Fitting(embed, np.zeros((0, 0), dtype=np.float32), np.zeros(0), np.zeros(0), seed)
    contexts = embed([said_before(context, turns) for context in material.contexts])
    anything = embed([_text(bubbles) for bubbles in sample]).mean(0)
    true = _cosines(contexts, embed, [context.true.bubbles for context in material.contexts])
    return Fitting(embed, contexts, true, (contexts @ anything).astype(np.float64), seed)


def said_before(context: Context, turns: int = TURNS) -> str:
    """The last turns before the reply that are not the beginning of the reply itself, bubbles as lines."""
    before = context.session.turns[max(0, context.turn - turns) : context.turn]
    return "\n".join(bubble.text for turn in before for bubble in turn.bubbles)


def _cosines(contexts: Vectors, embed: Embed, replies: Sequence[Bubbles]) -> Floats:
    vectors = embed([_text(bubbles) for bubbles in replies])
    given = np.array([bool(any(bubbles)) for bubbles in replies])
    cosines: Floats = np.where(given, (contexts * vectors).sum(1), 0.0).astype(np.float64)
    return cosines


def _text(bubbles: Bubbles) -> str:
    return "\n".join(bubbles)

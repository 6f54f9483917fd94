"""Whether the twin knows the true reply when it sees it: hits@1 of 10 and mean reciprocal rank.

Knows nothing of generation: replies are only read, and nothing depends on sampling.

Every context has two line-ups of ten (`lineups`): the true reply among nine others of the owner, which asks what fits
the moment, and among nine of other people, which asks who is speaking. A candidate's score is its log-likelihood after
the context, cut after its first tokens and normalised as `NORMALISED` says. The model's choice is narrowed to the
tokens that occur in any candidate: what it gives to others is shared out among these in proportion. Chance is 0.1 for
hits and 0.293 for the reciprocal rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from training.fidelity.bootstrap import mean, plain
from training.fidelity.lineups import Lineup
from training.fidelity.material import Bubbles, Measured
from training.fidelity.trees import Branch, Reader, Tree, score
from training.fidelity.trunks import trunks
from twin.messages import Conversation, Turn
from twin.prompt import encode_prompt, render_turn
from twin.tokens import encode

Normalised = Literal["sum", "token", "context"]
NORMALISED: Normalised = "context"
"""How likelihoods of replies of different lengths are compared: "sum" not at all, "token" a token, "context" as what
the context adds to the reply's likelihood without any, a token."""
MOST_TOKENS = 16
_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class Placing:
    """Where the true reply came among ten.

    Attributes:
        hits: share of contexts in which it came first; mrr: mean of 1 / its rank. Ties share their ranks.
        contexts: how many had nine others.
    """

    hits: Measured
    mrr: Measured
    contexts: int

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers; None for what could not be measured."""
        return {"hits_at_1": plain(self.hits), "mrr": plain(self.mrr), "contexts": self.contexts}


@dataclass(frozen=True, slots=True)
class Ranking:
    """The true reply among the owner's other replies, and among other people's of the same length."""

    owner: Placing
    theirs: Placing

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers."""
        return {"owner": self.owner.as_dict(), "theirs": self.theirs.as_dict()}


def ranking(
    reader: Reader, found: Sequence[Lineup], seed: int = 0, on_share: Callable[[float], None] = lambda _: None
) -> Ranking:
    """Score every candidate of every line-up; `on_share` is told the share that is done."""
    scores = scored(reader, found, on_share)
    owner = [_ranks(its[0], its[1 : 1 + len(one.owner)]) for its, one in zip(scores, found, strict=True) if one.owner]
    theirs = [_ranks(its[0], its[1 + len(one.owner) :]) for its, one in zip(scores, found, strict=True) if one.theirs]
    return Ranking(_placing(owner, seed), _placing(theirs, seed))


def scored(
    reader: Reader, found: Sequence[Lineup], on_share: Callable[[float], None] = lambda _: None
) -> list[list[float]]:
    """For each line-up a number for each of its candidates, in their order; higher is more likely."""
    ids = [[reply_ids(reader, bubbles)[:MOST_TOKENS] for bubbles in one.candidates] for one in found]
    every = sorted({candidate for its in ids for candidate in its})
    vocabulary = sorted({token for candidate in every for token in candidate})
    planted = trunks(reader.spec, reader.tokenizer, [one.context for one in found], reader.longest - MOST_TOKENS)
    trees = [
        Tree(trunk.ids, tuple(Branch(at, candidate) for at, place in trunk.points for candidate in ids[place]))
        for trunk in planted
    ]
    alone = list(_alone(reader, every)) if NORMALISED == "context" else []
    total, done = sum(tree.tokens for tree in [*trees, *alone]), 0
    sizes = iter([tree.tokens for tree in [*alone, *trees]])

    def on_tree() -> None:
        nonlocal done
        done += next(sizes)
        on_share(done / total)

    flat = [likelihood for its in score(reader, alone, vocabulary, on_tree) for likelihood in its]
    before = dict(zip(every, flat, strict=True)) if alone else {}
    result: list[list[float]] = [[] for _ in found]
    for trunk, its in zip(planted, score(reader, trees, vocabulary, on_tree), strict=True):
        likelihoods = iter(its)
        for _, place in trunk.points:
            result[place] = [
                normalised(next(likelihoods), before.get(candidate, ()), NORMALISED) for candidate in ids[place]
            ]
    return result


def normalised(after: Sequence[float], before: Sequence[float], how: Normalised) -> float:
    """A candidate's score from its tokens' log-likelihoods after the context and, for "context", without any."""
    match how:
        case "sum":
            return sum(after)
        case "token":
            return sum(after) / len(after)
        case "context":
            return (sum(after) - sum(before)) / len(after)


def reply_ids(reader: Reader, bubbles: Bubbles) -> tuple[int, ...]:
    """A reply after the opening of its turn, as training wrote it: bubbles, breaks, the end of the turn."""
    _, *segments = render_turn(reader.spec, Turn.of("owner", bubbles))
    (encoded,) = encode(reader.tokenizer, [segments])
    return encoded.ids


def _alone(reader: Reader, every: Sequence[tuple[int, ...]]) -> Iterator[Tree]:
    """Every candidate as the beginning of a conversation."""
    trunk = tuple(encode_prompt(reader.spec, reader.tokenizer, Conversation(()), MOST_TOKENS))
    for start in range(0, len(every), _AT_ONCE):
        yield Tree(trunk, tuple(Branch(len(trunk), candidate) for candidate in every[start : start + _AT_ONCE]))


def _ranks(true: float, others: Sequence[float]) -> tuple[float, float]:
    """Hit and reciprocal rank of the true one, on average over the orders that ties can be put in."""
    better = sum(other > true for other in others)
    ranks = range(better + 1, better + 2 + sum(other == true for other in others))
    return (not better) / len(ranks), sum(1 / rank for rank in ranks) / len(ranks)


def _placing(found: Sequence[tuple[float, float]], seed: int) -> Placing:
    hits, reciprocal = (np.array([one[part] for one in found], dtype=np.float64) for part in (0, 1))
    return Placing(mean(hits, seed), mean(reciprocal, seed), len(found))

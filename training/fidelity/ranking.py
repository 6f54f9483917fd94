"""Whether the twin knows the true reply when it sees it: hits@1 of 10 and mean reciprocal rank.

Knows nothing of generation: replies are only read, and nothing depends on sampling.

Every context has two line-ups of ten (`lineups`): the true reply among nine others of the owner, which asks what fits
the moment, and among nine of other people, which asks who is speaking. What is compared are log-likelihoods of the
candidates, cut after their first tokens and narrowed to the tokens that occur in any candidate: what the model gives
to others is shared out among these in proportion. Chance is 0.1 for hits and 0.293 for the reciprocal rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

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
OWNER: Normalised = "context"
THEIRS: Normalised = "token"
"""How likelihoods of replies of different lengths are compared in either line-up: "sum" as they are, "token" a token,
"context" as what the context adds to the likelihood that the reply has without any, a token. The last takes out how
likely a reply is anyhow, which is nearly all there is to know about who speaks: it would be of no use among others'."""
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


class Likelihood(NamedTuple):
    """Of one candidate, in nats: after the context, and as the beginning of a conversation; over so many tokens."""

    after: float
    alone: float
    tokens: int

    def normalised(self, how: Normalised) -> float:
        """What is compared; higher is likelier."""
        match how:
            case "sum":
                return self.after
            case "token":
                return self.after / self.tokens
            case "context":
                return (self.after - self.alone) / self.tokens


def ranking(
    reader: Reader, found: Sequence[Lineup], seed: int = 0, on_share: Callable[[float], None] = lambda _: None
) -> Ranking:
    """Score every candidate of every line-up; `on_share` is told the share that is done."""
    owner, theirs = [], []
    for one, (true, *others) in zip(found, likelihoods(reader, found, on_share), strict=True):
        own, strange = others[: len(one.owner)], others[len(one.owner) :]
        if own:
            owner.append(placed(true.normalised(OWNER), [other.normalised(OWNER) for other in own]))
        if strange:
            theirs.append(placed(true.normalised(THEIRS), [other.normalised(THEIRS) for other in strange]))
    return Ranking(_placing(owner, seed), _placing(theirs, seed))


def likelihoods(
    reader: Reader, found: Sequence[Lineup], on_share: Callable[[float], None] = lambda _: None
) -> list[list[Likelihood]]:
    """For each line-up the likelihood of each of its candidates, in their order."""
    ids = [[reply_ids(reader, bubbles)[:MOST_TOKENS] for bubbles in one.candidates] for one in found]
    every = sorted({candidate for its in ids for candidate in its})
    vocabulary = sorted({token for candidate in every for token in candidate})
    shared = trunks(reader.spec, reader.tokenizer, [one.context for one in found], reader.longest - MOST_TOKENS)
    trees = [
        Tree(trunk.ids, tuple(Branch(at, candidate) for at, place in trunk.points for candidate in ids[place]))
        for trunk in shared
    ]
    alone = list(_alone(reader, every))
    sizes = iter([tree.tokens for tree in [*alone, *trees]])
    total, done = sum(tree.tokens for tree in [*alone, *trees]), 0

    def on_tree() -> None:
        nonlocal done
        done += next(sizes)
        on_share(done / total)

    flat = [sum(tokens) for its in score(reader, alone, vocabulary, on_tree) for tokens in its]
    before = dict(zip(every, flat, strict=True))
    result: list[list[Likelihood]] = [[] for _ in found]
    for trunk, branches in zip(shared, score(reader, trees, vocabulary, on_tree), strict=True):
        after = iter(branches)
        for _, place in trunk.points:
            result[place] = [Likelihood(sum(next(after)), before[its], len(its)) for its in ids[place]]
    return result


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


def placed(true: float, others: Sequence[float]) -> tuple[float, float]:
    """Hit and reciprocal rank of the true one, on average over the orders in which ties can be put."""
    better = sum(other > true for other in others)
    ranks = range(better + 1, better + 2 + sum(other == true for other in others))
    return (not better) / len(ranks), sum(1 / rank for rank in ranks) / len(ranks)


def _placing(found: Sequence[tuple[float, float]], seed: int) -> Placing:
    hits, reciprocal = (np.array([one[part] for one in found], dtype=np.float64) for part in (0, 1))
    return Placing(mean(hits, seed), mean(reciprocal, seed), len(found))

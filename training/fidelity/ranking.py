"""Whether the twin knows the true reply when it sees it: hits@1 of 10 and mean reciprocal rank.

Knows nothing of generation: replies are only read, and nothing depends on sampling.

Every context has two line-ups of ten (`lineups`): the true reply among nine others of the owner, which asks what fits
the moment, and among nine of other people, which asks who is speaking. A candidate's score is its log-likelihood after
the context, less what the bare base model gives to it without any: what the model knows of the moment and of the
person, and not how usual the words are. Replies are cut after their first tokens, and likelihoods narrowed to the
tokens that occur in any candidate: what the model gives to others is shared out among these in proportion. Chance is
0.1 for hits and 0.293 for the reciprocal rank.

Of 60 validation contexts of the development corpus the base model put the true reply first, among the owner's and among
others', in .15 and .42 by plain log-likelihood, .28 and .47 by that a token, .37 and .58 by what is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.fidelity.bootstrap import mean, plain
from training.fidelity.lineups import Lineup
from training.fidelity.material import Bubbles, Measured
from training.fidelity.trees import Branch, Reader, Tree, score
from training.fidelity.trunks import trunks
from twin.messages import Conversation, Turn
from twin.prompt import encode_prompt, render_turn
from twin.tokens import encode

Ids = tuple[int, ...]
MOST_TOKENS = 16
"""Of a reply are read. Twice as many find the owner's reply in .43 instead of .37 and take half again as long."""
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
    reader: Reader,
    found: Sequence[Lineup],
    seed: int = 0,
    on_share: Callable[[float], None] = lambda _: None,
    usual: Mapping[Ids, float] | None = None,
) -> Ranking:
    """Score every candidate of every line-up.

    Args:
        on_share: told the share that is done.
        usual: what the bare base model gives to each candidate (see `usualness`); None where the reader is that model.
    """
    usual = usualness(reader, found) if usual is None else usual
    owner, theirs = [], []
    for one, (true, *others) in zip(found, scores(reader, found, usual, on_share), strict=True):
        own, strange = others[: len(one.owner)], others[len(one.owner) :]
        owner += [placed(true, own)] if own else []
        theirs += [placed(true, strange)] if strange else []
    return Ranking(_placing(owner, seed), _placing(theirs, seed))


def usualness(reader: Reader, found: Sequence[Lineup]) -> dict[Ids, float]:
    """The log-likelihood of every candidate's ids as the beginning of a conversation."""
    ids = candidate_ids(reader, found)
    every = sorted({candidate for its in ids for candidate in its})
    trunk = tuple(encode_prompt(reader.spec, reader.tokenizer, Conversation(()), MOST_TOKENS))
    trees = [
        Tree(trunk, tuple(Branch(len(trunk), candidate) for candidate in every[start : start + _AT_ONCE]))
        for start in range(0, len(every), _AT_ONCE)
    ]
    flat = [sum(tokens) for its in score(reader, trees, _vocabulary(ids)) for tokens in its]
    return dict(zip(every, flat, strict=True))


def scores(
    reader: Reader,
    found: Sequence[Lineup],
    usual: Mapping[Ids, float],
    on_share: Callable[[float], None] = lambda _: None,
) -> list[list[float]]:
    """For each line-up a number for each of its candidates, in their order; higher fits better."""
    ids = candidate_ids(reader, found)
    shared = trunks(reader.spec, reader.tokenizer, [one.context for one in found], reader.longest - MOST_TOKENS)
    trees = [
        Tree(trunk.ids, tuple(Branch(at, candidate) for at, place in trunk.points for candidate in ids[place]))
        for trunk in shared
    ]
    total, done = sum(tree.tokens for tree in trees), 0
    sizes = iter([tree.tokens for tree in trees])

    def on_tree() -> None:
        nonlocal done
        done += next(sizes)
        on_share(done / total)

    result: list[list[float]] = [[] for _ in found]
    for trunk, branches in zip(shared, score(reader, trees, _vocabulary(ids), on_tree), strict=True):
        after = iter(branches)
        for _, place in trunk.points:
            result[place] = [sum(next(after)) - usual[its] for its in ids[place]]
    return result


def candidate_ids(reader: Reader, found: Sequence[Lineup]) -> list[list[Ids]]:
    """For each line-up the ids of each candidate, as far as they are read."""
    return [[reply_ids(reader, bubbles)[:MOST_TOKENS] for bubbles in one.candidates] for one in found]


def _vocabulary(ids: Sequence[Sequence[Ids]]) -> list[int]:
    return sorted({token for its in ids for candidate in its for token in candidate})


def reply_ids(reader: Reader, bubbles: Bubbles) -> Ids:
    """A reply after the opening of its turn, as training wrote it: bubbles, breaks, the end of the turn."""
    _, *segments = render_turn(reader.spec, Turn.of("owner", bubbles))
    (encoded,) = encode(reader.tokenizer, [segments])
    return encoded.ids


def placed(true: float, others: Sequence[float]) -> tuple[float, float]:
    """Hit and reciprocal rank of the true one, on average over the orders in which ties can be put."""
    better = sum(other > true for other in others)
    ranks = range(better + 1, better + 2 + sum(other == true for other in others))
    return (not better) / len(ranks), sum(1 / rank for rank in ranks) / len(ranks)


def _placing(found: Sequence[tuple[float, float]], seed: int) -> Placing:
    hits, reciprocal = (np.array([one[part] for one in found], dtype=np.float64) for part in (0, 1))
    return Placing(mean(hits, seed), mean(reciprocal, seed), len(found))

"""Sampling: the next token from a model's scores, by temperature, nucleus, floor and repetition control.

Knows nothing of models or requests; it is pure, and randomness comes in as numbers.

Cutting a vocabulary of 262,144 by sorting it whole takes longer than a small model's forward pass, so the nucleus is
looked for among the best few and only sorted out of all when it is larger than that. The outcome is the same: that of
transformers' own processors in their own order, which the tests compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

from twin.sections import Reply

_BEST = 256  # the nucleus is looked for among so many,
_MORE = 8192  # then among so many, then among all


@dataclass(frozen=True, slots=True)
class Draw:
    """What one row's next token depends on beside its scores.

    Attributes:
        written: ids of the reply so far; what repeats is looked for here, never in the context.
        how: the settings.
        chance: a number in [0, 1) for this token, drawn by the row's own generator.
    """

    written: Sequence[int]
    how: Reply
    chance: float


def next_tokens(scores: torch.Tensor, draws: Sequence[Draw]) -> list[tuple[int, float]]:
    """Each row's next token.

    Args:
        scores: (rows, vocabulary) logits.

    Returns:
        for each row the token and its log-probability in the model itself: temperature 1, nothing cut or penalised.
    """
    scores = scores.float()
    whole = _log_total(scores)
    shaped = torch.stack([_shape(row, draw) for row, draw in zip(scores, draws, strict=True)])
    totals = _log_total(shaped).double().cpu()
    best, places = (found.cpu() for found in shaped.topk(min(_BEST, shaped.shape[1])))
    tokens = [_choose(best[n].double(), places[n], float(totals[n]), shaped[n], draw) for n, draw in enumerate(draws)]
    chosen = scores.gather(1, torch.tensor(tokens, device=scores.device)[:, None])[:, 0]
    return list(zip(tokens, (chosen - whole).tolist(), strict=True))


def penalised(scores: torch.Tensor, written: Sequence[int], how: Reply) -> torch.Tensor:
    """Scores (vocabulary,) with what the reply repeats made less likely or impossible."""
    if not written or (how.repetition_penalty == 1 and not how.no_repeat_ngram):
        return scores
    ids, row = torch.tensor([list(written)], device=scores.device), scores[None]
    if how.repetition_penalty != 1:
        row = RepetitionPenaltyLogitsProcessor(float(how.repetition_penalty))(ids, row)
    if how.no_repeat_ngram:
        row = NoRepeatNGramLogitsProcessor(how.no_repeat_ngram)(ids, row)
    return row[0]


def nucleus(ordered: torch.Tensor, log_total: float, how: Reply) -> tuple[torch.Tensor, bool]:
    """Probabilities of the tokens that may be drawn.

    Args:
        ordered: (n,) the n highest scores, penalised and divided by the temperature, highest first, doubles.
        log_total: logarithm of the summed exponentials of all scores, of which there may be more than n.

    Returns:
        of the first tokens of `ordered` (k,), not yet normalised; and whether those are all that may be drawn, for
        only a longer list can tell that more belong to them.
    """
    if how.top_k and how.top_k <= len(ordered):
        ordered = ordered[: how.top_k]
        log_total = float(ordered.logsumexp(0))
    chances = (ordered - log_total).exp()
    before = chances.cumsum(0) - chances
    kept = (before < how.top_p) & (chances >= how.min_p * chances[0]) & (chances > 0)
    kept[0] = True
    count = int(kept.sum())  # each rule keeps a beginning of the list
    return chances[:count], count < len(kept) or bool(how.top_k and len(kept) == how.top_k)


def _shape(scores: torch.Tensor, draw: Draw) -> torch.Tensor:
    shaped = penalised(scores, draw.written, draw.how)
    return shaped / draw.how.temperature if draw.how.temperature not in (0, 1) else shaped


def _choose(best: torch.Tensor, places: torch.Tensor, log_total: float, scores: torch.Tensor, draw: Draw) -> int:
    how = draw.how
    if how.temperature == 0:
        return int(places[0])
    if how.top_p == 1 and not how.min_p and not how.top_k:
        return _of_all(best, places, log_total, scores, draw.chance)
    chances, complete = (best[:0], False) if how.top_k > len(best) else nucleus(best, log_total, how)
    for count in (_MORE, len(scores)):
        if complete or len(best) == len(scores):
            break
        best, places = (found.cpu() for found in scores.topk(min(max(count, how.top_k), len(scores))))
        chances, complete = nucleus(best.double(), log_total, how)
    return int(places[_drawn(chances, draw.chance)])


def _of_all(best: torch.Tensor, places: torch.Tensor, log_total: float, scores: torch.Tensor, chance: float) -> int:
    """Nothing is cut: likeliest first, so that all are looked at only when a number falls behind the likeliest."""
    for count in (_MORE, len(scores)):
        sums = (best.double() - log_total).exp().cumsum(0)
        if chance < float(sums[-1]) and len(best) < len(scores):
            return int(places[int(torch.searchsorted(sums, chance, right=True))])
        best, places = (found.cpu() for found in scores.topk(min(count, len(scores))))
    return int(places[_drawn((best.double() - log_total).exp(), chance)])


def _drawn(chances: torch.Tensor, chance: float) -> int:
    """Which of some outcomes, whose chances need not add up to 1, a number in [0, 1) falls on."""
    sums = chances.cumsum(0)
    return int(torch.searchsorted(sums, chance * sums[-1], right=True).clamp(max=len(chances) - 1))


def _log_total(scores: torch.Tensor) -> torch.Tensor:
    """As `logsumexp` over the vocabulary, several times as fast on a CPU."""
    highest = scores.amax(1, keepdim=True)
    return (scores - highest).exp_().sum(1).log_() + highest[:, 0]

"""Reranking: of several replies to one context, the one that fits it and not just anything.

Knows nothing of conversations; ids and what they were worth to the model come in.

Sampling likes what fits everywhere ("haha yeah"). Maximum mutual information (Li et al. 2016, "A Diversity-Promoting
Objective Function", section 4.5.1) takes away what a reply would be worth without any context:
log p(reply | context) - weight * log p(reply | opening), a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from inference.engine import Written

_SCORES = 1 << 25  # so many logits at once, 128 MiB


@runtime_checkable
class Scorer(Protocol):
    """An engine that can tell what a reply would be worth after something else."""

    def log_probs(self, opening: Sequence[int], replies: Sequence[Sequence[int]]) -> list[float]:
        """Natural logarithm of each reply's probability after an opening (at least one id), at temperature 1."""


def fitting_best(scorer: Scorer, opening: Sequence[int], replies: Sequence[Written], weight: float) -> Written:
    """The reply of the highest worth a token; of equals the first. At least one, none of them without tokens.

    Args:
        opening: the ids after which a reply to nothing begins.
        weight: of what a reply is worth to nothing.
    """
    without = scorer.log_probs(opening, [reply.ids for reply in replies]) if weight else [0.0] * len(replies)
    worth = [(r.log_prob - weight * bare) / len(r.ids) for r, bare in zip(replies, without, strict=True)]
    return replies[max(range(len(replies)), key=worth.__getitem__)]


def log_probs(model: Any, opening: Sequence[int], replies: Sequence[Sequence[int]]) -> list[float]:
    """Natural logarithm of each reply's probability after an opening (at least one id), at temperature 1."""
    import torch

    found: list[float] = []
    longest = max(map(len, replies), default=1)
    rows = max(1, _SCORES // (longest * model.config.get_text_config().vocab_size))
    with torch.inference_mode():
        for start in range(0, len(replies), rows):
            found += _log_probs(model, opening, replies[start : start + rows])
    return found


def _log_probs(model: Any, opening: Sequence[int], replies: Sequence[Sequence[int]]) -> list[float]:
    import torch

    width = max(map(len, replies))
    padded = torch.tensor([[*reply, *[0] * (width - len(reply))] for reply in replies], device=model.device)
    real = torch.tensor([[n < len(reply) for n in range(width)] for reply in replies], device=model.device)
    before = torch.tensor(opening, device=model.device).expand(len(replies), -1)
    ids = torch.cat([before, padded], dim=1)
    scores = model(input_ids=ids, use_cache=False, logits_to_keep=width + 1).logits[:, :-1].float()  # padding is last
    each = -torch.nn.functional.cross_entropy(scores.flatten(0, 1), padded.flatten(), reduction="none")
    return [float(total) for total in (each.view_as(padded) * real).sum(1)]

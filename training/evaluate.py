"""Held-out loss: what later conversations cost a model.

Knows nothing of how an adapter came to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training.encode import Row, Window
from training.loss import summed_loss


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Loss on held-out owner turns.

    Attributes:
        nats: summed negative log-likelihood of every supervised token: words, breaks, ends of turns.
        tokens: how many.
        characters: of the words, one more for every bubble; tells tokenizers apart from models.
        turns: how many owner turns.
    """

    nats: float
    tokens: int
    characters: int
    turns: int

    @property
    def nats_per_token(self) -> float:
        """Mean loss, as trainers print it."""
        return self.nats / self.tokens

    @property
    def bits_per_character(self) -> float:
        """How many bits a character of the owner's costs: comparable between models and tokenizers."""
        return self.nats / math.log(2) / self.characters

    def as_dict(self, prefix: str) -> dict[str, float]:
        """Rounded numbers for manifests and scripts."""
        return {
            f"{prefix}_bits_per_character": round(self.bits_per_character, 4),
            f"{prefix}_nats_per_token": round(self.nats_per_token, 4),
            f"{prefix}_turns": self.turns,
            f"{prefix}_tokens": self.tokens,
        }


def held_out_loss(
    model: Any, rows: Iterable[Row], device: torch.device, on_row: Callable[[], None] = lambda: None
) -> HeldOut:
    """Measure a causal LM on packed rows, dropout off; the model's mode is restored.

    Args:
        on_row: called after each row, for progress.
    """
    training = model.training
    model.eval()
    nats = 0.0
    tokens = characters = turns = 0
    with torch.no_grad():
        for row in rows:
            nats += float(summed_loss(model, row, device))
            tokens += len(row.labels)
            characters += row.characters
            turns += row.turns
            on_row()
    model.train(training)
    return HeldOut(nats, tokens, characters, turns)


def evenly(found: Sequence[Window], max_tokens: int) -> list[Window]:
    """Windows spread evenly over the period, together at most about `max_tokens` long; all when they fit."""
    total = sum(len(window.ids) for window in found)
    if total <= max_tokens:
        return list(found)
    count = max(1, int(len(found) * max_tokens / total))
    return [found[int((place + 0.5) * len(found) / count)] for place in range(count)]

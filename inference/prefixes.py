"""Prefixes: what a model has read already, kept so that no beginning is read twice.

Knows nothing of chats; token ids are all it compares. Drop it when the weights change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache

from inference.rows import States

_LEAST = 16  # fewer shared tokens are not worth a look
Ids = npt.NDArray[np.int64]


class Prefixes:
    """Reads prompts, with the states of earlier ones as far as they begin alike.

    Attributes:
        read: how many tokens the model has read so far; asked: of how many it was to give the states.
    """

    def __init__(self, model: Callable[..., Any], device: torch.device, most_bytes: int) -> None:
        self._model = model
        self._device = device
        self._most_bytes = most_bytes
        self._kept: list[tuple[Ids, States]] = []  # least recently used first
        self.read = self.asked = 0

    @property
    def tokens(self) -> int:
        """How many tokens' states are kept."""
        return sum(states.length for _, states in self._kept)

    def states(self, prompt: Sequence[int]) -> States:
        """The states of a prompt (at least one id), read as far as they are not kept."""
        ids = np.asarray(prompt, dtype=np.int64)
        self.asked += len(ids)
        shared, place = max(((_shared(kept, ids), n) for n, (kept, _) in enumerate(self._kept)), default=(0, -1))
        if shared < min(_LEAST, len(ids)):
            found = self._read(ids, None)
        else:
            entry = self._kept.pop(place)
            self._kept.append(entry)
            if shared == len(ids):
                return entry[1].first(shared)
            found = self._read(ids, entry[1].first(shared))
            if shared == len(entry[0]):
                self._kept.pop()  # the new one begins with all of it
        self._kept.append((ids, found))
        self._forget()
        return found

    def _read(self, ids: Ids, before: States | None) -> States:
        start = before.length if before is not None else 0
        cache = DynamicCache(before.layers) if before is not None else DynamicCache()
        new = torch.as_tensor(ids[start:], device=self._device)[None]
        self._model(
            input_ids=new,
            position_ids=torch.arange(start, len(ids), device=self._device)[None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.read += len(ids) - start
        return States(tuple((layer.keys, layer.values) for layer in cache.layers), len(ids))

    def _forget(self) -> None:
        """Let the least recently used go until the rest fits; the latest stays."""
        most = self._most_bytes // self._kept[-1][1].bytes_per_token
        while len(self._kept) > 1 and self.tokens > most:
            self._kept.pop(0)


def _shared(a: Ids, b: Ids) -> int:
    """How many ids two sequences begin alike with."""
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    return int(different[0]) if len(different) else length

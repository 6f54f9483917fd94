"""Rows: keys and values of the sequences that are being written, a row each, as one transformers cache.

Knows nothing of tokens, sampling or requests; whoever decodes says when a row comes and goes.

All rows end at the same column of a buffer that is written in place, so a step copies nothing and every model's own
masks, sliding windows included, are right: within a row, columns are as far apart as positions. No layer forgets what
its window has passed, which is what lets a prefix be cut anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

_BLOCK = 128  # columns by which buffers grow


@dataclass(frozen=True, slots=True)
class States:
    """Keys and values of one sequence's first tokens.

    Attributes:
        layers: for each layer keys and values, of shape (1, heads, `length`, width).
        length: how many tokens.
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    length: int

    def first(self, length: int) -> States:
        """Those of fewer tokens; a view."""
        return States(tuple((keys[:, :, :length], values[:, :, :length]) for keys, values in self.layers), length)

    @property
    def bytes_per_token(self) -> int:
        """Memory that a token takes in all layers."""
        return sum(
            part.shape[1] * part.shape[3] * part.element_size() for keys_values in self.layers for part in keys_values
        )


class Rows:
    """A batch that rows join and leave. Rows are numbered from 0; the last takes the place of one that leaves."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.begin = self.end = 0  # the columns in use, of every layer
        self._layers: list[_Layer] = []
        self._cache: Any = None
        self.bytes_per_token = 0  # of a row's; known once one has joined

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def cache(self) -> Any:
        """What a model takes as `past_key_values`; after its forward pass, call `advance`."""
        return self._cache

    @property
    def mask(self) -> torch.Tensor:
        """(rows, columns + 1): which columns are a row's own, the one to be written included."""
        columns = torch.arange(self.begin, self.end + 1)
        starts = torch.tensor([self.end - length for length in self.lengths])
        return columns[None] >= starts[:, None]

    @property
    def positions(self) -> torch.Tensor:
        """(rows, 1): the position of the token to be written."""
        return torch.tensor(self.lengths)[:, None]

    def join(self, states: States) -> int:
        """Add a row that begins with these states; returns its number."""
        if not self._layers:
            self._layers = [_Layer(self, keys, values) for keys, values in states.layers]
            self._cache = Cache(layers=list(self._layers))
            self.bytes_per_token = states.bytes_per_token
        if not self.lengths:
            self.begin = self.end = 0
        row, longest = len(self.lengths), max([states.length, *self.lengths])
        if states.length > self.end:
            self._move(longest)
        for layer, (keys, values) in zip(self._layers, states.layers, strict=True):
            layer.make_room(row + 1, self.end)
            layer.put(row, self.end - states.length, self.end, keys, values)
        self.lengths.append(states.length)
        self.begin = self.end - longest
        return row

    def advance(self) -> None:
        """The model has written a token to every row."""
        self.end += 1
        self.lengths = [length + 1 for length in self.lengths]
        longest = max(self.lengths)
        self.begin = self.end - longest
        if self.begin >= _BLOCK:
            self._move(longest)

    def leave(self, row: int) -> int:
        """Take a row out; returns the number that the row which is now called `row` had before."""
        last = len(self.lengths) - 1
        if row != last:
            for layer in self._layers:
                layer.copy(last, row, self.begin, self.end)
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        self.begin = self.end - max(self.lengths, default=0)
        return last

    def clear(self) -> None:
        """Take all rows out and free the memory."""
        self.lengths, self._layers, self._cache = [], [], None
        self.begin = self.end = 0

    def _move(self, end: int) -> None:
        """Let all rows end at another column."""
        for layer in self._layers:
            layer.move(len(self.lengths), self.begin, self.end, end)
        self.begin, self.end = end - (self.end - self.begin), end


class _Layer(DynamicLayer):  # type: ignore[misc]
    """One layer's buffers of shape (rows, heads, columns, width), used as far as `Rows` says."""

    def __init__(self, rows: Rows, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self._rows = rows
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.keys, self.values = keys[:0, :, :0], values[:0, :, :0]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one token to every row; returns the keys and values in use, that token's included."""
        count, begin, end = len(self._rows), self._rows.begin, self._rows.end
        self.make_room(count, end + 1)
        self.keys[:count, :, end : end + 1] = key_states
        self.values[:count, :, end : end + 1] = value_states
        return self.keys[:count, :, begin : end + 1], self.values[:count, :, begin : end + 1]

    def get_seq_length(self) -> int:
        """Columns in use, before the one that is to be written."""
        return self._rows.end - self._rows.begin

    def make_room(self, rows: int, columns: int) -> None:
        """Grow the buffers to at least so many rows and columns; what is new is zero, for a mask hides no NaN."""
        have_rows, have_columns = self.keys.shape[0], self.keys.shape[2]
        if rows <= have_rows and columns <= have_columns:
            return
        rows = max(rows, have_rows)
        columns = have_columns if columns <= have_columns else -(-columns // _BLOCK) * _BLOCK
        self.keys, self.values = (_grown(part, rows, columns) for part in (self.keys, self.values))

    def put(self, row: int, begin: int, end: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Fill columns of a row with states of shape (1, heads, columns, width)."""
        self.keys[row, :, begin:end] = keys[0]
        self.values[row, :, begin:end] = values[0]

    def copy(self, source: int, target: int, begin: int, end: int) -> None:
        """Copy columns of one row to another."""
        for part in (self.keys, self.values):
            part[target, :, begin:end] = part[source, :, begin:end]

    def move(self, rows: int, begin: int, end: int, new_end: int) -> None:
        """Move columns so that they end elsewhere."""
        self.make_room(rows, new_end)
        for part in (self.keys, self.values):
            part[:rows, :, new_end - (end - begin) : new_end] = part[:rows, :, begin:end].clone()


def _grown(part: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    grown = part.new_zeros((rows, part.shape[1], columns, part.shape[3]))
    grown[: part.shape[0], :, : part.shape[2]] = part
    return grown

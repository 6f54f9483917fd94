"""Text segments to token ids, each segment tokenized by itself.

Knows nothing of turns or templates; tokenizers come in as a Protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of rendered text.

    Attributes:
        text: what to tokenize.
        is_frame: template text, in which special tokens count; message text never yields special tokens.
        supervised: whether the loss sees its tokens.
    """

    text: str
    is_frame: bool
    supervised: bool


class Tokenizer(Protocol):
    """What encoding needs of a tokenizer."""

    @property
    def bos(self) -> tuple[int, ...]:
        """Ids that start every sequence: one beginning-of-sequence id, or nothing."""

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Ids of each text by itself; special tokens spelled out in the text count only if `special`."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids and, for each, whether the loss sees it (same length)."""

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __add__(self, other: Encoded) -> Encoded:
        return Encoded(self.ids + other.ids, self.supervised + other.supervised)

    def __getitem__(self, part: slice) -> Encoded:
        return Encoded(self.ids[part], self.supervised[part])

    @property
    def unsupervised(self) -> Encoded:
        """The same ids as mere context."""
        return Encoded(self.ids, (False,) * len(self.ids))


def encode(tokenizer: Tokenizer, groups: Sequence[Sequence[Segment]]) -> list[Encoded]:
    """Tokenize groups of segments (a group a turn) in two batched calls; order is kept."""
    flat = [segment for group in groups for segment in group]
    ids: list[list[int]] = [[] for _ in flat]
    for special in (True, False):
        places = [place for place, segment in enumerate(flat) if segment.is_frame is special]
        for place, found in zip(places, tokenizer.encode([flat[p].text for p in places], special=special), strict=True):
            ids[place] = found
    encoded: list[Encoded] = []
    place = 0
    for group in groups:
        tokens: list[int] = []
        mask: list[bool] = []
        for segment in group:
            tokens += ids[place]
            mask += [segment.supervised] * len(ids[place])
            place += 1
        encoded.append(Encoded(tuple(tokens), tuple(mask)))
    return encoded

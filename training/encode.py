"""Sessions to packed rows of token ids, in which every owner turn is supervised exactly once.

Knows nothing of models or of torch.

A session that fits the context budget is one window. A longer one is cut between turns into windows that
repeat its head, and up to a quarter of the budget as unsupervised context (contract 4). Windows are packed into rows
without padding; positions restart with every window, from which the model builds a block-diagonal mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twin.cutting import stretches
from twin.errors import SettingsError
from twin.messages import Session, Turn
from twin.prompt import PromptSpec, render_head, render_turns
from twin.tokens import Encoded, Tokenizer, encode

_REPEATED_SHARE = 4


@dataclass(frozen=True, slots=True)
class Window:
    """One training sequence.

    Attributes:
        ids: token ids, at most the context budget.
        supervised: for each id, whether the loss sees it (as the thing to predict).
        turns: how many owner turns it supervises.
        characters: of their words, one more for every bubble: what bits per character divide by.
        truncated: how many turns were longer than the budget and stand here in part.
    """

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    turns: int
    characters: int
    truncated: int = 0

    @property
    def labels(self) -> int:
        """How many tokens the loss sees."""
        return sum(self.supervised)


@dataclass(frozen=True, slots=True)
class Row:
    """Windows side by side: the unit of one forward pass.

    Attributes:
        ids: (T,) token ids.
        positions: (T,) position ids; each window starts at 0.
        label_at: (N,) indices of the tokens *after which* a supervised token stands.
        labels: (N,) those supervised tokens.
        turns, characters: summed over its windows.
    """

    ids: list[int]
    positions: list[int]
    label_at: list[int]
    labels: list[int]
    turns: int
    characters: int


EMPTY = Row([0], [0], [], [], 0, 0)  # costs a pass and counts nothing


def windows(found: Iterable[Session], spec: PromptSpec, tokenizer: Tokenizer) -> list[Window]:
    """Every session as windows, in order. Windows that would teach nothing are left out.

    Raises:
        SettingsError: the system text leaves no room for a conversation.
    """
    result: list[Window] = []
    for session in found:
        head, *bodies = encode(
            tokenizer,
            [
                render_head(spec, session.peer, session.chat_id),
                *render_turns(spec, session.turns, session.previous_at),
            ],
        )
        head = Encoded(tuple(tokenizer.bos), (False,) * len(tokenizer.bos)) + head
        if len(head) > spec.context_tokens // 2:
            raise SettingsError(
                "base.system takes more than half of dataset.context_tokens",
                "shorten it, or raise dataset.context_tokens",
            )
        result += _cut(head, list(zip(session.turns, bodies, strict=True)), spec.context_tokens)
    return [window for window in result if window.labels]


def pack(found: Sequence[Window], row_tokens: int) -> list[Row]:
    """Windows into rows of at most `row_tokens`: first fit, longest first, so rows are nearly full.

    A window longer than `row_tokens` has a row of its own.
    """
    bins: list[list[Window]] = []
    rooms = _Rooms(row_tokens)
    for window in sorted(found, key=lambda w: -len(w.ids)):
        place = rooms.take(len(window.ids))
        if place == len(bins):
            bins.append([])
        bins[place].append(window)
    return [_row(content) for content in bins]


class _Rooms:
    """The room left in each of any number of bins; the first that is large enough is found in O(log n).

    A complete binary tree of maxima over the bins: on the way down, left if the left half has a bin large enough.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._leaves = 1
        self._largest = [size, size]  # node n has the children 2n and 2n + 1; every leaf is an empty bin at first

    def take(self, length: int) -> int:
        """Number of the first bin that has room for `length`, less so much now; a new one for what fits nowhere."""
        length = min(length, self._size)
        if self._largest[1] < length:
            self._double()
        node = 1
        while node < self._leaves:
            node = 2 * node if self._largest[2 * node] >= length else 2 * node + 1
        place = node - self._leaves
        self._largest[node] -= length
        while node := node // 2:
            self._largest[node] = max(self._largest[2 * node], self._largest[2 * node + 1])
        return place

    def _double(self) -> None:
        old, self._leaves = self._leaves, 2 * self._leaves
        leaves = self._largest[old:] + [self._size] * old
        self._largest = [self._size] * self._leaves + leaves
        for node in range(self._leaves - 1, 0, -1):
            self._largest[node] = max(self._largest[2 * node], self._largest[2 * node + 1])


def _row(content: Sequence[Window]) -> Row:
    ids: list[int] = []
    positions: list[int] = []
    label_at: list[int] = []
    labels: list[int] = []
    for window in content:
        start = len(ids)
        ids += window.ids
        positions += range(len(window.ids))
        for place, (token, supervised) in enumerate(zip(window.ids, window.supervised, strict=True)):
            if supervised and place:
                label_at.append(start + place - 1)
                labels.append(token)
    return Row(ids, positions, label_at, labels, sum(w.turns for w in content), sum(w.characters for w in content))


def _cut(head: Encoded, turns: list[tuple[Turn, Encoded]], budget: int) -> list[Window]:
    """One session's turns into windows of at most `budget` tokens, each turn new in exactly one of them."""
    room = budget - len(head)
    lengths = [len(body) for _, body in turns]
    return [
        _window(head, [body.unsupervised for _, body in turns[part.start : part.new]], turns[part.new : part.end], room)
        for part in stretches(lengths, room, room // _REPEATED_SHARE)
    ]


def _window(head: Encoded, context: Sequence[Encoded], new: Sequence[tuple[Turn, Encoded]], room: int) -> Window:
    whole = head
    for body in context:
        whole = whole + body
    characters = truncated = 0
    for turn, body in new:
        kept = body
        if len(body) > room:  # then it stands alone in its window
            kept, truncated = _shorten(turn, body, room), truncated + 1
        whole = whole + kept
        if turn.is_supervisable:
            characters += round(turn.characters * len(kept) / len(body))
    return Window(
        whole.ids,
        whole.supervised,
        sum(turn.is_supervisable for turn, _ in new),
        characters,
        truncated,
    )


def _shorten(turn: Turn, body: Encoded, room: int) -> Encoded:
    """As much of a turn as fits: of the owner's, from a little before their first own word; else its end."""
    if not turn.is_supervisable:
        return body[-room:]
    start = max(0, body.supervised.index(True) - room // _REPEATED_SHARE)
    return body[start : start + room]

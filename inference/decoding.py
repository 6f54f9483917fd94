"""Decoding: many replies written at once by one causal LM, each with its own settings, seed and end.

Knows nothing of chats, adapters or where prompts come from; ids go in, ids and their text come out.

Prompts that begin alike are read once (`inference.prefixes`); every step writes one token of every reply; a reply that
is done makes room for one that waits, in the middle of all others. What a reply says depends on its own prompt,
settings and seed, not on what is written beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from tokenizers.decoders import DecodeStream

from inference.engine import Request, Written
from inference.prefixes import Prefixes
from inference.rows import Rows
from inference.sampling import Draw, next_tokens
from inference.tokenizer import BaseTokenizer
from twin.errors import ModelError

_MOST_ROWS = 16
_ROWS_BYTES = 768 << 20
_PREFIXES_BYTES = 256 << 20
_ATTENTION = {"full_attention", "sliding_attention"}


@dataclass(slots=True)
class _Row:
    """A reply that is being written."""

    ticket: int
    lane: int
    request: Request
    chances: torch.Generator
    stream: DecodeStream = field(default_factory=DecodeStream)
    ids: list[int] = field(default_factory=list)
    text: str = ""
    log_prob: float = 0.0


class Decoder:
    """Writes replies with one model as it is; make another one when its weights change. Not thread-safe.

    Whoever uses it (`inference.sharing`) calls `submit` and `cancel` at any time and `step` as long as it is `busy`.

    Attributes:
        prefixes: what was read already, and how much that was.
        steps: how often the model was run over all rows; written: how many tokens that gave.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: BaseTokenizer,
        *,
        most_rows: int = _MOST_ROWS,
        rows_bytes: int = _ROWS_BYTES,
        prefixes_bytes: int = _PREFIXES_BYTES,
    ) -> None:
        """
        Args:
            most_rows: how many replies are written at once at most.
            rows_bytes, prefixes_bytes: the most memory for the states of those, and for beginnings that are kept.

        Raises:
            ModelError: the model's attention keeps something else than keys and values.
        """
        kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
        if kinds - _ATTENTION:
            raise ModelError(
                f"The base model has layers of the kind {min(kinds - _ATTENTION)!r}, which cannot be served yet",
                "choose a model whose layers all attend",
            )
        self._model = model
        self._tokenizer = tokenizer
        self._most_rows = most_rows
        self._rows_bytes = rows_bytes
        self._device = model.device
        self._rows = Rows()
        self._writing: list[_Row] = []  # in the order of the rows
        self._waiting: list[tuple[int, int, Request]] = []  # ticket, lane, request, in the order they came
        self._tickets = 0
        self.prefixes = Prefixes(model, self._device, prefixes_bytes)
        self.steps = self.written = 0

    @property
    def busy(self) -> bool:
        """Whether a reply is being written or waits."""
        return bool(self._writing or self._waiting)

    def submit(self, request: Request, lane: int = 0) -> int:
        """Line a reply up; returns its ticket.

        Args:
            lane: who asks. Of those that wait, who has the fewest replies being written is next, so that nobody who
                asks for many keeps others waiting; within a lane they are written in order.
        """
        self._tickets += 1
        self._waiting.append((self._tickets, lane, request))
        return self._tickets

    @torch.inference_mode()
    def cancel(self, ticket: int) -> Written | None:
        """Stop writing a reply; returns what there is of it, None when it is not being written."""
        self._waiting = [found for found in self._waiting if found[0] != ticket]
        row = next((n for n, row in enumerate(self._writing) if row.ticket == ticket), None)
        return self._leave(row, "cancelled") if row is not None else None

    def clear(self) -> None:
        """Forget every reply that is being written or waits, and free their memory; kept beginnings stay."""
        self._writing.clear()
        self._waiting.clear()
        self._rows.clear()

    @torch.inference_mode()
    def step(self, on_token: Callable[[int, str], None] = lambda _, __: None) -> list[tuple[int, Written]]:
        """Let in who waits as far as there is room, then write a token of every reply.

        Returns:
            ticket and reply of those that are done.
        """
        while self._waiting and self._has_room(place := self._next()):
            self._join(*self._waiting.pop(place))
        if not self._writing:
            return []
        draws = [
            Draw(row.ids, row.request.how, float(torch.rand((), generator=row.chances, dtype=torch.float64)))
            for row in self._writing
        ]
        ended: list[tuple[int, Literal["turn", "length"]]] = []
        for number, (token, log_prob) in enumerate(next_tokens(self._scores(), draws)):
            row = self._writing[number]
            on_token(row.ticket, self._take(row, token, log_prob))
            if token in self._tokenizer.ends or row.request.is_complete(row.text):
                ended.append((number, "turn"))
            elif len(row.ids) >= row.request.how.max_tokens:
                ended.append((number, "length"))
        tickets = [self._writing[number].ticket for number, _ in ended]
        replies = [self._leave(number, why) for number, why in reversed(ended)]  # the last row takes a gap: from behind
        return list(zip(tickets, reversed(replies), strict=True))

    def _next(self) -> int:
        """Which of those that wait is to join."""
        busy = Counter(row.lane for row in self._writing)
        return min(range(len(self._waiting)), key=lambda n: (busy[self._waiting[n][1]], n))

    def _has_room(self, place: int) -> bool:
        if not self._writing:
            return True
        if len(self._writing) >= self._most_rows:
            return False
        prompts = [len(row.request.prompt) + row.request.how.max_tokens for row in self._writing]
        _, _, request = self._waiting[place]
        longest = max(*prompts, len(request.prompt) + request.how.max_tokens)
        return (len(prompts) + 1) * longest * self._rows.bytes_per_token <= self._rows_bytes

    def _join(self, ticket: int, lane: int, request: Request) -> None:
        """All of a prompt but its last token is read; that one is what the first step begins with."""
        length = len(request.prompt) - 1
        self._rows.join(self.prefixes.states(request.prompt[: max(1, length)]).first(length))
        self._writing.append(_Row(ticket, lane, request, torch.Generator().manual_seed(request.seed)))

    def _scores(self) -> torch.Tensor:
        """(rows, vocabulary): what each row goes on with; its latest token is read."""
        latest = [row.ids[-1] if row.ids else row.request.prompt[-1] for row in self._writing]
        out = self._model(
            input_ids=torch.tensor(latest, device=self._device)[:, None],
            attention_mask=self._rows.mask.to(self._device),
            position_ids=self._rows.positions.to(self._device),
            past_key_values=self._rows.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._rows.advance()
        self.steps += 1
        self.written += len(latest)
        scores: torch.Tensor = out.logits[:, -1]
        return scores

    def _take(self, row: _Row, token: int, log_prob: float) -> str:
        """Append a token to a reply; returns the text that this makes readable."""
        row.ids.append(token)
        row.log_prob += log_prob
        new = "" if token in self._tokenizer.ends else row.stream.step(self._tokenizer.backend, token) or ""
        row.text += new
        return new

    def _leave(self, number: int, why: Literal["turn", "length", "cancelled"]) -> Written:
        last = self._rows.leave(number)
        gone = self._writing[number]
        self._writing[number] = self._writing[last]
        self._writing.pop()
        return self._result(gone, why)

    def _result(self, row: _Row, why: Literal["turn", "length", "cancelled"]) -> Written:
        return Written(tuple(row.ids), self._tokenizer.decode(row.ids), row.log_prob, why, len(row.ids))

"""Writing: one conversation to one reply of one version: the prompt, bubbles as they come, and the guard before each.

Knows nothing of which version that is, of swaps, or of what a guard looks for.

A reply is written bubble by bubble. What passed the guard stays said; at the first bubble that does not, writing stops
and is taken up again once from there. If that fails too, the reply ends there, or is a stock phrase when nothing was
said yet. So a reply is the same whether somebody reads along or not, and nothing is ever taken back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from inference.engine import Engine, Request, Written
from inference.generator import Ended, TwinReply, Wish
from inference.reranking import Scorer, fitting_best
from twin.errors import SettingsError
from twin.messages import Bubble, Conversation, Turn
from twin.prompt import PromptSpec, encode_prompt, read_reply, reply_is_complete
from twin.sections import Reply

_ATTEMPTS = 3
_SPREAD = ("secret", "vault", "others")
_GUARDED_ATTEMPTS = 2
_WARMER = 0.7  # the temperature of a second attempt where the first was greedy: again it would write the same


class Guard(Protocol):
    """What is asked before anything is said; see inference/guard.py."""

    def catches(self, conversation: Conversation, said: Sequence[str], bubble: str) -> str | None:
        """What kind of thing must keep a bubble back that would follow what is said already; None if nothing must."""

    def catches_nothing(self, said: Sequence[str]) -> str | None:
        """The kind under which a whole reply counts that holds nothing; None if silence is an answer."""

    def stock_phrase(self, language: str, chance: float) -> tuple[str, ...]:
        """What is said in place of a reply, in a language (ISO 639-1); chance in [0, 1) chooses one."""


class Unguarded:
    """Lets everything through, silence too."""

    def catches(self, conversation: Conversation, said: Sequence[str], bubble: str) -> str | None:
        """Never anything."""
        return None

    def catches_nothing(self, said: Sequence[str]) -> str | None:
        """Never anything."""
        return "empty" if not said else None

    def stock_phrase(self, language: str, chance: float) -> tuple[str, ...]:
        """Nothing."""
        return ()


class Writing:
    """Writes replies with an engine as it is now.

    Args:
        spec: how what serves was taught to read conversations.
        how: sampling; the most tokens are at most half of the budget of `spec`.
    """

    def __init__(self, engine: Engine, spec: PromptSpec, how: Reply) -> None:
        self._engine = engine
        self._spec = spec
        self._room = min(how.max_tokens, spec.context_tokens // 2)
        self._how = how.model_copy(update={"max_tokens": self._room})
        self._count = how.candidates if how.temperature else 1
        if self._count > 1 and not isinstance(engine, Scorer):
            raise SettingsError(
                "This engine cannot compare candidates", 'set reply.candidates to 1, or engine.kind to "local"'
            )

    def guarded(self, conversation: Conversation, wish: Wish, seed: int, guard: Guard) -> TwinReply:
        """One reply; nothing of it is ever said that the guard catches.

        Raises:
            ModelError: the engine failed.
        """
        reply = TwinReply((), None)
        for attempt in range(_GUARDED_ATTEMPTS):
            part = _Part(self._spec, conversation, wish, reply.bubbles, guard)
            prompt = self._prompt(_after(conversation, reply.bubbles))
            written = self._one(prompt, part, conversation, _seed(seed, attempt, 0), again=bool(attempt))
            ended = part.end(written)
            # A secret that is spread over bubbles is seen in its last part; nobody was told of the others as yet.
            is_taken_back = part.caught in _SPREAD and not wish.is_heard
            reply = replace(
                reply,
                bubbles=() if is_taken_back else tuple(part.said),
                ended=ended,
                prompt_tokens=reply.prompt_tokens + len(prompt),
                tokens=reply.tokens + written.count,
                caught=reply.caught + ((part.caught,) if part.caught else ()),
            )
            if not part.caught:
                return reply
        if reply.bubbles:
            return reply
        chance = _seed(seed, _GUARDED_ATTEMPTS, 0) / 2**63
        stock = guard.stock_phrase(self._spec.language, chance)
        for bubble in stock:
            wish.on_bubble(bubble)
        return replace(reply, bubbles=stock)

    def all_of(
        self, conversations: Sequence[Conversation], seed: int, on_progress: Callable[[float], None]
    ) -> list[tuple[str, ...]]:
        """The bubbles of a reply to each, unguarded, written together; an empty one is tried again."""
        prompts = [self._prompt(asked) for asked in conversations]
        answers: list[tuple[str, ...]] = [()] * len(prompts)
        for attempt in range(_ATTEMPTS if self._how.temperature else 1):
            open_ = [place for place, found in enumerate(answers) if not found]
            requests = [
                self._request(prompts[place], _seed(seed, attempt, place, candidate))
                for place in open_
                for candidate in range(self._count)
            ]
            told = _Share(len(requests), on_progress if not attempt else lambda _: None)
            written = self._engine.write(requests, told.on_text, lambda: False) if requests else []
            for number, place in enumerate(open_):
                found = written[number * self._count : (number + 1) * self._count]
                answers[place] = read_reply(self._spec, self._best(found, conversations[place]).text)
        on_progress(1.0)
        return answers

    def _one(self, prompt: tuple[int, ...], part: _Part, asked: Conversation, seed: int, again: bool) -> Written:
        """The text of one part of a reply; read along as it is written, unless there are candidates to choose from."""
        warmer = again and not self._how.temperature
        how = self._how.model_copy(update={"temperature": _WARMER}) if warmer else self._how
        if self._count == 1 or warmer:
            request = Request(prompt, how, seed, part.is_complete)
            (written,) = self._engine.write([request], part.on_text, part.is_over)
            return written
        requests = [Request(prompt, how, _seed(seed, number), part.is_complete) for number in range(self._count)]
        return self._best(self._engine.write(requests, lambda _, __: None, part.is_over), asked)

    def _best(self, written: Sequence[Written], asked: Conversation) -> Written:
        """The one that fits this conversation best; the first when all are empty."""
        said = [reply for reply in written if read_reply(self._spec, reply.text)]
        if len(said) < 2 or not isinstance(self._engine, Scorer):
            return said[0] if said else written[0]
        nothing = replace(asked, turns=(), at=None, previous_at=None)
        return fitting_best(self._engine, self._prompt(nothing), said, self._how.rerank_weight)

    def _request(self, prompt: tuple[int, ...], seed: int) -> Request:
        return Request(prompt, self._how, seed, lambda text: reply_is_complete(self._spec, text))

    def _prompt(self, conversation: Conversation) -> tuple[int, ...]:
        return tuple(encode_prompt(self._spec, self._engine.tokenizer, conversation, self._room))


class _Part:
    """What one run of the engine adds to a reply, while it is written.

    Attributes:
        said: all bubbles of the reply so far.
        caught: which kind of thing ended it; None while nothing did.
    """

    def __init__(
        self, spec: PromptSpec, conversation: Conversation, wish: Wish, said: Sequence[str], guard: Guard
    ) -> None:
        self._spec = spec
        self._conversation = conversation
        self._wish = wish
        self._guard = guard
        self._held = max(map(len, wish.stops), default=1) - 1  # what may still turn out to be a stop's beginning
        self._first = len(said)
        self._text = ""
        self.said = list(said)
        self.caught: str | None = None

    def is_complete(self, text: str) -> bool:
        """Whether the turn is over, or one of the asker's stops came up."""
        return reply_is_complete(self._spec, text) or any(stop in text for stop in self._wish.stops)

    def is_over(self) -> bool:
        """Whether to stop writing."""
        return self.caught is not None or self._wish.is_cancelled()

    def on_text(self, _: int, new: str) -> None:
        """Read along; what is a whole bubble by now is said."""
        self._text += new
        if self._spec.frame.bubble_break in new or self._held:
            self._say(_whole(self._spec, self._before_stop(self._text[: len(self._text) - self._held])))

    def end(self, written: Written) -> Ended:
        """All is written: say the rest. Of what was cancelled, a bubble that is not whole is left out."""
        text = self._before_stop(written.text)
        cancelled = written.ended == "cancelled"
        self._say(_whole(self._spec, text) if cancelled else read_reply(self._spec, text))
        if cancelled:
            return "cancelled"
        if not self.caught:
            self.caught = self._guard.catches_nothing(self.said)
        return "stopped" if len(text) < len(written.text) else written.ended

    def _before_stop(self, text: str) -> str:
        return text[: min((found for stop in self._wish.stops if (found := text.find(stop)) >= 0), default=len(text))]

    def _say(self, bubbles: Sequence[str]) -> None:
        for bubble in bubbles[len(self.said) - self._first :]:
            if self.caught is None:
                self.caught = self._guard.catches(self._conversation, self.said, bubble)
            if self.caught is not None:
                return
            self.said.append(bubble)
            self._wish.on_bubble(bubble)


class _Share:
    """Tells which share of texts has begun to be written; they are done in about that order."""

    def __init__(self, count: int, tell: Callable[[float], None]) -> None:
        self._begun: set[int] = set()
        self._count = count
        self._tell = tell

    def on_text(self, place: int, _: str) -> None:
        """A token of one of them."""
        if place not in self._begun:
            if self._begun:
                self._tell(len(self._begun) / self._count)
            self._begun.add(place)


def _whole(spec: PromptSpec, text: str) -> tuple[str, ...]:
    """The bubbles of a text that is still being written after which there is a break already."""
    end = text.rfind(spec.frame.bubble_break)
    return read_reply(spec, text[:end]) if end > 0 else ()


def _after(conversation: Conversation, said: Sequence[str]) -> Conversation:
    """The conversation once some bubbles of the reply stand in it; the owner's turn is then gone on with."""
    if not said:
        return conversation
    *turns, last = conversation.turns or (Turn.of("owner", ()),)
    bubbles = tuple(Bubble(text) for text in said)
    if last.speaker == "owner":
        return replace(conversation, turns=(*turns, replace(last, bubbles=last.bubbles + bubbles)))
    turn = Turn("owner", bubbles, started_at=conversation.at, ended_at=conversation.at)
    return replace(conversation, turns=(*conversation.turns, turn))


def _seed(*numbers: int) -> int:
    """A seed of its own for every attempt, place and candidate of one run."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8]) >> 1

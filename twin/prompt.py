"""THE renderer: turns to text segments to token ids, the same for training and for serving.

Knows nothing of torch or of where turns come from; tokenizers come in as a Protocol.

A conversation is rendered piece by piece and every piece is tokenized by itself, so that a prompt's ids
are always a prefix of the ids that training saw. In the plain template it reads:

    Them:
    hey
    you there?

    Me:
    yeah, what's up

A line is a bubble, an empty line ends a turn, and a newline *inside* a bubble is written as "↵" (contract 3:
bubbles survive). Text of a message can therefore never forge the start of another turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

from twin.errors import AdapterError, SettingsError
from twin.messages import Turn
from twin.settings import Settings

LINE_BREAK = "↵"
_NEWLINES = re.compile(r"[^\S\n]*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+[^\S\n]*")


@dataclass(frozen=True, slots=True)
class Template:
    """The frame around turns. `owner`/`other` open a turn, `close` ends it, `bubble_break` stands between."""

    owner: str
    other: str
    close: str
    bubble_break: str = "\n"
    system: str = "{}\n\n"


TEMPLATES = {
    "plain": Template(owner="Me:\n", other="Them:\n", close="\n\n"),
    "chatml": Template(
        owner="<|im_start|>assistant\n",
        other="<|im_start|>user\n",
        close="<|im_end|>\n",
        system="<|im_start|>system\n{}<|im_end|>\n",
    ),
}


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """How conversations become text for one adapter; saved inside it and reloaded to serve (contract 2).

    Attributes:
        template: a name in TEMPLATES.
        system: text before the first turn, empty for none.
        context_tokens: budget of a whole sequence, reply included, in tokens.
        tokenizer: fingerprint of the tokenizer the adapter was trained with.
    """

    template: str = "plain"
    system: str = ""
    context_tokens: int = 1024
    tokenizer: str = ""

    def __post_init__(self) -> None:
        if self.template not in TEMPLATES:
            raise SettingsError(
                f"There is no prompt template called {self.template!r}",
                f"choose one of {', '.join(TEMPLATES)}",
            )

    @property
    def frame(self) -> Template:
        """The template's texts."""
        return TEMPLATES[self.template]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def of(cls, settings: Settings) -> PromptSpec:
        """What the settings ask for, not yet bound to a tokenizer."""
        return cls(settings.base.template, settings.base.system, settings.dataset.context_tokens)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PromptSpec:
        """Read a manifest's values.

        Raises:
            AdapterError: they were written by another version of the renderer.
        """
        try:
            return cls(**values)
        except (TypeError, SettingsError) as error:
            raise AdapterError(
                "The adapter's prompt specification is not one this version can render",
                "retrain with `twin train`, or use the version that made it",
            ) from error

    def for_tokenizer(self, fingerprint: str) -> PromptSpec:
        """The same specification, bound to a tokenizer."""
        return replace(self, tokenizer=fingerprint)


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


def write_bubble(text: str) -> str:
    """One bubble as one line of model text: inner newlines become LINE_BREAK."""
    return _NEWLINES.sub(LINE_BREAK, text.strip())


def read_bubble(line: str) -> str:
    """The inverse of `write_bubble` for what a model wrote."""
    return "\n".join(part.strip() for part in line.split(LINE_BREAK)).strip()


def render_system(spec: PromptSpec) -> list[Segment]:
    """What stands before the first turn: no segment when there is no system text."""
    return [Segment(spec.frame.system.format(spec.system), True, False)] if spec.system else []


def render_opening(spec: PromptSpec, speaker: Literal["owner", "other"] = "owner") -> Segment:
    """The frame that opens a turn; a prompt for a reply ends with the owner's."""
    return Segment(spec.frame.owner if speaker == "owner" else spec.frame.other, True, False)


def render_turn(spec: PromptSpec, turn: Turn, *, supervise: bool = True) -> list[Segment]:
    """One turn as segments, in reading order.

    With `supervise`, the owner's authored bubbles, the breaks after them and the end of the turn are
    supervised; nothing of the other side ever is.
    """
    learns = supervise and turn.is_supervisable
    segments = [render_opening(spec, turn.speaker)]
    for number, bubble in enumerate(turn.bubbles):
        if number:
            previous = turn.bubbles[number - 1].authored
            segments.append(Segment(spec.frame.bubble_break, True, learns and previous))
        segments.append(Segment(write_bubble(bubble.text), False, learns and bubble.authored))
    segments.append(Segment(spec.frame.close, True, learns and turn.bubbles[-1].authored))
    return segments


def read_reply(spec: PromptSpec, text: str) -> tuple[str, ...]:
    """Generated text to bubbles: everything up to the end of the turn, a bubble a line, empty ones dropped."""
    body = text.split(spec.frame.close, 1)[0] if spec.frame.close.strip() else _until_blank_line(text)
    return tuple(bubble for line in body.split(spec.frame.bubble_break) if (bubble := read_bubble(line)))


def _until_blank_line(text: str) -> str:
    """Models write an empty line in several ways ("\\n\\n", "\\n \\n", "\\n\\n\\n"): each ends the turn."""
    return re.split(r"\n[^\S\n]*\n", text.lstrip("\n"), maxsplit=1)[0]


def reply_is_complete(spec: PromptSpec, text: str) -> bool:
    """Whether generated text has reached the end of its turn."""
    if spec.frame.close.strip():
        return spec.frame.close.strip() in text
    return re.search(r"\n[^\S\n]*\n", text.lstrip("\n")) is not None


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


def encode_prompt(spec: PromptSpec, tokenizer: Tokenizer, turns: Sequence[Turn], reply_tokens: int) -> list[int]:
    """The ids after which the owner's reply begins: newest turns that fit, oldest left out first.

    Args:
        turns: the conversation so far, oldest first.
        reply_tokens: how many tokens of the budget to keep free for the reply.

    Returns:
        at most `spec.context_tokens - reply_tokens` ids. When even the last turn is too long, its end is kept.
    """
    head, opening, *bodies = encode(
        tokenizer,
        [
            render_system(spec),
            [render_opening(spec)],
            *(render_turn(spec, turn, supervise=False) for turn in turns),
        ],
    )
    fixed = [*tokenizer.bos, *head.ids]
    room = spec.context_tokens - reply_tokens - len(fixed) - len(opening)
    kept: list[int] = []
    for body in reversed(bodies):
        if len(kept) + len(body) > room:
            if not kept:
                kept = list(body.ids[-max(room, 0) :]) if room > 0 else []
            break
        kept = [*body.ids, *kept]
    return [*fixed, *kept, *opening.ids]

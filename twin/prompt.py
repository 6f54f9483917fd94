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
bubbles survive). Text of a message can therefore never forge the start of another turn. If the specification says so,
a line before the first turn tells who is spoken to, "(with Anna, friend)", and a turn's opening when it began and after
which silence, "Them (21h, after hours):".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, get_args

from twin.cutting import stretches
from twin.errors import AdapterError, SettingsError
from twin.marks import PeerShown, when, who, zone
from twin.messages import NOBODY, Conversation, Peer, Speaker, Turn
from twin.settings import Settings
from twin.templates import TEMPLATES, Template, read_bubble, strip_thoughts, write_bubble
from twin.tokens import Encoded, Segment, Tokenizer, encode

REPEATED_SHARE = 0.5
"""Of the budget, how much of what was said a live prompt starts again with when it is full; training repeats less."""


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """How conversations become text for one adapter; saved inside it and reloaded to serve (contract 2).

    Attributes:
        template: a name in TEMPLATES, or "own" for the frame of the model's chat template in `own`; "auto" is not yet
            bound to a model (see `bound_to`).
        system: text before the first turn, empty for none.
        context_tokens: budget of a whole sequence, reply included, in tokens.
        tokenizer: fingerprint of the tokenizer the adapter was trained with.
        peer: which name of the other person is told; relation: whether it is told what they are to the owner.
        time_of_day: whether each turn tells the hour it began; gaps: whether it tells the silence before it.
        language: of placeholders, as ISO 639-1; timezone: of the hours, by its IANA name.
    """

    template: str = "plain"
    system: str = ""
    context_tokens: int = 1024
    tokenizer: str = ""
    peer: PeerShown = "none"
    relation: bool = False
    time_of_day: bool = False
    gaps: bool = False
    language: str = "en"
    timezone: str = "UTC"
    own: Template | None = None

    def __post_init__(self) -> None:
        for name, known in (("template", (*TEMPLATES, "own", "auto")), ("peer", get_args(PeerShown))):
            if getattr(self, name) not in known:
                raise SettingsError(
                    f"There is no prompt {name} called {getattr(self, name)!r}", f"choose one of {', '.join(known)}"
                )
        zone(self.timezone)

    @property
    def frame(self) -> Template:
        """The template's texts; as long as nothing is bound to a model, the plain ones."""
        return self.own or TEMPLATES.get(self.template, TEMPLATES["plain"])

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def of(cls, settings: Settings, language: str = "en") -> PromptSpec:
        """What the settings ask for, not yet bound to a tokenizer.

        Args:
            language: the owner's, in which the placeholders of the training set are written.
        """
        dataset = settings.dataset
        return cls(
            template=settings.base.template,
            system=settings.base.system,
            context_tokens=dataset.context_tokens,
            peer=dataset.peer,
            relation=dataset.relation,
            time_of_day=dataset.time_of_day,
            gaps=dataset.gaps,
            language=language,
            timezone=settings.owner.timezone,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PromptSpec:
        """Read a manifest's values.

        Raises:
            AdapterError: they were written by another version of the renderer.
        """
        try:
            own = None if values.get("own") is None else Template.from_dict(values["own"])
            spec = cls(**{**values, "own": own})
            told = [field for field in fields(cls) if field.name != "own"]
            if any(type(getattr(spec, field.name)) is not type(field.default) for field in told):
                raise TypeError
            if (own is None) == (spec.template == "own"):
                raise TypeError
            return spec
        except (TypeError, AttributeError, SettingsError) as error:
            raise AdapterError(
                "The adapter's prompt specification is not one this version can render",
                "retrain with `twin train`, or use the version that made it",
            ) from error

    def for_tokenizer(self, fingerprint: str) -> PromptSpec:
        """The same specification, bound to a tokenizer."""
        return replace(self, tokenizer=fingerprint)

    def bound_to(self, tokenizer: Framed) -> PromptSpec:
        """The same specification for a model: bound to its tokenizer, and to its chat template if it is to be used.

        Raises:
            SettingsError: its own template is asked for and there is none, or none that has a frame; or something is
                to be told before the first turn, and the template has no place for it.
        """
        bound = self.for_tokenizer(tokenizer.fingerprint)
        if self.template == "auto":
            own = tokenizer.own_template()
            bound = replace(bound, template="own" if own else "plain", own=own)
        elif self.template == "own":
            own = tokenizer.own_template()
            if own is None:
                raise SettingsError(
                    "The base model has no chat template of its own", 'set base.template to "plain" or "chatml"'
                )
            bound = replace(bound, own=own)
        if not bound.frame.takes_system and (self.system or self.peer != "none" or self.relation):
            raise SettingsError(
                "The base model's chat template has no place before the first turn",
                'empty base.system, dataset.peer and dataset.relation, or set base.template to "plain"',
            )
        return bound


class Framed(Protocol):
    """What a specification asks of a model's tokenizer."""

    @property
    def fingerprint(self) -> str:
        """Tells one tokenizer from another."""

    def own_template(self) -> Template | None:
        """The frame of the model's chat template; None when it has none."""


def render_head(spec: PromptSpec, peer: Peer = NOBODY, chat_id: int = 0) -> list[Segment]:
    """What stands before the first turn: the system text and who is spoken to; no segment when there is neither."""
    frame, system = spec.frame, spec.system
    name = who(chat_id, peer, spec.peer, relation=spec.relation)
    if not name:
        head = f"{frame.head_open}{system}{frame.head_close}" if system else frame.head_default
        return [Segment(head, True, False)] if head else []
    before = f"{system}{frame.head_break}" if system else ""
    return [
        Segment(f"{frame.head_open}{before}(with ", True, False),
        Segment(name, False, False),
        Segment(f"){frame.head_close}", True, False),
    ]


def render_opening(
    spec: PromptSpec, speaker: Speaker = "owner", at: datetime | None = None, previous_at: datetime | None = None
) -> Segment:
    """The frame that opens a turn; a prompt for a reply ends with the owner's.

    Args:
        at: when the turn begins; previous_at: when the message before it was sent. Both aware; None when unknown.
    """
    told = when(at, previous_at, time_of_day=spec.time_of_day, gaps=spec.gaps, where=zone(spec.timezone))
    return Segment(spec.frame.opening(speaker, told), True, False)


def render_turn(
    spec: PromptSpec, turn: Turn, previous_at: datetime | None = None, *, supervise: bool = True
) -> list[Segment]:
    """One turn as segments, in reading order.

    With `supervise`, the owner's authored bubbles, the breaks after them and the end of the turn are
    supervised; nothing of the other side ever is.
    """
    learns = supervise and turn.is_supervisable
    segments = [render_opening(spec, turn.speaker, turn.started_at, previous_at)]
    for number, bubble in enumerate(turn.bubbles):
        if number:
            previous = turn.bubbles[number - 1].authored
            segments.append(Segment(spec.frame.bubble_break, True, learns and previous))
        segments.append(Segment(spec.frame.text(write_bubble(bubble.text)), False, learns and bubble.authored))
    segments.append(Segment(spec.frame.closing(turn.speaker), True, learns and turn.bubbles[-1].authored))
    return segments


def render_turns(
    spec: PromptSpec, turns: Sequence[Turn], previous_at: datetime | None = None, *, supervise: bool = True
) -> list[list[Segment]]:
    """Turns that follow one another, oldest first, each as `render_turn` writes it.

    Args:
        previous_at: when the last message before the first turn was sent.
    """
    rendered = []
    for turn in turns:
        rendered.append(render_turn(spec, turn, previous_at, supervise=supervise))
        previous_at = turn.ended_at or turn.started_at
    return rendered


def render_prompt(spec: PromptSpec, conversation: Conversation) -> list[list[Segment]]:
    """What a reply is written after: the head, each turn, and the opening of the owner's turn.

    When the last turn is the owner's it is left open, so that what follows is its next bubble: a turn after a turn of
    the same speaker is nothing that training ever saw.
    """
    turns, at = conversation.turns, conversation.at
    head = render_head(spec, conversation.peer, conversation.chat_id)
    bodies = render_turns(spec, turns, conversation.previous_at, supervise=False)
    if turns and turns[-1].speaker == "owner":
        *bodies, last = bodies
        return [head, *bodies, [*last[:-1], Segment(spec.frame.bubble_break, True, False)]]
    previous_at = (turns[-1].ended_at or turns[-1].started_at) if turns else conversation.previous_at
    return [head, *bodies, [render_opening(spec, "owner", at, previous_at)]]


def read_reply(spec: PromptSpec, text: str) -> tuple[str, ...]:
    """Generated text to bubbles: everything up to the end of the turn, a bubble a line, empty ones dropped."""
    text = text if spec.template == "plain" else strip_thoughts(text)
    body = text.split(spec.frame.end, 1)[0] if spec.frame.end else _until_blank_line(text)
    return tuple(bubble for line in body.split(spec.frame.bubble_break) if (bubble := read_bubble(line)))


def _until_blank_line(text: str) -> str:
    """Models write an empty line in several ways ("\\n\\n", "\\n \\n", "\\n\\n\\n"): each ends the turn."""
    return re.split(r"\n[^\S\n]*\n", text.lstrip("\n"), maxsplit=1)[0]


def reply_is_complete(spec: PromptSpec, text: str) -> bool:
    """Whether generated text has reached the end of its turn."""
    if spec.frame.end:
        return spec.frame.end in text
    return re.search(r"\n[^\S\n]*\n", text.lstrip("\n")) is not None


def encode_prompt(
    spec: PromptSpec,
    tokenizer: Tokenizer,
    conversation: Conversation,
    reply_tokens: int,
    repeated_share: float = REPEATED_SHARE,
) -> list[int]:
    """The ids after which the owner's reply begins: the latest stretch of the conversation, see `twin.cutting`.

    Where it starts follows from the turns alone, and with every further turn the prompt is extended, until
    the budget is full and it starts again with the latest turns.

    Args:
        reply_tokens: how many tokens of the budget to keep free for the reply.
        repeated_share: of the budget, how much it starts again with at most; in [0, 1].

    Returns:
        at most `spec.context_tokens - reply_tokens` ids. When even the last turn is too long, its end is kept.
    """
    head, *bodies, opening, longest = encode(tokenizer, [*render_prompt(spec, conversation), [_longest_opening(spec)]])
    fixed = [*tokenizer.bos, *head.ids]
    most = spec.context_tokens - reply_tokens - len(fixed)
    if conversation.turns and conversation.turns[-1].speaker == "owner":
        bodies, opening = [*bodies, opening], Encoded((), ())
    room = max(0, most - len(longest))
    cut = stretches([len(body) for body in bodies], room, int(room * repeated_share))
    start = cut[-1].start if cut else 0
    kept = [token for body in [*bodies[start:], opening] for token in body.ids]
    return [*fixed, *(kept[-most:] if most > 0 else [])]


def _longest_opening(spec: PromptSpec) -> Segment:
    """The opening for which room is kept whatever the moment of a reply, so that no moment moves a cut."""
    late = datetime(2000, 1, 1, 23, tzinfo=zone(spec.timezone))
    return render_opening(spec, "owner", late, late - timedelta(minutes=5))

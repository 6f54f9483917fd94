"""Person-specific gain: how much more the twin saves on the owner's words than on those of whoever they talked to.

Knows nothing of generation: what people wrote is only read.

A twin that merely learned how chats read predicts everybody better. So the same held-out conversations are read twice,
as they are and with the roles swapped, so that the partner's turns stand where the twin expects the owner's: in the
frame that it was trained to write in, where whatever it learned that fits anybody who chats helps as well. (Scored in
place, under the frame of the other side, partners' turns would tell little: no loss was ever taken there, so that all
of the twin's chat style would count as the person's.) The gain is the bits per character saved against the bare base
model on the owner's turns, less those saved on the partners'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.encode import Row, pack, windows
from training.evaluate import HeldOut, held_out_loss
from training.fidelity.bootstrap import NOTHING, Floats, measured, plain, weights
from training.fidelity.material import Context, Measured
from training.fidelity.trees import Reader
from twin.messages import Session, Turn
from twin.prompt import PromptSpec, render_turns
from twin.tokens import Tokenizer, encode

MOST_TOKENS = 16_000
"""How much conversation is read by default, in tokens; each role takes so many."""
_STRETCH = 512  # tokens
_FEWEST = 5  # sessions; with fewer, stretches are drawn again instead


@dataclass(frozen=True, slots=True)
class Stretch:
    """Turns of one held-out session that follow one another, ready to be read in either role.

    Attributes:
        session: place of the session among those given.
        owner: with the owner's turns as what is predicted; partner: with the roles swapped.
    """

    session: int
    owner: Row
    partner: Row


@dataclass(frozen=True, slots=True)
class Costs:
    """What one model pays for each of some stretches, in their order."""

    owner: tuple[HeldOut, ...]
    partner: tuple[HeldOut, ...]

    @property
    def held_out(self) -> HeldOut:
        """The owner's turns in all."""
        return HeldOut(*(sum(getattr(one, name) for one in self.owner) for name in HeldOut.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Gain:
    """Bits per character that the twin saves against the base model; above 0 is better.

    Attributes:
        person: owner less partner.
        owner, partner: on the turns of each.
        sessions, stretches: how many were read.
    """

    person: Measured
    owner: Measured
    partner: Measured
    sessions: int
    stretches: int

    def as_dict(self) -> dict[str, Any]:
        """Rounded numbers; None for what could not be measured."""
        return {
            "person": plain(self.person),
            "owner": plain(self.owner),
            "partner": plain(self.partner),
            "sessions": self.sessions,
            "stretches": self.stretches,
        }


def sessions_of(contexts: Iterable[Context]) -> list[Session]:
    """The sessions in which contexts stand, each once, in their order."""
    return list({context.id.rpartition(":")[0]: context.session for context in contexts}.values())


def stretches(
    spec: PromptSpec, tokenizer: Tokenizer, sessions: Sequence[Session], most_tokens: int = MOST_TOKENS
) -> list[Stretch]:
    """Held-out sessions in stretches of about 512 tokens, spread evenly so that about `most_tokens` are read.

    Stretches in which only one side says something are left out.
    """
    found = [
        Stretch(place, owner, partner)
        for place, session in enumerate(sessions)
        for part in _parts(session, spec, tokenizer)
        if (owner := _row(part, spec, tokenizer)) and (partner := _row(swapped(part), spec, tokenizer))
    ]
    total = sum(len(one.owner.ids) for one in found)
    count = len(found) if total <= most_tokens else max(1, int(len(found) * most_tokens / total))
    return [found[int((place + 0.5) * len(found) / count)] for place in range(count)]


def costs(reader: Reader, found: Sequence[Stretch], on_row: Callable[[], None] = lambda: None) -> Costs:
    """Read every stretch in both roles: two rows each, `on_row` after each."""

    def cost(row: Row) -> HeldOut:
        return held_out_loss(reader.model, [row], reader.device, on_row)

    return Costs(tuple(cost(one.owner) for one in found), tuple(cost(one.partner) for one in found))


def person_gain(found: Sequence[Stretch], base: Costs, twin: Costs, seed: int = 0) -> Gain:
    """What the twin saves, with intervals from drawing sessions again (stretches, where there are under five)."""
    places = [one.session for one in found]
    sessions = len(set(places))
    if not found:
        return Gain(NOTHING, NOTHING, NOTHING, 0, 0)
    units = np.unique(places, return_inverse=True)[1] if sessions >= _FEWEST else np.arange(len(places))
    drawn = np.concatenate([np.ones((1, units.max() + 1)), weights(int(units.max()) + 1, seed)])[:, units]
    owner = _saved(drawn, base.owner, twin.owner)
    partner = _saved(drawn, base.partner, twin.partner)
    person, own, theirs = (measured(float(it[0]), it[1:]) for it in (owner - partner, owner, partner))
    return Gain(person, own, theirs, sessions, len(found))


def swapped(session: Session) -> Session:
    """The same conversation with the owner as the other side."""
    return replace(session, turns=tuple(_swapped(turn) for turn in session.turns))


def _swapped(turn: Turn) -> Turn:
    return replace(turn, speaker="owner" if turn.speaker == "other" else "other", withheld=None)


def _saved(drawn: Floats, base: Sequence[HeldOut], twin: Sequence[HeldOut]) -> Floats:
    """(R,) bits per character saved, for (R, N) weights of N stretches."""
    bits = np.array([(before.nats - after.nats) / np.log(2) for before, after in zip(base, twin, strict=True)])
    characters = np.array([one.characters for one in base], dtype=np.float64)
    saved: Floats = (drawn @ bits) / (drawn @ characters)
    return saved


def _row(part: Session, spec: PromptSpec, tokenizer: Tokenizer) -> Row | None:
    found = windows([part], spec, tokenizer)
    return pack(found, sum(len(window.ids) for window in found))[0] if found else None


def _parts(session: Session, spec: PromptSpec, tokenizer: Tokenizer) -> Iterator[Session]:
    """A session in pieces of whole turns, each of about `_STRETCH` tokens at most; a longer turn is one of its own."""
    lengths = [len(body) for body in encode(tokenizer, render_turns(spec, session.turns, session.previous_at))]
    start = used = 0
    for place, length in enumerate([*lengths, _STRETCH + 1]):
        if place > start and used + length > _STRETCH:
            before = session.turns[start - 1] if start else None
            previous_at = (before.ended_at or before.started_at) if before else session.previous_at
            yield replace(session, turns=session.turns[start:place], previous_at=previous_at)
            start, used = place, 0
        used += length

"""The systems in the table: each is what it is called and how it answers contexts.

Knows nothing of measures. Whatever answers may look at the material of the training period, and of a context at what
was said before the reply; only the owner, who is the ceiling, knows the reply.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.day0 import PastReplies
from training.fidelity.gather import evenly
from training.fidelity.material import Bubbles, Context, Material
from twin.prompt import PromptSpec
from twin.sections import UNNAMED, Owner
from twin.templates import TEMPLATES, write_bubble

OnShare = Callable[[float], None]
"""Told the share that is done, in (0, 1]."""
Answer = Callable[[Sequence[Context], OnShare], list[Bubbles]]

TWIN, BASE, EXAMPLES, NEAREST, RANDOM, OWNER, STRANGER = (
    "twin",
    "base",
    "examples",
    "nearest",
    "random",
    "owner",
    "somebody else",
)
"""What the systems are called in JSON and on the command line."""

LABELS = {
    TWIN: "your twin",
    BASE: "base model, untrained",
    EXAMPLES: "base model with 20 examples",
    NEAREST: "nearest past reply",
    RANDOM: "any past reply",
    STRANGER: "somebody else",
    OWNER: "you, really",
}
_SHOWN = 20
_LONGEST = 240  # characters of an example's question, and of its answer


@dataclass(frozen=True)
class System:
    """One row of the table.

    Attributes:
        name: short and unique in a report.
        label: what people read.
        answer: one reply a context, in their order; an empty one where it has nothing to say.
    """

    name: str
    label: str
    answer: Answer


def without_model(material: Material, seed: int = 0) -> list[System]:
    """What can answer without a model: the past, anybody, and the owner."""
    past: list[PastReplies] = []

    def nearest(contexts: Sequence[Context], _: OnShare) -> list[Bubbles]:
        if not past:
            past.append(PastReplies((found.conversation.turns[-3:], found.true.bubbles) for found in material.past))
        return [past[0].nearest(context.conversation.turns) for context in contexts]

    def drawn(pool: Sequence[Bubbles]) -> Answer:
        return lambda contexts, _: [
            random.Random(f"{seed} {context.id}").choice(pool) if pool else () for context in contexts
        ]

    systems = [
        System(RANDOM, LABELS[RANDOM], drawn([reply.bubbles for reply in material.owner_train])),
        System(STRANGER, LABELS[STRANGER], drawn([reply.bubbles for reply in material.partner_test])),
        System(OWNER, LABELS[OWNER], lambda contexts, _: [context.true.bubbles for context in contexts]),
    ]
    if material.past:
        systems.insert(0, System(NEAREST, LABELS[NEAREST], nearest))
    return systems


def with_examples(spec: PromptSpec, material: Material, owner: Owner) -> PromptSpec:
    """A prompt that tells an untrained model who it is and shows how they answered twenty times.

    The examples are spread over the training period and stand in front of every conversation, written as the plain
    template writes turns.
    """
    frame = TEMPLATES["plain"]
    shown = [
        frame.other.format("") + _lines(asked, spec) + frame.close + frame.owner.format("") + _lines(said, spec)
        for asked, said in _examples(material)
    ]
    before = f"{spec.system}\n\n" if spec.system else ""
    system = before + "\n\n".join([_persona(owner), *shown, "The conversation now:"])
    return PromptSpec.from_dict(spec.as_dict() | {"system": system})


def _examples(material: Material) -> list[tuple[Bubbles, Bubbles]]:
    """What the others said last and what the owner answered, both short, of different words."""
    found: dict[Bubbles, Bubbles] = {}
    for context in material.past:
        asked = tuple(bubble.text for bubble in context.conversation.turns[-1].bubbles)
        said = context.true.bubbles
        if max(map(_length, (asked, said))) <= _LONGEST:
            found.setdefault(said, asked)
    return evenly([(asked, said) for said, asked in found.items()], _SHOWN)


def _length(bubbles: Bubbles) -> int:
    return sum(map(len, bubbles))


def _lines(bubbles: Bubbles, spec: PromptSpec) -> str:
    return "\n".join(spec.frame.text(write_bubble(text)) for text in bubbles)


def _persona(owner: Owner) -> str:
    who = "" if owner.name == UNNAMED else f" Me is {owner.name}."
    facts = [f"Me is from {owner.place}."] * bool(owner.place) + [f"Me is {owner.occupation}."] * bool(owner.occupation)
    return " ".join(
        [f"A private chat between two people.{who}", *facts, *owner.about, "This is how Me answers, in Me's own style:"]
    )

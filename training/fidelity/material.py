"""What a fidelity report is made from: held-out contexts with the true replies, and what people wrote when.

Knows nothing of models or measures.

A reply is `Bubbles`: the authored texts of one turn, in order, never empty. A system under test is a list of replies,
aligned with `Material.contexts`; an empty tuple stands for a reply that the system did not give.
"""

from __future__ import annotations

from dataclasses import dataclass

from twin.messages import Conversation, Session, Turn

Bubbles = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody wrote in one turn, and in which dialog.

    Attributes:
        bubbles: the authored texts, in order.
        dialog: whose dialog it stands in: folds and resampling keep a dialog's, or a context's, things together.
    """

    bubbles: Bubbles
    dialog: int


@dataclass(frozen=True, slots=True)
class Context:
    """A held-out moment in which the owner answered the other side.

    Attributes:
        id: "chat:place of the session:place of the turn", the same in every run on one snapshot.
        conversation: everything before the reply in its session; `session` and `turn` tell where that ends.
        session: the session itself, whole; turn: the place of the owner's turn in it.
        true: what the owner really wrote.
    """

    id: str
    conversation: Conversation
    session: Session
    turn: int
    true: Reply


@dataclass(frozen=True, slots=True)
class Material:
    """Everything the measures compare, each list in the order of time within its dialog.

    Attributes:
        contexts: held-out moments, spread evenly over the test part.
        owner_train, owner_val, owner_test: the owner's replies in each part.
        partner_train, partner_val, partner_test: what the others wrote.
        past: training contexts with the owner's replies to them, for baselines that repeat the past.
    """

    contexts: tuple[Context, ...]
    owner_train: tuple[Reply, ...]
    owner_val: tuple[Reply, ...]
    owner_test: tuple[Reply, ...]
    partner_train: tuple[Reply, ...]
    partner_val: tuple[Reply, ...]
    partner_test: tuple[Reply, ...]
    past: tuple[Context, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many replies of whom there are in each period."""
        periods = ("owner_train", "owner_val", "owner_test", "partner_train", "partner_val", "partner_test")
        return {name: len(getattr(self, name)) for name in periods}


@dataclass(frozen=True, slots=True)
class Measured:
    """A number with the bounds of its 95 % bootstrap interval; all NaN when there was too little to measure."""

    value: float
    low: float
    high: float


def bubbles_of(turn: Turn) -> Bubbles:
    """The authored texts of a turn, in order."""
    return tuple(bubble.text for bubble in turn.bubbles if bubble.authored)

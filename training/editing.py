"""Editing a session: bubbles are written otherwise or taken out, and what is left stays a session.

Knows nothing of why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.reasons import JOINED
from twin.messages import Bubble, Session, Turn


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a bubble.

    Attributes:
        text: as it is shown; None takes it out.
        reason: why; counts for a turn of the owner that is gone with it.
        withholds: why the owner must not be taught the rest of the turn; None when they may.
    """

    text: str | None
    reason: str
    withholds: str | None


def edit(session: Session, changes: Mapping[tuple[int, int], Change]) -> tuple[Session | None, Counter[str]]:
    """The session after changes to bubbles (by number of the turn and of the bubble); None when nothing is left.

    Speakers go on to alternate: where a turn is gone, those around it become one.

    Returns:
        it, and the turns of the owner that are no turns any more, by reason.
    """
    lost: Counter[str] = Counter()
    turns: list[Turn] = []
    for number, turn in enumerate(session.turns):
        its = {place: change for (where, place), change in changes.items() if where == number}
        edited = _edit_turn(turn, its) if its else turn
        if edited is None:
            if turn.speaker == "owner":
                lost[next(iter(its.values())).reason] += 1
        elif turns and turns[-1].speaker == edited.speaker:
            lost[JOINED] += turn.speaker == "owner"
            turns[-1] = _join(turns[-1], edited)
        else:
            turns.append(edited)
    return (replace(session, turns=tuple(turns)) if turns else None), +lost


def _edit_turn(turn: Turn, changes: Mapping[int, Change]) -> Turn | None:
    bubbles: list[Bubble] = []
    for place, bubble in enumerate(turn.bubbles):
        change = changes.get(place)
        if change is None:
            bubbles.append(bubble)
        elif change.text is not None:
            bubbles.append(replace(bubble, text=change.text))
    if not bubbles:
        return None
    withheld = turn.withheld
    if turn.speaker == "owner" and withheld is None:
        withheld = next((change.withholds for change in changes.values() if change.withholds), None)
    return replace(turn, bubbles=tuple(bubbles), withheld=withheld)


def _join(first: Turn, second: Turn) -> Turn:
    return replace(
        first,
        bubbles=first.bubbles + second.bubbles,
        ended_at=second.ended_at,
        withheld=first.withheld or second.withheld,
    )

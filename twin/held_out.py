"""Held-out moments: where the owner really answered, later than everything that a version learned from.

Knows nothing of models, of how the parts of a snapshot were cut, or of who is asked what about a moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from twin.errors import DatasetError
from twin.messages import Conversation, Session
from twin.session_lines import read_session

_PART = "test.jsonl"
_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A moment in which the owner answered.

    Attributes:
        id: 16 hex digits, always the same for the same moment of the same snapshot; tells nothing of what was said.
        conversation: everything before the owner's own words in that session.
        answer: the owner's words as bubbles, in order; never empty.
        is_pure: whether nothing else is in the answer: no photo between the words, no forward.
    """

    id: str
    conversation: Conversation
    answer: tuple[str, ...]
    is_pure: bool


def answered(session: Session) -> list[int]:
    """The places of the turns in which the owner answers the other side with words that may be learned."""
    return [number for number, turn in enumerate(session.turns) if number and turn.is_supervisable]


def asked(session: Session, number: int) -> Conversation:
    """What stood before the owner's first own words in a turn.

    A photo, or a quote of what is answered, with which the turn begins is part of what is asked.
    """
    turn = session.turns[number]
    begun = (replace(turn, bubbles=turn.bubbles[: _first_own(session, number)]),) if _first_own(session, number) else ()
    before = replace(session, turns=(*session.turns[:number], *begun))
    return Conversation.of(before, turn.started_at)


def held_out(snapshot: Path) -> list[HeldOut]:
    """Every such moment in the test part of a snapshot, in the owner's own dialogs, in its order.

    Raises:
        DatasetError: it is not there (any more), or damaged.
    """
    try:
        return list(_moments(snapshot))
    except FileNotFoundError as error:
        raise DatasetError(f"There is no dataset {snapshot.name!r}", "build one with `twin dataset build`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The dataset {snapshot.name} is damaged", "run `twin dataset build`") from error


def _moments(snapshot: Path) -> Iterator[HeldOut]:
    with (snapshot / _PART).open(encoding="utf-8", newline="\n") as lines:
        for place, line in enumerate(lines):
            session = read_session(line)
            for number in answered(session) if session.chat_id else ():
                own = session.turns[number].bubbles[_first_own(session, number) :]
                yield HeldOut(
                    hashlib.sha256(f"{snapshot.name} {place} {number}".encode()).hexdigest()[:_ID_DIGITS],
                    asked(session, number),
                    tuple(bubble.text for bubble in own if bubble.authored),
                    all(bubble.authored for bubble in own),
                )


def _first_own(session: Session, number: int) -> int:
    return next(place for place, bubble in enumerate(session.turns[number].bubbles) if bubble.authored)

"""How a question of the quiz reads: a moment, then two answers of which nothing but the words tells whose they are.

Knows nothing of requests, of the database or of models; it is pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from twin.held_out import HeldOut
from twin.messages import Conversation
from twin.placeholders import WRITTEN
from twin.quizzes import Side
from twin.words import words_of

LONGEST_ANSWER = 500  # characters: a longer one would tell itself
_BUBBLES_BEFORE, _LONGEST_BEFORE = 6, 200
_ROOM = 3400  # UTF-16 units; Telegram takes 4096, and a verdict is added

Answer = tuple[str, ...]


def answer_of(bubbles: Sequence[str]) -> Answer:
    """Bubbles as lines, written alike whoever wrote them."""
    return tuple(line for text in bubbles if (line := _line(text)))


def is_fit(answer: Answer) -> bool:
    """Whether an answer may be shown: it says something, in words alone, and is not too long."""
    return bool(answer) and sum(map(len, answer)) <= LONGEST_ANSWER and not any(map(WRITTEN.search, answer))


def is_fit_moment(moment: HeldOut) -> bool:
    """Whether people may be asked about a moment."""
    return moment.is_pure and is_fit(answer_of(moment.answer))


def are_alike(one: Answer, other: Answer) -> bool:
    """Whether nobody could tell two answers apart: the same, or the same single word."""
    first, second = (words_of(" ".join(answer)) for answer in (one, other))
    return one == other or (len(first) == 1 and first == second)


def sheet(
    before: Conversation, owner: str, other: str, answers: tuple[Answer, Answer], side: Side, question: str
) -> str:
    """A question.

    Args:
        owner, other: what the two people of the conversation are called.
        answers: the owner's, then the twin's.
        side: where the owner's is to stand.
    """
    first, second = answers if side == "a" else answers[::-1]
    asked = "\n".join(["", "A", *first, "", "B", *second, "", question])
    names = {"owner": owner, "other": other}
    said = [f"{names[turn.speaker]}: {_short(b.text)}" for turn in before.turns for b in turn.bubbles if _line(b.text)]
    said = said[-_BUBBLES_BEFORE:]
    while len(said) > 1 and _units("\n".join([*said, asked])) > _ROOM:
        said = said[1:]
    return "\n".join([*said, asked])


def _line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() or char in "\u200c\u200d" else " " for char in text).split())


def _short(text: str) -> str:
    line = _line(text)
    return line if len(line) <= _LONGEST_BEFORE else f"{line[:_LONGEST_BEFORE]}…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2

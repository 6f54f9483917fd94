"""Distillation: a teacher answers questions in the owner's style, after three of the owner's own pairs.

Knows nothing of HTTP. It never shows the owner's true answer to the question that it asks, in any of its versions.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from training.recipes.answers import Answer
from training.recipes.asking import Asking
from training.recipes.burst import read_burst, write_burst
from training.recipes.leaving import Scrub
from training.recipes.sets import SetRow
from training.recipes.teacher import Teacher
from twin.errors import DatasetError
from twin.messages import Session, Turn

RECIPE = "distill"
EXAMPLES = 3
_LONGEST = 600  # of a question or an answer, in characters
_DRAWS = 200
_LONG_ENOUGH = 12  # letters from which on an answer counts as shown wherever it stands, not only as whole words
_INSTRUCTION = (
    "You write as one particular person texts. The conversation shows how they answered before. Answer the last message"
    " as they would: in their language, length, spelling, punctuation and mood. A line is a message; they may send"
    " several. Invent no facts about them, and do not say that you are a model. Write the answer and nothing else."
)
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_GIVEN_AWAY = re.compile(
    r"\bas an? (?:ai|language model|assistant)\b|\bi(?:'m| am) (?:an ai|a language model|sorry, but i can)"
    r"|как (?:искусственный интеллект|языковая модель|ии[ -])|作为(?:一个)?(?:AI|人工智能|语言模型)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and what the owner answered, as bubbles; `chat` is the dialog, 0 for none."""

    question: tuple[str, ...]
    answer: tuple[str, ...]
    chat: int = 0


def pairs_of(sessions: Iterable[Session]) -> Iterator[Pair]:
    """Every question with an answer of the owner's that may be learned, in order; what is too long is left out."""
    for session in sessions:
        for asked, answered in pairwise(session.turns):
            if asked.speaker == "other" and answered.is_supervisable:
                pair = Pair(_own(asked), _own(answered), session.chat_id)
                if 0 < _length(pair.question) <= _LONGEST and 0 < _length(pair.answer) <= _LONGEST:
                    yield pair


def distilled_rows(pairs: Sequence[Pair], teacher: Teacher, scrub: Scrub, asking: Asking) -> Iterator[SetRow]:
    """The owner's questions, each once, with the teacher's answers, in an order that only their words decide.

    An answer is kept under its question alone, so that a larger history asks only what is new.

    Raises:
        DatasetError: there are not enough pairs to show three and ask a fourth.
        TeacherError: nothing can be asked any more.
    """
    by_question: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_question[_fold(pair.question)].append(pair)
    if len(by_question) <= EXAMPLES:
        raise DatasetError(
            f"There are only {len(by_question)} different questions with answers of yours", "ingest more dialogs first"
        )
    for number, question in enumerate(sorted(by_question, key=_order), 1):
        asked = by_question[question]
        answer = asking.kept(question)
        if answer is None and asking.may_ask():
            answer = _ask(pairs, asked, teacher, scrub, asking, number)
        asking.on_progress(number, len(by_question))
        if answer is None:
            continue
        if (fault := fault_of(answer)) is not None:
            asking.account.leave_out(number, fault)
            continue
        turns = (Turn.of("other", asked[0].question), Turn.of("owner", bubbles_of(answer)))
        asking.account.take(turns)
        yield SetRow(turns, chats=tuple(sorted({*asking.chats(question), *_chats(asked)})))


def choose_examples(pairs: Sequence[Pair], asked: Sequence[Pair]) -> tuple[Pair, ...] | None:
    """Three pairs of different questions and answers, chosen by the question's words alone.

    Args:
        asked: every pair of the fourth question; none of their answers stands anywhere in the examples.

    Returns:
        None when the question itself holds its answer, or no three pairs were found.
    """
    if _shows(asked[0].question, asked):
        return None
    draw = random.Random(_order(_fold(asked[0].question)))
    chosen: list[Pair] = []
    for _ in range(_DRAWS):
        pair = pairs[draw.randrange(len(pairs))]
        is_other = all(_fold(pair.question) != _fold(kept.question) for kept in (asked[0], *chosen))
        is_new = all(_fold(pair.answer) != _fold(kept.answer) for kept in chosen)
        if is_other and is_new and not _shows((*pair.question, *pair.answer), asked):
            chosen.append(pair)
            if len(chosen) == EXAMPLES:
                return tuple(chosen)
    return None


def conversation(examples: Sequence[Pair], asked: Pair, scrub: Scrub) -> list[dict[str, str]]:
    """What the teacher is sent: the instruction, three questions with answers, and the fourth question alone.

    Raises:
        CannotScrub: it must not be sent.
    """
    shown = [text for pair in examples for text in (pair.question, pair.answer)] + [asked.question]
    flat = scrub([bubble for text in shown for bubble in text])
    messages = [{"role": "system", "content": _INSTRUCTION}]
    for number, text in enumerate(shown):
        bubbles, flat = flat[: len(text)], flat[len(text) :]
        messages.append({"role": "assistant" if number % 2 else "user", "content": write_burst(bubbles)})
    return messages


def bubbles_of(answer: Answer) -> tuple[str, ...]:
    """What the teacher wrote as bubbles, without its thoughts."""
    return read_burst(_THOUGHTS.sub("", answer.text).strip())


def fault_of(answer: Answer) -> str | None:
    """Why an answer must not be learned; None when it may be."""
    text = "\n".join(bubbles_of(answer))
    faults = (
        (answer.ended == "content_filter", "filtered by the teacher"),
        (answer.ended == "length", "an answer that broke off"),
        (not text, "an empty answer"),
        (len(text) > _LONGEST, "an answer that is too long"),
        (bool(_GIVEN_AWAY.search(text)), "an answer that speaks of itself as a model"),
    )
    return next((reason for is_so, reason in faults if is_so), None)


def _ask(
    pairs: Sequence[Pair], asked: Sequence[Pair], teacher: Teacher, scrub: Scrub, asking: Asking, number: int
) -> Answer | None:
    examples = choose_examples(pairs, asked)
    if examples is None:
        asking.account.leave_out(number, "no three pairs that do not hold its answer")
        return None
    chats = _chats([*asked, *examples])
    words = _fold(asked[0].question)
    return asking.ask(number, words, lambda: teacher.ask(conversation(examples, asked[0], scrub)), chats)


def _chats(pairs: Sequence[Pair]) -> set[int]:
    return {pair.chat for pair in pairs} - {0}


def _own(turn: Turn) -> tuple[str, ...]:
    return tuple(bubble.text for bubble in turn.bubbles if bubble.authored)


def _length(bubbles: Sequence[str]) -> int:
    return sum(map(len, bubbles))


def _fold(bubbles: Sequence[str]) -> str:
    return " ".join(" ".join(bubbles).casefold().split())


def _order(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()


def _shows(texts: Sequence[str], asked: Sequence[Pair]) -> bool:
    """Whether a true answer, or a longer bubble of one, can be read in these texts."""
    shown = _fold(texts)
    for pair in asked:
        parts = {_fold(pair.answer), *(_fold([bubble]) for bubble in pair.answer if len(bubble) >= _LONG_ENOUGH)}
        for part in parts:
            if len(part) >= _LONG_ENOUGH and part in shown:
                return True
            if part and re.search(rf"(?<!\w){re.escape(part)}(?!\w)", shown):
                return True
    return False

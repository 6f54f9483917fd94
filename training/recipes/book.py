"""Book: passages of the owner's own long writing, each after the interview question to which it is the answer.

Knows nothing of pages, nor of who asks: an interviewer comes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from training.recipes.asking import Asking
from training.recipes.interview import Interviewer, question_in
from training.recipes.sets import SetRow
from twin.messages import Turn

RECIPE = "book"


def book_rows(found: Sequence[str], interviewer: Interviewer, asking: Asking) -> Iterator[SetRow]:
    """A row a passage, in the book's order; a passage's paragraphs are bubbles.

    Raises:
        TeacherError, ModelError: nothing can be asked any more.
    """
    for number, passage in enumerate(found, 1):
        answer = asking.kept(passage)
        if answer is None and asking.may_ask():
            answer = asking.ask(number, passage, partial(interviewer.ask, passage))
        asking.on_progress(number, len(found))
        if answer is None:
            continue
        question = question_in(answer.text)
        if question is None:
            asking.account.leave_out(number, "no question came back")
            continue
        turns = (Turn.of("other", [question]), Turn.of("owner", passage.split("\n")))
        asking.account.take(turns)
        yield SetRow(turns)

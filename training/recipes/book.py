"""Book: passages of the owner's own long writing, each after the interview question to which it is the answer.

Knows nothing of pages, nor of who asks: an interviewer comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from training.recipes.account import Account
from training.recipes.answers import Answer, Answers, Spent, key_of
from training.recipes.interview import Interviewer, question_in
from training.recipes.leaving import CannotScrub
from training.recipes.sets import SetRow
from training.recipes.teacher import Refused
from twin.messages import Turn

RECIPE = "book"
LATER = "passages left for the next run (--limit)"


def book_rows(
    found: Sequence[str],
    interviewer: Interviewer,
    answers: Answers,
    account: Account,
    spent: Spent,
    *,
    clock: Callable[[], datetime],
    limit: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[SetRow]:
    """A row a passage, in the book's order; a passage's paragraphs are bubbles.

    Every answer is kept at once, so that a run that is killed goes on where it was.

    Args:
        limit: ask no more questions than this now.

    Raises:
        TeacherError, ModelError: nothing can be asked any more.
    """
    for number, passage in enumerate(found, 1):
        key = key_of(RECIPE, interviewer.model, passage)
        if (answer := answers.get(key)) is not None:
            spent.kept += 1
        elif limit is not None and spent.asked >= limit:
            account.notes[LATER] += 1
            continue
        else:
            answer = _ask(interviewer, passage, number, account)
            if answer is None:
                continue
            answers.put(key, answer, RECIPE, interviewer.model, clock())
            spent.add(answer)
        on_progress(number, len(found))
        question = question_in(answer.text)
        if question is None:
            account.leave_out(number, "no question came back")
            continue
        turns = (Turn.of("other", [question]), Turn.of("owner", passage.split("\n")))
        account.take(turns)
        yield SetRow(turns)


def _ask(interviewer: Interviewer, passage: str, number: int, account: Account) -> Answer | None:
    try:
        return interviewer.ask(passage)
    except Refused as error:
        account.leave_out(number, str(error))
    except CannotScrub:
        account.leave_out(number, "the scrubber failed, so it was not sent")
    return None

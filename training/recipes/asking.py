"""Asking: one run of a recipe that puts questions to a model, each once, however often the run is stopped.

Knows nothing of what is asked; how the model is reached comes in as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from training.recipes.account import Account
from training.recipes.answers import Answer, Answers, Spent, key_of
from training.recipes.leaving import CannotScrub
from training.recipes.teacher import Refused

LATER = "questions left for the next run (--limit)"


@dataclass(slots=True)
class Asking:
    """The state of a run.

    Attributes:
        recipe, model: decide, with a question's own words, where its answer is kept.
        clock: gives the time, aware UTC.
        limit: no more questions than this are put now; None for all.
        on_progress: called with how many are done, of how many.
        account, spent: what came of it, and what it took.
    """

    recipe: str
    model: str
    answers: Answers
    clock: Callable[[], datetime]
    limit: int | None = None
    on_progress: Callable[[int, int], None] = lambda done, total: None
    account: Account = field(default_factory=Account)
    spent: Spent = field(default_factory=Spent)

    def kept(self, words: str) -> Answer | None:
        """What was answered before; None when it was not, and then whether it may be asked now has to be decided."""
        answer = self.answers.get(key_of(self.recipe, self.model, words))
        self.spent.kept += answer is not None
        return answer

    def may_ask(self) -> bool:
        """Whether the limit leaves room; counts the question as left for later when it does not."""
        if self.limit is not None and self.spent.asked >= self.limit:
            self.account.notes[LATER] += 1
            return False
        return True

    def ask(self, number: int, words: str, put: Callable[[], Answer], chats: Collection[int] = ()) -> Answer | None:
        """Put a question, and keep its answer at once.

        Args:
            number: of the question, for the account.
            put: asks it.
            chats: the dialogs whose words are in it.

        Returns:
            None when it was refused or could not be scrubbed, which is counted.

        Raises:
            TeacherError, ModelError: nothing can be asked any more.
        """
        try:
            answer = put()
        except Refused as error:
            self.account.leave_out(number, str(error))
            return None
        except CannotScrub:
            self.account.leave_out(number, "the scrubber failed, so it was not sent")
            return None
        key = key_of(self.recipe, self.model, words)
        self.answers.put(key, answer, self.recipe, self.model, self.clock(), sorted(chats))
        self.spent.add(answer)
        return answer

    def chats(self, words: str) -> tuple[int, ...]:
        """The dialogs whose words were in a question that was asked."""
        return self.answers.chats(key_of(self.recipe, self.model, words))

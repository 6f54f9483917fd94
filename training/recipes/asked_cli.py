"""`twin dataset book` and `distill`: conversations of which a model writes one side.

Knows only how to ask and how to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from training.recipes.account import Account
from training.recipes.answers import Answers, Spent
from training.recipes.options import FILE, JSON, SEND, WEIGHT, named, now
from training.recipes.sets import SetRow, Sets, check_name
from training.recipes.shown import counting, say, show_set
from twin.errors import DatasetError
from twin.messages import Session
from twin.settings import Settings, load_settings, teacher_key
from twin.store import Store


@click.command()
@click.argument("path", type=FILE)
@named("book")
@WEIGHT
@click.option("--teacher", "by_teacher", is_flag=True, help="Ask the model at teacher.url; default: the base model.")
@SEND
@click.option("--limit", type=click.IntRange(min=1), help="Write no more questions than this now.")
@JSON
def book(
    path: Path,
    name: str,
    weight: float | None,
    by_teacher: bool,
    send_to_teacher: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Your own long writing, a text or a PDF, as answers to interview questions.

    Passages of 300 to 2,000 characters; a model writes the question to each. What was asked is kept: a run that was
    stopped goes on where it was, and nothing is asked twice.

    \b
    Example:
      twin dataset book memoir.pdf --limit 100
    """
    from training.recipes.asking import Asking
    from training.recipes.book import RECIPE, book_rows
    from training.recipes.book_text import read_passages

    check_name(name)
    settings = load_settings()
    account = Account()
    found = read_passages(path, account)
    with ExitStack() as stack:
        interviewer = _interviewer(settings, found, by_teacher, send_to_teacher, stack)
        store = stack.enter_context(Store.of(settings))
        bar = stack.enter_context(counting("questions"))
        asking = Asking(RECIPE, interviewer.model, Answers(store.db), now, limit, bar, account)
        rows = _some(book_rows(found, interviewer, asking), account)
        info = Sets(store.db).put(name, rows, kind=RECIPE, now=now(), weight=weight, source=path.name)
        total = asking.answers.total(RECIPE)
    spent = asking.spent
    show_set(info, account, as_json, {"passages": len(found), **_costs(spent, total, settings)})
    if not as_json:
        say(f"{len(found):,} passages; {spent.asked:,} questions written now, {spent.kept:,} kept from before.")
        if by_teacher:
            _say_costs(spent, total, settings)


@click.command()
@named("distilled")
@WEIGHT
@click.option("--set", "set_name", help="A set's pairs instead of the newest snapshot's training part.")
@SEND
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Ask no more than this now.")
@JSON
def distill(
    name: str, weight: float | None, set_name: str | None, send_to_teacher: bool, limit: int, as_json: bool
) -> None:
    """Answers of a teacher in your style, where your own are too hard to learn from.

    The model at teacher.url sees three of your question/answer pairs and answers a fourth question; your true answer
    is never shown. The rows are marked as synthetic. Tokens are counted, and money if teacher.price_in and price_out
    are set; what was answered is kept, and never asked again.

    \b
    Example:
      twin dataset distill --limit 500 --weight 0.5
    """
    from training.recipes.asking import Asking
    from training.recipes.distill import RECIPE, distilled_rows, pairs_of

    check_name(name)
    if name == set_name:
        raise DatasetError("A set cannot be distilled into itself", "choose another --name")
    settings = load_settings()
    with ExitStack() as stack:
        teacher, scrub = _teacher(settings, send_to_teacher, stack)
        store = stack.enter_context(Store.of(settings))
        sets = Sets(store.db)
        pairs = list(pairs_of(_sessions(settings, sets, set_name)))
        asking = Asking(RECIPE, teacher.model, Answers(store.db), now, limit, stack.enter_context(counting("answers")))
        rows = _some(distilled_rows(pairs, teacher, scrub, asking), asking.account)
        source = set_name or "newest snapshot"
        info = sets.put(name, rows, kind=RECIPE, now=now(), weight=weight, is_synthetic=True, source=source)
        total = asking.answers.total(RECIPE)
    show_set(info, asking.account, as_json, _costs(asking.spent, total, settings))
    if not as_json:
        say(f"{asking.spent.asked:,} questions answered now, {asking.spent.kept:,} kept from before.")
        _say_costs(asking.spent, total, settings)


def _interviewer(settings: Settings, found: list[str], by_teacher: bool, send: bool, stack: ExitStack) -> Any:
    if by_teacher:
        from training.recipes.interview import TeacherInterviewer

        return TeacherInterviewer(*_teacher(settings, send, stack))
    from training.recipes.base_interviewer import BaseInterviewer
    from twin.language import guess

    return BaseInterviewer(settings, guess(found[:50]))


def _teacher(settings: Settings, send_to_teacher: bool, stack: ExitStack) -> tuple[Any, Any]:
    """The teacher, and what has to be done with private texts before it sees them."""
    from training.recipes.leaving import scrub_for
    from training.recipes.teacher import Teacher, address
    from twin.addresses import is_loopback

    url, _ = address(settings.teacher)
    scrub = scrub_for(url, is_allowed=send_to_teacher or settings.teacher.send_private_data)
    if url.startswith("http://") and not is_loopback(url):
        click.echo("The way to teacher.url is not encrypted: others on it can read what is sent.", err=True)
    return stack.enter_context(Teacher(settings.teacher, teacher_key(settings))), scrub


def _sessions(settings: Settings, sets: Sets, set_name: str | None) -> Iterator[Session]:
    """What pairs are taken from: a set, or the owner's own conversations in the newest snapshot's training part."""
    from training.snapshot import newest

    if set_name is not None:
        yield from (Session(0, row.turns) for row in sets.rows(set_name))
        return
    for session in newest(settings.datasets).sessions("train"):
        if session.origin == Session(0, ()).origin:
            yield session


def _some(rows: Iterator[SetRow], account: Account) -> Iterator[SetRow]:
    """The rows; without any, the set stays as it was.

    Raises:
        DatasetError: there were none.
    """
    yield from rows
    if not account.rows:
        reasons = "; ".join(account.reasons()) or "nothing to ask"
        raise DatasetError(f"No row came of it: {reasons}", "try another model")


def _costs(spent: Spent, total: Spent, settings: Settings) -> dict[str, Any]:
    def plain(some: Spent) -> dict[str, Any]:
        return {
            "answers": some.asked,
            "prompt_tokens": some.prompt_tokens,
            "completion_tokens": some.completion_tokens,
            "uncounted": some.uncounted,
            "cost": some.money(settings.teacher),
        }

    return {"spent": plain(spent) | {"kept": spent.kept}, "spent_in_all": plain(total)}


def _say_costs(spent: Spent, total: Spent, settings: Settings) -> None:
    for when, some in (("Now", spent), ("In all runs", total)):
        money = some.money(settings.teacher)
        cost = "" if money is None else f", {money:,.4f} by the prices set"
        uncounted = f" ({some.uncounted:,} answers came without counts)" if some.uncounted else ""
        say(f"{when}: {some.prompt_tokens:,} prompt tokens and {some.completion_tokens:,} written{cost}{uncounted}.")

"""Exchange: foreign records become rows of a set, and a snapshot becomes records for foreign trainers.

Knows nothing of the command line; every record that does not come through is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from training.recipes.account import Account
from training.recipes.alpaca import Alpaca
from training.recipes.chatml import ChatML
from training.recipes.openai_messages import OpenAIMessages
from training.recipes.qa import QuestionAnswer
from training.recipes.record_files import Broken, read_values, write_values
from training.recipes.records import BadRecord, Format, Reader, Reading, learnable, up_to_the_last_reply
from training.recipes.sets import SetInfo, SetRow, Sets
from training.recipes.sharegpt import ShareGPT
from twin.errors import DatasetError
from twin.messages import Turn

FORMATS: dict[str, Format] = {way.name: way for way in (Alpaca(), ShareGPT(), ChatML(), OpenAIMessages())}
READERS: dict[str, Reader] = {**FORMATS, QuestionAnswer.name: QuestionAnswer()}
SYSTEM_KEPT = "system texts kept with their rows, not trained on"


def bring_in(
    sets: Sets,
    path: Path,
    reader: Reader,
    *,
    name: str,
    now: datetime,
    how: Reading | None = None,
    weight: float | None = None,
    strict: bool = False,
    on_record: Callable[[int], None] = lambda number: None,
) -> tuple[SetInfo, Account]:
    """A file of records as a set, all of it or nothing.

    Args:
        strict: whether one bad record refuses the whole file.
        on_record: called with each record's number, for progress.

    Raises:
        DatasetError: the file cannot be read, no record of it can be used, or one is bad and `strict`.
    """
    account = Account()
    rows = read_rows(path, reader, how or Reading(), account, strict=strict, on_record=on_record)
    info = sets.put(name, rows, kind=reader.name, now=now, weight=weight, source=path.name)
    return info, account


def read_rows(
    path: Path,
    reader: Reader,
    how: Reading,
    account: Account,
    *,
    strict: bool,
    on_record: Callable[[int], None] = lambda number: None,
) -> Iterator[SetRow]:
    """The usable records of a file as rows, counted in `account`; errors as `bring_in`."""
    for number, value in read_values(path, is_text=reader.is_text):
        on_record(number)
        try:
            if isinstance(value, Broken):
                raise BadRecord(value.reason)
            record = reader.read(value, how)
        except BadRecord as error:
            if strict:
                raise DatasetError(
                    f"Record {number} of {path.name} was refused: {error}", "correct it, or leave --strict out"
                ) from None
            account.leave_out(number, str(error))
            continue
        account.take(record.turns)
        account.notes.update(record.notes)
        account.notes.update([SYSTEM_KEPT] if record.system else [])
        yield SetRow(record.turns, record.system)
    if not account.rows:
        raise DatasetError(
            f"No record of {path.name} can be used: {'; '.join(account.reasons())}", "check --format and --owner-role"
        )


def take_out(conversations: Iterable[tuple[tuple[Turn, ...], str]], form: Format, path: Path, account: Account) -> None:
    """Conversations (turns and the system text above them) as a file of records, counted in `account`.

    Nothing is written as the owner's words to learn that the snapshot withholds.

    Raises:
        DatasetError: there is nothing to write, or it cannot be written.
    """
    write_values(path, _records(conversations, form, account), is_text=form.is_text)


def _records(
    conversations: Iterable[tuple[tuple[Turn, ...], str]], form: Format, account: Account
) -> Iterator[dict[str, Any]]:
    for number, (turns, system) in enumerate(conversations, 1):
        parts = [up_to_the_last_reply(turns)] if form.says_context else learnable(turns, account)
        parts = [part for part in parts if part]
        if not parts:
            account.leave_out(number, "nothing of the owner's to learn")
        for part in parts:
            account.take(part)
            yield form.write(part, system)
    if not account.rows:
        raise DatasetError("There is nothing to write", "choose another part with --split, or another snapshot")

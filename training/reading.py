"""Dialogs read from the database as histories: all of their messages, or what came after their finished
conversations.

Knows nothing of secrets, parts or snapshots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np

from training.history import History, Run
from training.kept import READ_AGAIN, Kept
from twin.conversations import split_by_silence
from twin.dialogs import Dialog, without_secrets
from twin.messages import Message, Peer
from twin.privacy.blocklist import Blocklist
from twin.sections import DatasetSettings
from twin.store import Store

EXCLUDED, OF_LISTED_PERSON, USED = "excluded by you", "with somebody on your list", "used"
LOOK_BACK = 6
"""Messages before a run in which a question may stand that its first messages answer."""
_AT_ONCE = 500


def use_of(dialog: Dialog, blocklist: Blocklist) -> str:
    """Whether a dialog counts, or why not."""
    if not dialog.is_included:
        return EXCLUDED
    return OF_LISTED_PERSON if blocklist.is_person(dialog.name, dialog.username) else USED


def peer_of(dialog: Dialog, settings: DatasetSettings) -> Peer:
    """What a prompt will tell of the other person, and no more."""
    return Peer(
        without_secrets(dialog.name) if settings.peer == "name" else None,
        dialog.relation if settings.relation else None,
    )


def deleted(store: Store) -> Counter[int]:
    """How many messages of each dialog are known to be deleted."""
    rows = store.db.execute("select chat_id, count(*) from messages where deleted_at is not null group by chat_id")
    return Counter(dict(rows.fetchall()))


def read(store: Store, dialogs: Iterable[Dialog], settings: DatasetSettings, kept: Mapping[int, Kept]) -> list[History]:
    """The dialogs' histories; of those of which something is kept, what is not, and its context."""
    gap = timedelta(minutes=settings.session_gap_minutes)
    histories = []
    for dialog in dialogs:
        its = kept.get(dialog.chat_id)
        runs = _unfinished(store, dialog.chat_id, its, gap) if its is not None else None
        if runs is None:
            its, runs = None, list(_in_a_row(split_by_silence(_messages(store, dialog.chat_id), gap), ()))
        histories.append(History(dialog.chat_id, runs, dialog.name, peer_of(dialog, settings), its))
    return histories


def _unfinished(store: Store, chat_id: int, kept: Kept, gap: timedelta) -> list[Run] | None:
    """The runs after the finished ones, those to be read again, and what they quote or follow; None if that fails."""
    latest = split_by_silence(_messages(store, chat_id, _time(kept.until)), gap)
    after = list(_in_a_row(latest, _before(store, latest[0][0]) if latest else ()))
    again = np.flatnonzero(kept.line == READ_AGAIN).tolist()
    by_age = np.argsort(kept.first, kind="stable")
    before = [int(np.searchsorted(kept.first[by_age], kept.first[row])) - 1 for row in again] + [len(by_age) - 1]
    runs = {row: _finished(store, chat_id, kept, row) for row in again}
    answered = _answered(store, chat_id, [*after, *runs.values()])
    places = np.searchsorted(kept.first[by_age], answered, side="right") - 1
    for place in {*before, *places.tolist()} - {-1}:
        row = int(by_age[place])
        if row not in runs:
            runs[row] = _finished(store, chat_id, kept, row, is_context=True)
    if any(len(run.raw) != kept.count[row] for row, run in runs.items()):
        return None
    return sorted([*runs.values(), *after], key=lambda run: run.first)


def _finished(store: Store, chat_id: int, kept: Kept, row: int, *, is_context: bool = False) -> Run:
    first, last = int(kept.first[row]), int(kept.last[row])
    messages = _messages(store, chat_id, _time(first), _time(last + 1))
    return Run.of(messages, _before(store, messages[0]) if messages else (), is_context=is_context)


def _in_a_row(runs: Iterable[list[Message]], before: Sequence[str]) -> Iterator[Run]:
    """Runs that follow each other, the first one what was said before it."""
    for messages in runs:
        yield Run.of(messages, before)
        before = [*before, *(message.text for message in messages[-LOOK_BACK:])][-LOOK_BACK:]


def _before(store: Store, message: Message) -> list[str]:
    """The texts of the messages just before one, oldest first."""
    rows = store.db.execute(
        "select text from messages where chat_id = ? and (sent_at, message_id) < (?, ?) and deleted_at is null"
        " order by sent_at desc, message_id desc limit ?",
        [message.chat_id, int(message.sent_at.timestamp()), message.message_id, LOOK_BACK],
    )
    return [row[0] for row in rows][::-1]


def _answered(store: Store, chat_id: int, runs: Iterable[Run]) -> list[int]:
    """When those messages were sent that are explicitly replied to here and stand elsewhere."""
    messages = [message for run in runs for message in run.raw]
    here = {message.message_id for message in messages}
    ids = iter({message.reply_to for message in messages if message.reply_to is not None} - here)
    times: list[int] = []
    while some := list(islice(ids, _AT_ONCE)):
        rows = store.db.execute(
            f"select sent_at from messages where chat_id = ? and message_id in ({', '.join('?' * len(some))})",  # noqa: S608
            [chat_id, *some],
        )
        times += [row[0] for row in rows]
    return times


def _messages(
    store: Store, chat_id: int, since: datetime | None = None, until: datetime | None = None
) -> list[Message]:
    """Those that were not deleted."""
    return [message for message in store.each_message(chat_id, since, until) if message.deleted_at is None]


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""The stored history on its way out: chosen dialogs and times, scrubbed if asked for, into a shape of ingest/writers/.

Knows nothing of terminals. It is written under a temporary name and renamed when it is whole; what was there before is
replaced only if that is asked for, and a folder only if it holds nothing but such an export.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingest.pipeline import earlier_owner
from ingest.scrubbed import Scrubber
from ingest.writers import SHAPES, Leaving, Shape, Teller
from twin.cursors import Cursors
from twin.errors import StoreError
from twin.messages import Message
from twin.sections import UNNAMED, Owner
from twin.store import Store, time_range

_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to leave.

    Attributes:
        chats: ids of the dialogs; none means all.
        since, until: aware times; `until` itself does not count any more.
        scrub: whether secrets are replaced.
    """

    chats: tuple[int, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    scrub: bool = False


@dataclass(slots=True)
class Left:
    """What left: dialogs and messages; messages in which secrets were replaced, or that were left out, unexamined."""

    dialogs: int = 0
    messages: int = 0
    replaced: int = 0
    left_out: int = 0
    scrubber: Scrubber | None = field(default=None, repr=False)


def count(store: Store, selection: Selection) -> int:
    """How many messages a selection holds."""
    since, until = time_range(selection.since, selection.until)
    rows = store.db.execute(
        "select chat_id, count(*) from messages where sent_at >= ? and sent_at < ? group by chat_id", [since, until]
    )
    return sum(number for chat_id, number in rows if not selection.chats or chat_id in selection.chats)


def teller(store: Store, settings: Owner) -> Teller:
    """Whose history is stored, as the settings, the last ingest or the live account told."""
    known = settings.id or earlier_owner(store) or Cursors(store.db).owner() or 0
    return Teller(known, settings.name if settings.name != UNNAMED else "Me")


def export(
    store: Store,
    out: Path,
    shape: str,
    owner: Teller,
    selection: Selection,
    *,
    force: bool = False,
    on_messages: Callable[[int], None] = lambda _: None,
) -> Left:
    """Write what is selected, as it is at one moment, to `out`; all of it or nothing.

    Args:
        shape: a key of `SHAPES`.
        force: replace an export that is there already.
        on_messages: told how many messages were written, now and then.

    Raises:
        StoreError: `out` is in the way or cannot be written, or nothing is selected.
    """
    kind = SHAPES[shape]
    _refuse_to_overwrite(out, kind, force=force)
    left = Left(scrubber=Scrubber() if selection.scrub else None)
    try:
        with _incoming(out, kind) as path, _one_moment(store):
            kind.write(path, _leaving(store, selection, left, on_messages), owner)
            if not left.messages:
                raise StoreError("There is nothing to export", "choose other dialogs or times")
            _replace(path, out)
    except OSError as error:
        raise StoreError(
            f"The export cannot be written to {out} ({error.strerror})", "choose another place, or free disk space"
        ) from error
    if left.scrubber is not None:
        left.replaced, left.left_out = left.scrubber.replaced, left.scrubber.left_out
    return left


def _leaving(store: Store, selection: Selection, left: Left, on_messages: Callable[[int], None]) -> Iterator[Leaving]:
    for dialog in store.dialogs():
        if selection.chats and dialog.chat_id not in selection.chats:
            continue
        messages = store.each_message(dialog.chat_id, selection.since, selection.until)
        if left.scrubber is not None:
            messages = left.scrubber.messages(messages)
            dialog = left.scrubber.dialog(dialog)
        if (first := next(messages, None)) is not None:
            left.dialogs += 1
            yield Leaving(dialog, _counted(first, messages, left, on_messages))


def _counted(
    first: Message, others: Iterator[Message], left: Left, on_messages: Callable[[int], None]
) -> Iterator[Message]:
    before = left.messages
    left.messages += 1
    yield first
    for message in others:
        left.messages += 1
        if (left.messages - before) % _EVERY == 0:
            on_messages(_EVERY)
        yield message
    on_messages((left.messages - before) % _EVERY)


@contextmanager
def _one_moment(store: Store) -> Iterator[None]:
    """Everything is read as it was at the beginning, whatever others write meanwhile."""
    store.db.conn.execute("begin")
    try:
        yield
    finally:
        store.db.conn.execute("rollback")


def _refuse_to_overwrite(out: Path, kind: Shape, *, force: bool) -> None:
    if not out.exists():
        return
    if out.is_dir() != bool(kind.names):
        what = "a file" if kind.names else "a folder"
        raise StoreError(
            f"{out} is {what}, but this export is {'a folder' if kind.names else 'a file'}", "choose another"
        )
    if kind.names and not any(out.iterdir()):
        return
    if not force:
        raise StoreError(f"{out} exists already", "choose another place, or replace it with --force")
    strange = [path for path in out.iterdir() if not _is_ours(path, kind)] if kind.names else []
    if strange:
        raise StoreError(f"{out} holds more than such an export", "choose another folder")


def _is_ours(path: Path, kind: Shape) -> bool:
    return path.is_file() and any(path.match(name) for name in kind.names)


@contextmanager
def _incoming(out: Path, kind: Shape) -> Iterator[Path]:
    """A file or folder beside `out`, the user's alone, gone afterwards unless it was renamed."""
    path = out.with_name(f".{out.name}.{os.getpid()}")
    _remove(path)
    if kind.names:
        path.mkdir(mode=0o700)
    else:
        path.touch(mode=0o600)
    try:
        yield path
    finally:
        _remove(path)


def _replace(path: Path, out: Path) -> None:
    """By rename; a folder that is there steps aside first."""
    if not out.is_dir():
        path.replace(out)
        return
    aside = out.with_name(f".{out.name}.{os.getpid()}.old")
    out.rename(aside)
    try:
        path.rename(out)
    except OSError:
        aside.rename(out)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()

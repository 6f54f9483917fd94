"""Which of an account's dialogs are brought in, and why the others are not.

Knows nothing of how the list was got or of what is said in the dialogs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ingest.telegram_account import RemoteDialog
from twin.errors import AccountError

SAVED = "saved messages"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner wants: names, usernames or ids of dialogs.

    Attributes:
        only, exclude: for this run; each must name a dialog, so that no slip of the pen brings in what was to stay out.
        always_only, always_exclude: from the settings; who is not there any more is no error.
        saved_messages: whether the notes to oneself come in too.
    """

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    always_only: frozenset[str] = frozenset()
    always_exclude: frozenset[str] = frozenset()
    saved_messages: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Dialogs to bring in, in the order of the list; how many others there are, by reason."""

    dialogs: tuple[RemoteDialog, ...]
    left_out: Counter[str] = field(default_factory=Counter)


def choose(dialogs: Iterable[RemoteDialog], wishes: Wishes, excluded: frozenset[int] = frozenset()) -> Choice:
    """Private dialogs with people, less what the owner leaves out.

    Args:
        excluded: ids of those that `twin dialogs exclude` put away.

    Raises:
        AccountError: a wish of this run fits no dialog, or several.
    """
    left_out: Counter[str] = Counter()
    people = []
    for dialog in dialogs:
        if dialog.reason is None:
            people.append(dialog)
        elif dialog.reason == SAVED and wishes.saved_messages:
            people.append(replace(dialog, name="Saved Messages"))
        else:
            left_out[dialog.reason] += 1
    only = _ids(people, wishes.only, is_strict=True) or _ids(people, wishes.always_only, is_strict=False)
    exclude = _ids(people, wishes.exclude, is_strict=True) | _ids(people, wishes.always_exclude, is_strict=False)
    chosen = []
    for dialog in people:
        if dialog.chat_id in excluded:
            left_out["put away with `twin dialogs exclude`"] += 1
        elif dialog.chat_id in exclude:
            left_out["excluded"] += 1
        elif (wishes.only or wishes.always_only) and dialog.chat_id not in only:
            left_out["not among those asked for"] += 1
        else:
            chosen.append(dialog)
    return Choice(tuple(chosen), left_out)


def _ids(people: list[RemoteDialog], wishes: Iterable[str], *, is_strict: bool) -> set[int]:
    found: set[int] = set()
    for wish in wishes:
        fitting = _fitting(people, wish)
        if is_strict and not fitting:
            raise AccountError(
                "One of the names given with --only or --exclude fits no private dialog",
                "write it as Telegram shows it, or give the username or the id",
            )
        found |= fitting
    return found


def _fitting(people: list[RemoteDialog], wish: str) -> set[int]:
    """Whose name, username or id that is, in any case; else the one whose name begins so.

    Raises:
        AccountError: several names begin so.
    """
    asked = wish.strip().removeprefix("@").casefold()
    exact = {
        dialog.chat_id
        for dialog in people
        if asked and asked in (str(dialog.chat_id), (dialog.name or "").strip().casefold(), _username(dialog))
    }
    if exact or not asked:
        return exact
    beginnings = {dialog.chat_id for dialog in people if (dialog.name or "").strip().casefold().startswith(asked)}
    if len(beginnings) > 1:
        ids = ", ".join(map(str, sorted(beginnings)[:5]))
        raise AccountError(f"{len(beginnings)} dialogs begin with one of the names given", f"give an id: {ids}")
    return beginnings


def _username(dialog: RemoteDialog) -> str:
    return (dialog.username or "").casefold()

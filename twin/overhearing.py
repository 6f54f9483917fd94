"""Overhearing: the messages of a database read for what only other people wrote, one after another.

Knows nothing of replies, or of which dialogs training uses: what is left out today may have been learned yesterday.

Left out are windows that the owner wrote too, and those of three people or more: song lines, proverbs, what bots say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from twin.privacy.home_key import read_key
from twin.privacy.overheard import WINDOW, Digests, Overheard, plain, windows

COMMON = 3
"""A window that so many different people wrote belongs to nobody."""
OWNER = -(1 << 63)
"""The number of the owner among those who wrote something: below all others."""
_AT_ONCE = 10_000
# Every second character may be a space that `plain` puts between ideographs: shorter texts have no window.
_MESSAGES = f"""
    select case when is_owner then {OWNER} else chat_id end, text from messages
    where length(text) > {WINDOW // 2} and not (is_owner and (forwarded_from is not null or via_bot is not null))
"""  # noqa: S608 - constants
# What people wrote elsewhere; nobody knows how many they were, so that those of a set count as one.
_SETS = f"""
    select
        case when turn.value ->> 'speaker' = 'owner' then {OWNER} else {OWNER} + sets.rowid end,
        case bubble.type when 'object' then bubble.value ->> 'text' else bubble.value end
    from sets join set_rows using (name), json_each(set_rows.turns) as turn,
        json_each(turn.value, '$.bubbles') as bubble
    where not sets.is_synthetic and not (turn.value ->> 'speaker' = 'owner' and bubble.type = 'object')
"""  # noqa: S608 - constants


def overhear(db: Database, home: Path) -> Overheard:
    """Read all messages and the sets that people wrote, and save what is found in the home, under its key.

    What the owner forwarded is not taken for the owner's own words. Edited messages count as they read now. Takes
    about 10 microseconds a message of the CPU, and 60 bytes of memory for each window of a text while it lasts.

    Raises:
        StoreError: the key cannot be read, or the file not be written.
    """
    said = chain(db.conn.execute(_MESSAGES), db.conn.execute(_SETS))
    found = listen(said, Digests(read_key(home, may_make=True)))
    found.save(home)
    return found


def listen(said: Iterable[tuple[int, str]], digests: Digests) -> Overheard:
    """What of these texts only others wrote, and no more than two of them.

    Args:
        said: who (OWNER, or any other number of 64 bits) and what, in any order.
    """
    import numpy as np

    people, hashed = [np.zeros(0, np.int64)], [np.zeros(0, "V16")]
    for who, what in _batches(said, digests):
        people.append(np.array(who, np.int64))
        hashed.append(np.frombuffer(what, "V16"))
    kept = _of_few(np.concatenate(people), np.concatenate(hashed))
    return Overheard.of(digests, (digest.tobytes() for digest in kept), len(kept))


def _batches(said: Iterable[tuple[int, str]], digests: Digests) -> Iterator[tuple[list[int], bytearray]]:
    """The windows of some texts at a time: of whom each is, and all of their digests, joined."""
    who: list[int] = []
    what = bytearray()
    for person, text in said:
        for window in windows(plain(text)):
            who.append(person)
            what += digests(window)
        if len(who) >= _AT_ONCE:
            yield who, what
            who, what = [], bytearray()
    yield who, what


def _of_few(people: Any, hashed: Any) -> Any:
    """The digests that the owner is not among the writers of, and fewer than COMMON people are; each once.

    Args:
        people, hashed: who wrote what, an entry for each time.
    """
    import numpy as np

    halves = hashed.view("<u8").reshape(-1, 2)
    order = np.lexsort((people, halves[:, 1], halves[:, 0]))
    halves, people = halves[order], people[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (halves[1:] != halves[:-1]).any(axis=1)
    group = np.cumsum(is_new) - 1
    is_new_person = is_new.copy()
    is_new_person[1:] |= people[1:] != people[:-1]
    writers = np.bincount(group, weights=is_new_person, minlength=int(is_new.sum()))
    kept = (people[is_new] != OWNER) & (writers < COMMON)  # the owner sorts first
    return hashed[order][is_new][kept]

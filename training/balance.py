"""Which of the owner's turns are taught: not one chat above all others, and nothing over and over again.

Knows nothing of storage or tokens. Turns that are not to be taught stay where they are, as context, with the reason.

Repetition is what a model learns by heart (Lee et al. 2022, "Deduplicating Training Data Makes Language Models
Better"; Kandpal et al. 2022). So near-duplicate replies are capped: long ones at two, short everyday ones ("ok",
"lol"), which are part of how somebody writes, generously. Of a dialog with n turns, n^T * e^(1-T) are taught, where e
= N/k is an equal share of all N turns for each of the k dialogs and T the temperature: T = 1 leaves everything as it
is, T = 0 gives each dialog at most an equal share. It is the exponential smoothing by which multilingual models
sample languages (p^T, with T = 0.7 in mBERT and 0.3 in XLM-R, Conneau et al. 2020), without its oversampling: nothing
is taught twice.

Which turns stay is decided by hashes of where they stand, so they are spread over the whole period, are the same on
every machine, and mostly stay the same ones when new messages come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from training.likeness import Hashes, Likeness, in_order, mix
from training.reasons import DIALOG_SHARE, REPEATED, STATUSES, SUPERVISED
from training.sheet import NUMBER, Ints, Mask, Sheet
from twin.sections import DatasetSettings

LONG = 40
"""Characters from which a reply is long."""
LONG_REPEATS = 2
_SHORT_SHARE = 0.02


def balance(sheet: Sheet, settings: DatasetSettings) -> dict[int, str]:
    """The turns that are too many, by row, with the reason: "repeated", or their dialog's share is used up.

    Args:
        sheet: the owner's own conversations of the training period, in any order.
    """
    ranks = _ranks(sheet)
    taught = np.flatnonzero(sheet.status == STATUSES.index(SUPERVISED))
    said_again = repeated(sheet, taught, ranks, settings.max_repeats)
    left = taught[~np.isin(taught, said_again)]
    beyond = beyond_share(sheet, left, ranks, settings.dialog_temperature, settings.dialog_cap)
    return dict.fromkeys(said_again.tolist(), REPEATED) | dict.fromkeys(beyond.tolist(), DIALOG_SHARE)


def repeated(sheet: Sheet, taught: Ints, ranks: Hashes, max_repeats: int) -> Ints:
    """The turns that say again what as many others as are allowed say already.

    What of a turn may be a repetition by itself is each long bubble; where none is long, all of the turn.

    Args:
        taught: rows of turns, ascending.
        ranks: of every turn: those with the lowest stay.
        max_repeats: how many short replies may be alike; beyond it, up to 2 % of all. 0 allows any number.
    """
    if not max_repeats or not len(taught):
        return taught[:0]
    own = sheet.word[np.repeat(sheet.authored, sheet.words)]
    own = np.where(own & NUMBER, np.uint32(NUMBER), own)  # one number is as good as another
    ends = np.cumsum(sheet.words * sheet.authored, dtype=np.int64)  # of each bubble among the owner's own words
    starts = ends - sheet.words * sheet.authored
    is_long = sheet.authored & (sheet.length >= LONG)
    turn_of_bubble = np.repeat(np.arange(len(sheet.bubbles)), sheet.bubbles)
    is_taught = np.zeros(len(sheet.status), dtype=np.bool_)
    is_taught[taught] = True
    has_long = np.zeros(len(sheet.status), dtype=np.bool_)
    has_long[turn_of_bubble[is_long]] = True
    plain = taught[~has_long[taught]]
    first, last = sheet.first_bubble[plain], sheet.first_bubble[plain] + sheet.bubbles[plain] - 1
    is_short = sheet.characters[plain] - 1 < LONG  # of the whole turn, with a break between two bubbles
    short_cap = max(max_repeats, math.ceil(_SHORT_SHARE * len(taught)))
    short = plain[is_short]
    too_many = short[_beyond_cap(in_order(own, starts[first], ends[last])[is_short], ranks[short], short_cap)]
    alone = np.flatnonzero(is_long & is_taught[turn_of_bubble])
    return np.union1d(
        too_many,
        _long_repeats(
            Likeness(
                own,
                np.concatenate([starts[first][~is_short], starts[alone]]),
                np.concatenate([ends[last][~is_short], ends[alone]]),
            ),
            np.concatenate([plain[~is_short], turn_of_bubble[alone]]),
            ranks,
        ),
    )


def _beyond_cap(keys: Hashes, ranks: Hashes, cap: int) -> Mask:
    """Which ones have `cap` others of the same key with lower ranks."""
    order = np.lexsort((ranks, keys))
    is_first = np.concatenate([[True], np.diff(keys[order]) != 0]) if len(keys) else np.zeros(0, dtype=np.bool_)
    firsts = np.flatnonzero(is_first)
    place = np.arange(len(keys)) - np.repeat(firsts, np.diff(np.append(firsts, len(keys))))
    beyond = np.zeros(len(keys), dtype=np.bool_)
    beyond[order] = place >= cap
    return beyond


def _long_repeats(likeness: Likeness, turns: Ints, ranks: Hashes) -> Ints:
    """The turns that are like two others with lower ranks, which are taught themselves.

    Args:
        likeness: of long texts.
        turns: in which each of them stands.
    """
    texts_of: dict[int, list[int]] = {}
    for text, turn in enumerate(turns.tolist()):
        if not likeness.is_alone(text):
            texts_of.setdefault(turn, []).append(text)
    too_many = []
    for turn in sorted(texts_of, key=lambda turn: (ranks[turn], turn)):
        if any(likeness.count(text) >= LONG_REPEATS for text in texts_of[turn]):
            too_many.append(turn)
            continue
        for text in texts_of[turn]:
            likeness.add(text)
    return np.array(too_many, dtype=np.int64)


def beyond_share(sheet: Sheet, taught: Ints, ranks: Hashes, temperature: float, cap: int | None) -> Ints:
    """The turns beyond their dialog's share, whole conversations if possible: context is not to be read in vain."""
    chats, sizes = np.unique(sheet.chat_of_turn[taught], return_counts=True)
    allowed = shares(dict(zip(chats.tolist(), sizes.tolist(), strict=True)), temperature, cap)
    session_ranks = _session_ranks(sheet)[sheet.session_of_turn]
    beyond = [taught[:0]]
    for chat, size in zip(chats.tolist(), sizes.tolist(), strict=True):
        if allowed[chat] < size:
            its = taught[sheet.chat_of_turn[taught] == chat]
            beyond.append(its[np.lexsort((ranks[its], session_ranks[its]))[allowed[chat] :]])
    return np.concatenate(beyond)


def shares(sizes: Mapping[int, int], temperature: float, cap: int | None = None) -> dict[int, int]:
    """How many turns of each dialog are taught: at least one, at most all it has. See the module for the formula."""
    if not sizes:
        return {}
    equal = sum(sizes.values()) / len(sizes)
    return {
        chat_id: max(1, min(size, round(size**temperature * equal ** (1 - temperature)), cap or size))
        for chat_id, size in sizes.items()
    }


def _session_ranks(sheet: Sheet) -> Hashes:
    return mix(mix(sheet.chat.astype(np.uint64)) + sheet.start.astype(np.uint64))


def _ranks(sheet: Sheet) -> Hashes:
    """Of every turn a number by its dialog, its session's beginning and its place: uniform, the same everywhere."""
    return mix(_session_ranks(sheet)[sheet.session_of_turn] + (sheet.place_of_turn + 1).astype(np.uint64))

"""Held-out texts that stand in training sessions too: found, and taken out of training.

Knows nothing of how the parts were cut; a text is a message, whoever wrote it.

A held-out message of at least 25 characters and 5 words occurs in a turn when its words stand there in a row, also
across bubbles; words as `training.sheet` has them, without case and punctuation. Shorter ones are trivial:
everybody says "ok, see you tomorrow" again. Where words are not parted by spaces a letter counts as a word, and as
three characters.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.drafts import Drafts
from training.editing import Change, edit
from training.likeness import Hashes
from training.reasons import ALSO_HELD_OUT
from training.sheet import Ints, Sheet, codes_of, words_of
from twin.messages import Session
from twin.placeholders import quoted
from twin.words import UNSPACED

LEAST_CHARACTERS, LEAST_WORDS = 25, 5

_TAKEN = Change(None, ALSO_HELD_OUT, ALSO_HELD_OUT)
_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
_MULTIPLIER = 0x9E3779B97F4A7C15
_WEIGHTS: list[int] = [pow(_MULTIPLIER, place, 1 << 64) for place in range(LEAST_WORDS)]


@dataclass(frozen=True, slots=True)
class TakenOut:
    """Training sessions after what is held out was taken out of them.

    Attributes:
        drafts: those that are as they were, then those that were changed.
        changed: rows of the original drafts.
        lost: turns of the owner that are no turns any more, by reason.
        messages: how many messages are shown no more; quotes of them do not count.
    """

    drafts: Drafts
    changed: list[int]
    lost: Counter[str]
    messages: int


NOTHING_TAKEN = TakenOut(Drafts.of([]), [], Counter(), 0)


def take_out(held_out: Iterable[str], training: Drafts, language: str = "en") -> TakenOut:
    """Leave held-out texts out of training; the owner is not taught the rest of a turn that lost their own words.

    Args:
        held_out: texts of messages of the held-out parts.
        language: of the placeholders in training.
    """
    quote = quoted("", language)
    places: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)
    for row, turn, place in find(held_out, training.sheet):
        places[row].add((turn, place))
    lost: Counter[str] = Counter()
    edited: list[Session] = []
    messages = 0
    for row in sorted(places):
        session = training.session(row)
        changes = {}
        for turn, place in sorted(places[row]):
            bubble = session.turns[turn].bubbles[place]
            changes[turn, place] = _TAKEN if bubble.authored else Change(None, ALSO_HELD_OUT, None)
            messages += bubble.authored or not bubble.text.startswith(quote)
        left, gone = edit(session, changes)
        lost.update(gone)
        edited += [left] if left is not None else []
    rest = training.without(places) if places else training
    return TakenOut(Drafts.join([rest, Drafts.of(edited)]) if edited else rest, sorted(places), lost, messages)


def is_trivial(words: Sequence[str]) -> bool:
    """Whether a text with these words is too short to be told from what everybody says."""
    if len(words) < LEAST_WORDS:
        return True
    length = sum(map(len, words)) + len(words) - 1
    if length >= LEAST_CHARACTERS:
        return False
    return length + sum(2 for word in words if _IS_UNSPACED.match(word)) < LEAST_CHARACTERS


def find(held_out: Iterable[str], sheet: Sheet) -> Iterator[tuple[int, int, int]]:
    """Every training bubble in which a held-out text stands, or a part of one: session, turn in it, bubble in that.

    The first five words of each text are looked up among all fives of words in training; where they stand, the rest is
    compared. Linear in both, as long as few turns begin alike.
    """
    wanted: defaultdict[int, set[tuple[int, ...]]] = defaultdict(set)  # by a hash of its first words
    for text in held_out:
        words = words_of(text)
        if not is_trivial(words):
            codes = codes_of(words)
            wanted[_five(codes)].add(codes)
    if not wanted or len(sheet.word) < LEAST_WORDS:
        return
    bubble_ends = np.cumsum(sheet.words, dtype=np.int64)
    turn_ends = bubble_ends[sheet.first_bubble + sheet.bubbles - 1]
    for place in _fives_among(sheet, np.sort(np.array([*wanted], dtype=np.uint64))).tolist():
        turn = int(np.searchsorted(turn_ends, place, side="right"))
        following = tuple(sheet.word[place : turn_ends[turn]].tolist())
        for codes in wanted.get(_five(following), ()):
            if following[: len(codes)] == codes:
                first = int(np.searchsorted(bubble_ends, place, side="right"))
                last = int(np.searchsorted(bubble_ends, place + len(codes) - 1, side="right"))
                for bubble in range(first, last + 1):
                    yield (
                        int(sheet.session_of_turn[turn]),
                        int(sheet.place_of_turn[turn]),
                        bubble - int(sheet.first_bubble[turn]),
                    )


def _five(codes: Sequence[int]) -> int:
    return sum(weight * code for weight, code in zip(_WEIGHTS, codes, strict=False)) % (1 << 64)


def _fives_among(sheet: Sheet, wanted: Hashes) -> Ints:
    """Rows of words from which on five words have one of these hashes; some may reach into the next turn."""
    count = len(sheet.word) - LEAST_WORDS + 1
    fives = np.zeros(count, dtype=np.uint64)
    for place, weight in enumerate(_WEIGHTS):
        fives += sheet.word[place : place + count].astype(np.uint64) * np.uint64(weight)
    found = wanted[np.minimum(np.searchsorted(wanted, fives), len(wanted) - 1)] == fives
    return np.flatnonzero(found)

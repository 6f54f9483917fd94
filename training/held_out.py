"""Held-out texts that stand in training rows too: found, and taken out of the training rows.

Knows nothing of how the parts were cut; a text is a message, whoever wrote it.

A held-out message of at least 25 characters and 5 words occurs in a turn when its words, without case and
punctuation, stand there in a row, also across bubbles. Shorter ones are trivial: everybody says "ok, see you
tomorrow" again. Where words are not parted by spaces a letter counts as a word, and as three characters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from training.editing import Change, edit
from twin.messages import Session, Turn
from twin.placeholders import quoted
from twin.words import UNSPACED, words_of

LEAST_CHARACTERS, LEAST_WORDS = 25, 5
ALSO_HELD_OUT = "also in held-out"

_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
_TAKEN = Change(None, ALSO_HELD_OUT, ALSO_HELD_OUT)
_PLACEHOLDER = re.compile(r"\[[^\]\n]{1,40}\]\s*")


@dataclass(frozen=True, slots=True)
class Found:
    """A bubble of a training turn in which held-out text stands: indices of the session, the turn, the bubble."""

    session: int
    turn: int
    bubble: int


def said_in(text: str) -> list[str]:
    """A text's words; a placeholder at its beginning ("[forwarded]") is not of the text."""
    return words_of(_without_placeholder(text))


def _without_placeholder(text: str) -> str:
    return _PLACEHOLDER.sub("", text, count=1) if text.startswith("[") else text


def is_trivial(words: Sequence[str]) -> bool:
    """Whether a text with these words is too short to be told from what everybody says."""
    if len(words) < LEAST_WORDS:
        return True
    length = sum(map(len, words)) + len(words) - 1
    if length >= LEAST_CHARACTERS:
        return False
    return length + sum(2 for word in words if _IS_UNSPACED.match(word)) < LEAST_CHARACTERS


@dataclass(frozen=True, slots=True)
class TakenOut:
    """Training sessions after what is held out was taken out of them.

    Attributes:
        lost: turns of the owner that are no turns any more, by reason.
        messages: how many messages are shown no more; quotes of them do not count.
    """

    sessions: list[Session]
    lost: Counter[str]
    messages: int


def take_out(held_out: Iterable[str], training: Sequence[Session], language: str = "en") -> TakenOut:
    """Leave held-out texts out of training; the owner is not taught the rest of a turn that lost their own words.

    Args:
        held_out: texts of messages of the held-out parts.
        language: of the placeholders in training.
    """
    quote = quoted("", language)
    changes: defaultdict[int, dict[tuple[int, int], Change]] = defaultdict(dict)
    messages = 0
    for place in find(held_out, training):
        bubble = training[place.session].turns[place.turn].bubbles[place.bubble]
        changes[place.session][place.turn, place.bubble] = (
            _TAKEN if bubble.authored else Change(None, ALSO_HELD_OUT, None)
        )
        messages += bubble.authored or not bubble.text.startswith(quote)
    lost: Counter[str] = Counter()
    kept: list[Session] = []
    for number, session in enumerate(training):
        edited, gone = edit(session, changes[number]) if number in changes else (session, Counter[str]())
        lost.update(gone)
        if edited is not None:
            kept.append(edited)
    return TakenOut(kept, lost, messages)


def find(held_out: Iterable[str], training: Sequence[Session]) -> Iterator[Found]:
    """Every training bubble in which a held-out text stands, or a part of one. Linear in both.

    Args:
        held_out: texts of messages of the held-out parts.
    """
    frequency: Counter[str] = Counter()
    spoken: list[tuple[int, int, str]] = []  # session, turn, its words: one string, for they are many
    for session_number, session in enumerate(training):
        for turn_number, turn in enumerate(session.turns):
            words = words_of("\n".join(map(_without_placeholder, (bubble.text for bubble in turn.bubbles))))
            if not is_trivial(words):
                frequency.update(words)
                spoken.append((session_number, turn_number, f" {' '.join(words)} "))
    anchors = _anchors(held_out, frequency)
    for session_number, turn_number, said in spoken:
        wanted = [text for word in anchors.keys() & set(said.split()) for text in anchors[word] if text in said]
        if wanted:
            turn = training[session_number].turns[turn_number]
            for bubble in sorted(_bubbles(turn, (place for text in wanted for place in _places(said, text)))):
                yield Found(session_number, turn_number, bubble)


def _anchors(held_out: Iterable[str], frequency: Counter[str]) -> dict[str, list[str]]:
    """What is to be looked for, by the word of it that is rarest in training; what cannot be there is left out."""
    anchors: defaultdict[str, list[str]] = defaultdict(list)
    for words in {tuple(said_in(text)) for text in held_out}:
        if not is_trivial(words):
            anchor = min(words, key=lambda word: (frequency[word], word))
            if frequency[anchor]:
                anchors[anchor].append(f" {' '.join(words)} ")
    return anchors


def _places(said: str, text: str) -> Iterator[tuple[int, int]]:
    """The first and the last word, by number, of each occurrence of a text."""
    place = said.find(text)
    while place >= 0:
        first = said.count(" ", 0, place)
        yield first, first + text.count(" ") - 2
        place = said.find(text, place + 1)


def _bubbles(turn: Turn, found: Iterable[tuple[int, int]]) -> set[int]:
    """The bubbles over which ranges of words stretch."""
    starts = list(accumulate((len(said_in(bubble.text)) for bubble in turn.bubbles[:-1]), initial=0))
    return {
        bubble for first, last in found for bubble in range(bisect_right(starts, first) - 1, bisect_right(starts, last))
    }

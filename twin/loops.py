"""Repetition loops: the degeneration in which a model says the same over and over, in a reply or in reply after reply.

Knows nothing of models, or of who is measured or guarded by it.

A reply loops when in it stands

- a phrase three times in a row or more (Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration"): two
  words or more, not all the same, or four characters of a script without spaces; across bubbles, signs and emoji aside;
- a single word, or a shorter phrase, eight times in a row ("no no no" is how people talk);
- the same bubble of two different words or more three times, wherever;
- up to four characters of any kind over and over for sixty characters ("!!!!", "hahaha" and "sooooo" of people end
  earlier).

Laughter is no word here, and a stretched character counts once. Of 120,000 turns that 200 people really wrote, 49 loop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from twin.laughter import is_laughter
from twin.signs import is_character, is_word, tokens_of

_TIMES, _SHORT_TIMES = 3, 8
_TURNS, _SENTENCE = 2, 6
_PHRASE, _WORD, _CHARACTER = 4, 2, 1  # what a phrase, a word and a character of a script without spaces weigh
_MOST_TOKENS = 2000
_STRETCHED = 60
_CHARACTERS = re.compile(r"(.{1,4}?)\1{14,}", re.DOTALL)


def loops(reply: Sequence[str], in_a_row: int = _TIMES) -> bool:
    """Whether something loops in a reply, given as its bubbles in order.

    Args:
        in_a_row: how often a phrase must stand in a row.
    """
    said = [_words(text) for text in reply]
    repeated = Counter(tuple(words) for words in said if len(set(words)) > 1 and _weight(words) >= _PHRASE)
    if max(repeated.values(), default=0) >= _TIMES:
        return True
    if any(len(found[0]) >= _STRETCHED for text in reply for found in _CHARACTERS.finditer(text)):
        return True
    words = [word for its in said for word in its][:_MOST_TOKENS]
    return any(_in_a_row(words, size, in_a_row) for size in range(1, len(words) // in_a_row + 1))


def says_again(bubble: str, turns: Sequence[Sequence[str]]) -> bool:
    """Whether the speaker's last two turns hold this very bubble each; one of three words or more, not all the same.

    Args:
        turns: the same speaker's, oldest first, as their bubbles.
    """
    words = _words(bubble)
    if len(turns) < _TURNS or len(set(words)) < 2 or _weight(words) < _SENTENCE:
        return False
    return all(any(_words(text) == words for text in turn) for turn in turns[-_TURNS:])


def _words(text: str) -> list[str]:
    """The words but laughter; a character of a script without spaces that follows itself is left out."""
    words: list[str] = []
    for token in tokens_of(text):
        is_stretch = bool(words) and words[-1] == token and is_character(token)
        if is_word(token) and not is_stretch and not is_laughter(token):
            words.append(token)
    return words


def _in_a_row(words: Sequence[str], size: int, times: int) -> bool:
    """Whether a phrase of so many words stands often enough in a row."""
    run = 0
    for place in range(size, len(words)):
        run = run + 1 if words[place] == words[place - size] else 0
        if run >= (times - 1) * size:
            phrase = words[place - size + 1 : place + 1]
            is_phrase = len(set(phrase)) > 1 and _weight(phrase) >= _PHRASE
            if is_phrase or run >= (_SHORT_TIMES - 1) * size:
                return True
    return False


def _weight(words: Sequence[str]) -> int:
    return sum(_CHARACTER if is_character(word) else _WORD for word in words)

"""Repetition loops: the degeneration in which a model says the same phrase over and over within a reply.

Knows nothing of other replies.

A phrase of two words or more that stands three times in a row or more is a loop (Holtzman et al. 2020, "The Curious
Case of Neural Text Degeneration"), a single word eight times; so is the same bubble of two words or more three times,
wherever in the reply. Laughter is none, however long. Words are those of `twin/words.py`; signs and emoji are none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from training.fidelity.material import Bubbles
from twin.words import words_of

_TIMES, _WORD_TIMES = 3, 8
_LAUGHING = re.compile(r"(?:[ahei]*h[ahei]*|[jaei]*j[jaei]*|(?:l+o+)+l+|[ахеи]*х[ахеи]*|[哈呵嘿嘻笑]|[ㅋㅎ]+|w+|k{2,})")


def loops(reply: Bubbles) -> bool:
    """Whether a phrase loops in this reply."""
    said = [words_of(text) for text in reply]
    repeated = Counter(tuple(words) for words in said if len(set(words)) > 1)
    if max(repeated.values(), default=0) >= _TIMES:
        return True
    words = [word for its in said for word in its if not _LAUGHING.fullmatch(word)]
    return any(_in_a_row(words, size) for size in range(1, len(words) // _TIMES + 1))


def _in_a_row(words: Sequence[str], size: int) -> bool:
    """Whether a phrase of so many words stands often enough in a row."""
    run = 0
    for place in range(size, len(words)):
        run = run + 1 if words[place] == words[place - size] else 0
        if run + size >= _TIMES * size:
            phrase = words[place - size + 1 : place + 1]
            if len(set(phrase)) > 1 or run + size >= _WORD_TIMES:
                return True
    return False

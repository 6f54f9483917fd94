"""Words and signs, as the measures count them in any script.

Knows nothing of what is counted, nor of who wrote it.

A word is a run of letters and digits with its vowel signs (which Python's `\\w` takes for no part of a Hindi or Hebrew
word); where words are not parted by spaces each character is one. Every other mark but a space is a sign.
"""

from __future__ import annotations

import re

from twin.words import UNSPACED, fold

_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0971-\u0df3\u200c\u200d"
LETTER = f"(?:[^\\W_{UNSPACED}]|[{_MARKS}])"
"""What a word goes on with, as a regular expression."""
WORD = f"[^\\W_{UNSPACED}]{LETTER}*"
"""A word of a script that parts them by spaces, as a regular expression."""

_TOKEN = re.compile(f"[{UNSPACED}]|{WORD}|[^\\w\\s\ufe0f]|_")
_CHARACTER = re.compile(f"[{UNSPACED}]")


def tokens_of(text: str) -> list[str]:
    """Words and signs in order, folded."""
    return _TOKEN.findall(fold(text))


def is_word(token: str) -> bool:
    """Whether a token is a word rather than a sign."""
    return token[0].isalnum()


def is_character(token: str) -> bool:
    """Whether a token is a character of a script without spaces: about two thirds of a word."""
    return _CHARACTER.match(token) is not None

"""Laughter, as it is typed in many languages: "haha", "ахах", "哈哈", "ㅋㅋ", "jaja", "lol", "555".

Knows nothing of who laughs.
"""

from __future__ import annotations

import re

from twin.words import UNSPACED

_WORDS = (
    "[ah]*(?:ha|ah){2,}[ah]*",
    "h[aei]h+[aei]?h*",
    "(?:he){2,}h?",
    "(?:hi){2,}h?",
    "(?:ja|je|ji){2,}j?",
    "(?:rs){2,}s?",
    "k{3,}",
    "(?:l+o+)+l+[sz]?",
    "lma+o+",
    "rofl",
    "[ах]*(?:ха|ах){2,}[ах]*",
    "(?:хе){2,}х?",
    "(?:хи){2,}х?",
    "л+о+л+",
    "هه+",
    "[חה]{3,}",
    "5{3,}",
)
_SIGNS = f"[哈呵嘿嘻]{{2,}}|[ㅋㅎ]{{2,}}|笑|草$|(?<=[{UNSPACED}])[wｗ]+"
_LAUGHTER = re.compile(f"(?<!\\w)(?:{'|'.join(_WORDS)})(?!\\w)|{_SIGNS}", re.IGNORECASE)
_TOKEN = re.compile(f"{'|'.join(_WORDS)}|[ah]?ha|[哈呵嘿嘻笑]|[ㄱ-ㅎ]+|w+", re.IGNORECASE)


def find(text: str) -> str | None:
    """The first laughter in a message, as it is written."""
    found = _LAUGHTER.search(text)
    return found[0] if found else None


def without(text: str) -> str:
    """The message with spaces for its laughter."""
    return _LAUGHTER.sub(" ", text)


def is_laughter(token: str) -> bool:
    """Whether a word, or a character of a script without spaces, is nothing but laughter or a part of it."""
    return _TOKEN.fullmatch(token) is not None

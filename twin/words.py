"""Words: how texts of any script are cut into them, for comparing what was said.

Knows nothing of languages; no dictionary. Where words are not parted by spaces, every letter counts as a word.
"""

from __future__ import annotations

import re
import unicodedata

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, CJK ideographs
)
"""The scripts that write no spaces between words, as the inside of a regular expression's character class."""

_WORD = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")


def fold(text: str) -> str:
    """A text without the differences of case and width."""
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(text: str) -> list[str]:
    """The words of a text in order, folded; signs, emoji and spaces are none."""
    return _WORD.findall(fold(text))

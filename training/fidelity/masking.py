"""Content masking: what is left of a text when only the way it is written counts, not what it is about.

Knows nothing of classifiers, people or replies.

The 300 commonest words of the training period (the owner's and the partners' together), all punctuation and all emoji
stay; every other word becomes its shape, as in text distortion (Stamatatos 2017, "Authorship Attribution Using Text
Distortion"): `X` a capital, `x` any other letter, `0` a digit, runs cut at four. An apostrophe belongs to its word and
stays. A stretched word stays as it is written if it is a common one without the stretch ("soooo", "hahahaha"); else the
stretch shows as `≈`. A link becomes one sign. Where words are not parted by spaces (Chinese, Japanese, Thai ...) each
character counts as a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from training.fidelity.material import Material
from twin.signs import LETTER, WORD, is_character
from twin.words import UNSPACED

KEPT = 300
_WORD = re.compile(f"https?://\\S+|www\\.\\S+|[{UNSPACED}]|{WORD}(?:['’]{LETTER}+)*")
_STRETCH = re.compile(r"(\w{1,3}?)\1{2,}")
_LONG = re.compile(r"([Xx0])\1{4,}")
_LINK, _STRETCHED, _CHARACTER = "⌁", "≈", "□"


@dataclass(frozen=True, slots=True)
class Mask:
    """What stays. `kept` are folded words."""

    kept: frozenset[str]

    def __call__(self, text: str) -> str:
        """The masked text, line by line as it was."""
        return _WORD.sub(lambda found: self._of(found[0]), text)

    def _of(self, word: str) -> str:
        folded = _fold(word)
        if folded in self.kept:
            return word
        if "://" in word or word.startswith("www."):
            return _LINK
        if is_character(word):
            return _CHARACTER
        if any(_STRETCH.sub(short, folded) in self.kept for short in (r"\1", r"\1\1")):
            return word
        return _LONG.sub(lambda run: run[1] * 4, "".join(map(_shape, _STRETCH.sub(_STRETCHED, word))))


def fit(material: Material, most: int = KEPT) -> Mask:
    """The mask of what both sides wrote in the training period."""
    return of_texts(
        (text for reply in (*material.owner_train, *material.partner_train) for text in reply.bubbles), most
    )


def of_texts(texts: Iterable[str], most: int = KEPT) -> Mask:
    """The mask that keeps the `most` commonest words of these texts; of equally common ones the first by alphabet."""
    counts = Counter(_fold(word) for text in texts for word in _WORD.findall(text))
    return Mask(frozenset(sorted(counts, key=lambda word: (-counts[word], word))[:most]))


def _fold(word: str) -> str:
    return word.casefold().replace("’", "'")


def _shape(letter: str) -> str:
    if letter in "'’≈":
        return letter
    if letter.isdecimal():
        return "0"
    if letter.isalpha():
        return "X" if letter.isupper() else "x"
    return ""

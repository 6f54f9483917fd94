"""Text as the search index holds it: folded, and cut into tokens that every writing system can be searched by.

Knows nothing of databases. Between its tokens stand spaces, in them no ASCII sign but letters and digits, so that
SQLite's `ascii` tokenizer cuts where this module cut, whatever Unicode tables SQLite was built with.

A token is a word where words stand apart; where they do not (Han, kana, Hangul, Thai ...) every sign is one, so that a
phrase of tokens finds any part of a sentence. A symbol, such as an emoji, is a token of its own. Case, width, accents
and the marks that writers of Arabic and Hebrew leave out make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Writing systems without spaces between words, or (Hangul) with endings glued to them.
_APART = (
    range(0x0E00, 0x1000),  # Thai, Lao, Tibetan
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1100, 0x1200),  # Hangul jamo
    range(0x1780, 0x1800),  # Khmer
    range(0x1950, 0x1AB0),  # Tai Le, New Tai Lue, Khmer symbols, Tai Tham
    range(0x2E80, 0xA4D0),  # CJK radicals, kana, bopomofo, Han, Yi
    range(0xA980, 0xA9E0),  # Javanese
    range(0xAC00, 0xD800),  # Hangul syllables
    range(0xF900, 0xFB00),  # CJK compatibility
    range(0x1B000, 0x1B300),  # more kana
    range(0x20000, 0x40000),  # more Han
)
# Marks that make no other letter: accents, niqqud, harakat, what chooses a picture's looks.
_DROPPED = (
    range(0x00AD, 0x00AE),  # soft hyphen
    range(0x0300, 0x0370),
    range(0x0483, 0x048A),
    range(0x0591, 0x05C8),
    range(0x0610, 0x061B),
    range(0x0640, 0x0641),  # tatweel
    range(0x064B, 0x0660),
    range(0x0670, 0x0671),
    range(0x1AB0, 0x1B00),
    range(0x1DC0, 0x1E00),
    range(0x200C, 0x200E),  # joiners
    range(0x20D0, 0x2100),
    range(0xFE00, 0xFE10),  # variation selectors
    range(0x1F3FB, 0x1F400),  # skin tones
    range(0xE0000, 0xE01F0),  # tags, more variation selectors
)
_APOSTROPHES = range(0x02B9, 0x02C0)
# Signs that belong to the one before them although Unicode counts them as letters: jamo, and half-width kana's voicing.
_JOINED = (range(0x1160, 0x1200), range(0xFF9E, 0xFFA0))
_HALF_WIDTH = re.compile("[\uff66-\uff9f]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it stands: `text[start:end]` of what was cut."""

    text: str
    start: int
    end: int


class _Signs(dict[int, str]):
    """What becomes of each sign of a folded text; worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = made = _sign(code)
        return made


_signs = _Signs()


def segment(text: str) -> str:
    """A text's tokens in their order, with spaces between them."""
    if not text.isascii():
        text = _HALF_WIDTH.sub(_full_width, unicodedata.normalize("NFC", text))
    return text.translate(_signs).replace("  ", " ")


def tokens(text: str) -> list[Token]:
    """The tokens of `segment(text)`, each with its place in `text`."""
    found: list[Token] = []
    word, began, ended = "", 0, 0
    for start, end in _clusters(text):
        for sign in _cluster(text[start:end]):
            if sign != " ":
                word, began = word + sign, began if word else start
                ended = end
            elif word:
                found.append(Token(word, began, ended))
                word = ""
    return [*found, Token(word, began, ended)] if word else found


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Each sign with the marks on it, as (start, end): what normalisation may melt into one."""
    start = 0
    for place, sign in enumerate(text):
        if place and not _joins(sign):
            yield start, place
            start = place
    if text:
        yield start, len(text)


@lru_cache(maxsize=10_000)
def _cluster(signs: str) -> str:
    return segment(signs)


@lru_cache(maxsize=10_000)
def _joins(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "M" or _within(ord(sign), _JOINED)


def _full_width(kana: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", kana[0])


def _sign(code: int) -> str:
    """One sign, which may unfold into several: a ligature, a picture of a word."""
    sign = chr(code)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", sign).casefold())
    return _bare(sign) if folded == sign else "".join(_bare(part) for part in folded)


def _bare(sign: str) -> str:
    code, kind = ord(sign), unicodedata.category(sign)
    if _within(code, _DROPPED):
        return ""
    if kind[0] in "PZ" or kind in ("Cc", "Cf", "Cs", "Sk") or code in _APOSTROPHES:
        return " "
    if kind[0] in "SC":
        return f" {sign} " if code > 127 else " "
    if _within(code, _APART):
        return f" {sign} "
    marked = unicodedata.normalize("NFKD", sign)
    return unicodedata.normalize("NFC", "".join(part for part in marked if not _within(ord(part), _DROPPED)))


def _within(code: int, ranges: tuple[range, ...]) -> bool:
    return any(code in part for part in ranges)

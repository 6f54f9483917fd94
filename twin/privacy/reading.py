"""Whether a word that was read after "password" is the secret itself: what ties it, and what it looks like.

Knows nothing of how sentences are walked through; `passwords` does that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from twin.privacy.folding import Folded
from twin.privacy.key_words import Key
from twin.privacy.values import CJK, Shape, classes, counts_something, shape
from twin.privacy.vocabulary import FILLERS, NO_VALUE, SERVICES, is_description


class Link(Enum):
    """How firmly a sentence says that the value comes now."""

    NEXT = 0
    IS = 1
    COLON = 2


@dataclass(slots=True)
class Reading:
    """Where the reader is: what ties the next word to the key word, and what was read since the key word.

    Attributes:
        link: the tie.
        words: how many words are behind.
        broke: a sentence ended since.
        changed: somebody changes something ("поменял на X").
        purpose: the last word was "for", "от" and the like: what comes is what the password is for.
        has_purpose: such a word was read at all.
        went_on: the sentence went on with "and", "but": it says something about the password.
        found: a value was read; only "or", "и" and the like lead to another.
        beside_login: right before the key word stands a login.
        short_form: the key word is "pw" and the like, which are no part of a sentence.
    """

    key: Key
    changed: bool
    beside_login: bool
    short_form: bool
    link: Link = Link.NEXT
    words: int = 0
    broke: bool = False
    purpose: bool = False
    has_purpose: bool = False
    went_on: bool = False
    found: bool = False


_DOOR_CODE = re.compile(r"[#*]?[0-9]{2,5}[a-zA-Zа-яА-Я]{1,2}[0-9]{0,5}[#*]?(?<=.{4})")


def is_value(folded: Folded, value: tuple[int, int], reading: Reading) -> bool:
    """Whether this word is the secret that the key word promised."""
    text = folded.text[slice(*value)]
    if reading.key is Key.door and _DOOR_CODE.fullmatch(text) and not reading.broke:
        return True
    kind = shape(text, named=reading.link is not Link.NEXT or (reading.words == 0 and not reading.broke))
    if kind >= Shape.STRONG:
        return _strong_is_value(folded, value, reading, kind)
    if kind is Shape.DIGITS:
        return _digits_are_value(folded, value, reading)
    return kind is Shape.WORD and _word_is_value(folded, value, reading)


def _strong_is_value(folded: Folded, value: tuple[int, int], reading: Reading, kind: Shape) -> bool:
    text = folded.text[slice(*value)]
    if text.lower() in SERVICES or text.lower() in NO_VALUE:
        return False
    if reading.link is not Link.NEXT or kind is Shape.SURE:
        return True
    if reading.key is Key.door:
        return reading.words <= 2
    if reading.key is Key.short:
        return reading.words == 0 or (reading.words <= 2 and classes(text) > 2)
    if reading.broke and len(text) < 8:
        return False
    if reading.purpose and not reading.changed:  # "пароль от Home_24" is what it is for, unless it ends here
        return is_last(folded, value[1]) and any(map(str.isdecimal, text)) and len(text) >= 7
    return len(text) >= (5 if reading.words else 4)


DATE = re.compile(r"(?:19|20)\d\d-\d\d?-\d\d?|\d\d?[.-]\d\d?[.-](?:19|20)\d\d|\d\d?\.\d\d?\.\d\d")
YEAR = re.compile(r"(?:19|20)\d\d")


def _digits_are_value(folded: Folded, value: tuple[int, int], reading: Reading) -> bool:
    text, after, key = folded.text[slice(*value)], folded.after(value[1], 16), reading.key
    digits = sum(map(str.isdecimal, text))
    if not 3 <= digits <= 14 or counts_something(after) or re.match(r"[.,:/]\d", after):
        return False
    if DATE.fullmatch(text) and key is not Key.door:
        return False
    fewest = 3 if key is Key.door or set(text) & {"#", "*"} else 4
    is_year = bool(YEAR.fullmatch(text)) and key is not Key.pin
    if reading.link is Link.COLON:
        return True
    if reading.link is Link.IS:
        return digits >= fewest and not (is_year and key is Key.short)
    if reading.words == 0:
        return digits >= (3 if key is Key.door else 4)
    if reading.broke or is_year:
        return False
    if reading.has_purpose and reading.words <= 3 and digits >= 4 and _ends(folded, value[1]):
        return True  # "пароль на телефоне 1111", "password for the ipad 1234"
    if key in (Key.pin, Key.door):
        return reading.words <= 4 and digits >= 4
    return reading.words <= (4 if key is Key.word else 1) and digits >= 5


def _word_is_value(folded: Folded, value: tuple[int, int], reading: Reading) -> bool:
    """A word of letters alone is a password only where the sentence leaves no other reading."""
    start, end = value
    text, low, key = folded.text[start:end], folded.low[start:end].rstrip("!"), reading.key
    if len(low) < 4 or low in NO_VALUE or key in (Key.pin, Key.door):
        return False
    is_named = reading.beside_login or (reading.short_form and is_last(folded, end))
    if is_named and reading.words == 0 and not reading.broke:
        return not is_description(low) and _ends(folded, end)
    if low in SERVICES:
        return False
    if start and folded.text[start - 1] in "\"'" and reading.link is not Link.NEXT:
        return True
    foreign = text.isascii() and bool(re.search(rf"[а-я{CJK}]", folded.before(start, 30)))
    if reading.link is Link.COLON:
        return not reading.broke or foreign
    if is_description(low) or key is Key.short or reading.broke or reading.went_on:
        return False
    if key is Key.phrase or foreign:
        return reading.link is Link.IS or (reading.words == 0 and _ends(folded, end))
    return reading.link is Link.IS and text.isascii() and len(low) >= 5 and _ends(folded, end)


def _ends(folded: Folded, end: int) -> bool:
    """Whether the clause is over, or goes on with words that say nothing more about the value."""
    after = folded.after(end, 24)
    word = re.match(r"\s*([^\W\d_]+)", after)
    return word is None or word[1] in FILLERS or bool(re.match(rf"\s*[{CJK}]", after))


def is_last(folded: Folded, end: int) -> bool:
    """Whether nothing but punctuation follows in the message."""
    return not folded.after(end, 40).strip(" .!)")

"""Traits: ten habits of writing that can be seen in any message, each as one of a few values.

Knows nothing of who wrote it, nor of how two people are compared.

Most are of one bubble; the number of bubbles is of a turn. Marks are those of many scripts: `?？؟`, `.。।۔`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

from training.fidelity.material import Bubbles
from twin import laughter as laughs

_EMOJI = re.compile("[\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\u203c\u2049]")
_EMOTICON = re.compile(
    r"(?<!\w)(?:[:;=8xX][-'^o]?[)(\]\[DPpOo/\\|*3]+|[)(]{2,}|<3|\^[_.-]?\^|[-T;][_.][-T;]|xD+)(?!\w)"
)
_QUESTION = re.compile("[?？؟]")
_FULL_STOP = frozenset(".。।۔．")
_DROPPED = re.compile(
    r"(?<![\w'’])(?:dont|cant|wont|didnt|doesnt|isnt|wasnt|arent|werent|couldnt|wouldnt|shouldnt|havent|hasnt|hadnt|aint"
    r"|im|ive|youre|youve|theyre|thats|whats|lets|theres|heres|hes|shes|itll|youll|wheres|hows|whos|yall)(?![\w'’])",
    re.IGNORECASE,
)
_APOSTROPHE = re.compile(r"(?<=\w)(?:(')|’)(?=\w)")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)
_LENGTHS = (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
_BUBBLES = (1, 2, 3, 4, 5, 6, 8, 12)


def length(text: str) -> str:
    """How many characters, in steps of about a half more each."""
    return _step(len(text), _LENGTHS)


def bubbles(reply: Bubbles) -> str:
    """How many bubbles a turn has, one by one up to six; none when there was no reply."""
    return _step(len(reply), _BUBBLES)


def final_character(text: str) -> str:
    """What the message ends with: a letter, a digit, an emoji, or which mark; an ellipsis is a mark of its own."""
    text = text.rstrip()
    last = text[-1:].removesuffix("\ufe0f") or text[-2:-1]
    if not last:
        return "nothing"
    if text.endswith(("..", ". .", "…")):
        return "ellipsis"
    if last in _FULL_STOP:
        return "full stop"
    if _EMOJI.match(last) or "\U0001f3fb" <= last <= "\U0001f3ff":
        return "emoji"
    return "letter" if last.isalpha() else "digit" if last.isdecimal() else unicodedata.normalize("NFKC", last)


def first_letter(text: str) -> str:
    """Whether it begins with a capital; letters of a script without case, digits and signs are a kind each."""
    first = text.lstrip()[:1]
    if first.isalpha():
        return "capital" if first.isupper() else "small" if first.islower() else "without case"
    return "digit" if first.isdecimal() else "sign"


def capitals(text: str) -> str:
    """Whether words of two letters or more are written in capitals: none, some, all."""
    words = [word for word in re.findall(r"[^\W\d_]{2,}", text) if word.upper() != word.lower()]
    loud = sum(word.isupper() for word in words)
    return "none" if not loud else "all" if loud == len(words) else "some"


def emoji(text: str) -> str:
    """How many emoji up to three, or an emoticon."""
    count = len(_EMOJI.findall(text))
    return f"{min(count, 3)} emoji" if count else "emoticon" if _EMOTICON.search(text) else "none"


def laughter(text: str) -> str:
    """Which laughter, by its first letter (h, l, х, 哈 ...), and whether it is long."""
    found = laughs.find(text)
    return f"{found[0].lower()}{' long' if len(found) > 4 else ''}" if found else "none"


def questions(text: str) -> str:
    """None, one or several question marks."""
    return ("none", "one", "several")[min(2, len(_QUESTION.findall(text)))]


def apostrophes(text: str) -> str:
    """Within words: straight, typographic, left out where English has one ("dont"), or none to write."""
    found = _APOSTROPHE.search(text)
    if found:
        return "straight" if found[1] else "typographic"
    return "left out" if _DROPPED.search(text) else "none"


def letter_repetition(text: str) -> str:
    """Whether a letter stands three times in a row or more ("sooo"), laughter aside."""
    return "stretched" if _REPEATED.search(laughs.without(text)) else "none"


OF_BUBBLES: dict[str, Callable[[str], str]] = {
    "message length": length,
    "final character": final_character,
    "first-letter case": first_letter,
    "caps": capitals,
    "emoji": emoji,
    "laughter": laughter,
    "questions": questions,
    "apostrophes": apostrophes,
    "letter repetition": letter_repetition,
}
OF_TURNS: dict[str, Callable[[Bubbles], str]] = {"bubbles per turn": bubbles}


def _step(count: int, steps: tuple[int, ...]) -> str:
    """The step a number falls on, as "4-7"."""
    if count < steps[0]:
        return f"{count}"
    for low, high in pairwise(steps):
        if low <= count < high:
            return f"{low}" if high == low + 1 else f"{low}-{high - 1}"
    return f"{steps[-1]}+"

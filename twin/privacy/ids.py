"""Numbers of national documents: passports, tax and insurance numbers, licences, by check digits, shape and context.

Knows nothing of names; numbers of orders, chats and companies are none of its business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from stdnum.be import nn as be_nn
from stdnum.br import cpf
from stdnum.cz import rc as cz_rc
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.se import personnummer
from stdnum.us import ssn

from twin.privacy.documents import DOCUMENT
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="ID")


def _chinese(number: str) -> bool:
    """The check digit of GB 11643; `stdnum.cn.ric` wants the birthplace listed too, and some people's is not."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10x98765432"[sum(int(d) * w for d, w in zip(number, weights, strict=False)) % 11] == number[17].lower()


def _snils(number: str) -> bool:
    digits = re.sub(r"[^0-9]", "", number)
    total = sum(int(digit) * (9 - place) for place, digit in enumerate(digits[:9])) % 101
    return total % 100 == int(digits[9:])


def _taiwanese(number: str) -> bool:
    """The weighted sum over the letter's two digits and the nine that follow is divisible by ten."""
    letter = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    digits = [letter // 10, letter % 10, *map(int, number[1:])]
    return (
        sum(digit * weight for digit, weight in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0
    )


_L, _R = r"(?<![0-9a-z])(?<![0-9][.\-/])", r"(?![0-9a-z]|[.\-/][0-9])"

# Shapes that need no word beside them, and the check that must hold; None where the shape says it all.
_ALONE: tuple[tuple[re.Pattern[str], Callable[[str], bool] | None], ...] = (
    (
        re.compile(
            _L + r"[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9x]" + _R
        ),
        _chinese,
    ),
    (re.compile(_L + r"[0-9]{3}-[0-9]{3}-[0-9]{3}[ \-][0-9]{2}" + _R), None),  # SNILS
    (re.compile(_L + r"[0-9]{3}-[0-9]{2}-[0-9]{4}" + _R), ssn.is_valid),
    (
        re.compile(
            _L
            + r"(?!bg|gb|nk|kn|tn|nt|zz)[a-ceghj-prstw-z][a-ceghj-npr-tw-z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[a-d]"
            + _R
        ),
        None,
    ),
    (re.compile(_L + r"[a-z]{5}[0-9]{6}[a-z9]{2}[0-9][a-z]{2}" + _R), None),  # UK driving licence
    (re.compile(_L + r"[0-9]{8}-?[a-z]" + _R), dni.is_valid),
    (re.compile(_L + r"[xyz]-?[0-9]{7}-?[a-z]" + _R), nie.is_valid),
    (
        re.compile(_L + r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?(?:[0-9]{2}|2[ab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}" + _R),
        nir.is_valid,
    ),
    (re.compile(_L + r"[a-z]{6}[0-9]{2}[a-ehlmprst][0-9]{2}[a-z][0-9]{3}[a-z]" + _R), codicefiscale.is_valid),
    (re.compile(_L + r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}" + _R), be_nn.is_valid),
    (re.compile(_L + r"[0-9]{6}[+a\-][0-9]{3}[0-9a-y]" + _R), hetu.is_valid),
    (re.compile(_L + r"(?:19|20)?[0-9]{6}[\-+][0-9]{4}" + _R), personnummer.is_valid),
    (re.compile(_L + r"[0-9]{6}/[0-9]{4}" + _R), cz_rc.is_valid),
    (re.compile(_L + r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}" + _R), None),  # Swiss AHV
    (re.compile(_L + r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}" + _R), cpf.is_valid),
    (re.compile(_L + r"[0-9]{6}-[1-4][0-9]{6}" + _R), None),  # Korea
    (re.compile(_L + r"[a-z][12][0-9]{8}" + _R), _taiwanese),
    (re.compile(_L + r"[stfg][0-9]{7}[a-z]" + _R), None),  # Singapore
    (re.compile(_L + r"[a-z]{1,2}[0-9]{6}\([0-9a]\)"), None),  # Hong Kong
)

# Between the word and the number: words that tie, and at most one more ("PESEL mamy", "паспортные данные").
_TIE = (
    r"[\s,.]{0,2}(?:(?:numbers?|num|no|nr|card|id|is|'s|это|мой|моя|expires|код|номер\w?|рф|россии|серии|серия|вид"
    r"|lautet|ist|est|es|è)(?![a-zа-я])|n°|nº|#|№|号码?|號碼?|卡号?|是|为|：|:|=|-|\(itin\)|\(ssn\))"
)
_AFTER = re.compile(rf"(?:{_TIE}){{0,6}}(?:[\s,]{{1,2}}[a-zа-я]{{2,12}}(?=[\s:]))?(?:{_TIE}){{0,4}}[\s:#№.,\-]{{0,3}}")
_COLON = re.compile(r"(?:\s[^\W\d_]{1,14}){1,6}\s?[:：]\s?")  # "passport no for the booking: "
_STRAIGHT = re.compile(rf"(?:{_TIE}){{0,6}}[\s:#№.,\-]{{0,3}}")
_NUMBER = re.compile(
    r"(?P<number>(?:[a-z]{1,3}[ \-]?|[a-z]{4,5}|[а-я]{2}[ \-]?)?[0-9](?:[ \-./№]?[0-9a-zа-я]){4,22}(?:\([0-9a]\))?)"
    r"(?![0-9a-zа-я])"
)
_MIXED = re.compile(r"(?P<number>(?=(?:[a-z]{0,9}[0-9]){3})[a-z0-9]{7,18})(?![0-9a-zа-я])")
_SMALL = re.compile(r"[a-zа-я]{1,3} ")
_DATE = re.compile(r"[0-9]{1,2}[./\-][0-9]{1,2}[./\-][0-9]{2,4}")
_RU_SERIES = re.compile(
    r"сери[яию]\s?:?\s?(?P<first>[0-9]{2}\s?[0-9]{2}|[ivx]{1,5}-?[а-я]{2})[\s,;]{1,3}(?:и\s)?(?:номер|№|n)\s?:?\s?"
    r"(?P<second>[0-9]{6,7})(?![0-9])"
)
_WITH_LETTERS = (
    re.compile(
        r"(?<![a-zа-я0-9])(?P<number>[ivxіх]{1,5}[ \-][а-я]{2}[ №\-]{1,2}[0-9]{6})(?![0-9])"
    ),  # birth certificate
    re.compile(r"военн\w+(?:\sбилет\w*)?[\s:№]{1,3}(?P<number>[а-я]{2}[ №\-]{0,2}[0-9]{6,7})(?![0-9])"),
    re.compile(r"(?P<number>[\u4e00-\u9fff]字第?[0-9]{6,8}号?)"),  # Chinese officers
    re.compile(
        r"(?<![0-9])(?P<number>[0-9]{2} ?[0-9]{2}[ №]{0,2}[0-9]{6})\W{1,3}(?:это\s)?(?:мой\s|её\s|ее\s|его\s)?паспорт"
    ),
)


def find_ids(folded: Folded) -> Iterator[Hit]:
    """Every number of a document, without the word for it."""
    low = folded.low
    if folded.digits < 3:
        return
    for pattern, is_valid in _ALONE:
        for match in pattern.finditer(low):
            if is_valid is None or is_valid(match[0].upper()):
                yield _hit(*match.span(), rank=79 if is_valid is _chinese else 74)
    for match in _RU_SERIES.finditer(low):
        yield _hit(*match.span("first"), rank=75)
        yield _hit(*match.span("second"), rank=75)
    for pattern in _WITH_LETTERS:
        for match in pattern.finditer(low):
            yield _hit(*match.span("number"), rank=75)
    for word in DOCUMENT.finditer(low):
        yield from _beside(folded, word)


_READINGS = ((_STRAIGHT, _NUMBER), (_STRAIGHT, _MIXED), (_AFTER, _NUMBER), (_COLON, _NUMBER), (_COLON, _MIXED))


def _beside(folded: Folded, word: re.Match[str]) -> Iterator[Hit]:
    """The number that follows the word for a document."""
    low, reach = folded.low, word.end() + 90
    for between, number in _READINGS:
        tie = between.match(low, word.end(), reach)
        found = number.match(low, tie.end(), reach) if tie else None
        if found is not None and _SMALL.match(folded.text, found.start()):  # "its 123": a word, and then the number
            found = number.match(low, low.index(" ", found.start()) + 1, reach)
        if found is None:
            continue
        start = found.start()
        written = _document_number(found["number"])
        digits = sum(map(str.isdecimal, written))
        if digits >= (6 if word[0][0] in "псз" else 3 if number is _MIXED else 5) and not _DATE.fullmatch(written):
            yield _hit(start, start + len(written), rank=77 if word[0][0] in "身证證护護снп" else 73)
            return


def _document_number(written: str) -> str:
    """The part of a run of letters, digits and single separators that is one number: words behind it are cut off.

    A letter group longer than two belongs to it only when digits are in the same word.
    """
    words = re.split(r"([ ])", written)
    kept = words[0]
    for gap, word in zip(words[1::2], words[2::2], strict=False):
        letter = len(word) == 1 and word.isascii() and kept[:2].isalpha()
        if not any(map(str.isdecimal, word)) and not letter and not (len(word) <= 2 and len(kept) <= 3):
            break
        kept += gap + word
    return kept.rstrip(" .-/")


def find_snils(folded: Folded) -> Iterator[Hit]:
    """SNILS written without separators, told by its check digits."""
    for match in re.finditer(r"(?<![0-9])[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{2}(?![0-9])", folded.low):
        if " " in match[0] and _snils(match[0]) and match[0][-3] in " -":
            yield _hit(*match.span(), rank=67)

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

_DOCUMENT = re.compile(
    r"""(?x)
    (?<![a-z])(?: pass?ports? | passeport | reisepass(?:nummer)? | personalausweis | ausweis(?:nummer|nr)?
    | pasaporte | passaporto | paszport\w*
      | dow[oó]d\w*(?:\sosobist\w+)? | paspoort | ssn | s\.s\.n\.? | itin | social(?:\ssecurity)?(?:\s(?:number
      |num|no))? | soc\ssec
      | ni(?:no)?(?=\s(?:number|num|no|is|:)|:|\s[a-z]{2}\s?[0-9]) | nino | national\s(?:insurance
      |id)(?:\s(?:number|num|no|card))?
      | (?:driver'?s?|driving)\s(?:licen[cs]e|permit) | licen[cs]e\s(?:number|num|no|\#) | ss\s?(?=\#)
      | my\slicen[cs]e | dl(?:\s?(?:number|num|no|\#|:))? | (?:tax|tin|taxpayer)\s?(?:id|number|no|file\snumber
      |identification\snumber)
      | tin | tfn | utr | nhs(?:\s(?:number|no|num))? | (?:state|government|gov|national
      |photo)\s?id(?:\s(?:number|no|card))? | id(?:entity)?\s?card(?:\s(?:number|no))?
      | my\sid(?:\s(?:number|no|num))? | id\s(?:number|no|num) | visa\s(?:number|no) | green\scard
      | resident\spermit | residence\spermit | medicare(?:\snumber)? | sin(?=\s[0-9]{3}[ \-][0-9]{3})
      | sin\s(?:number|no) | taj(?:-?szám)? | svnr | sv-?nr | fødselsnummer | personnummer | adószám | aadhaa?r
      | pan\s(?:card|number|no)
      | steuer-?\s?(?:id|nummer|nr|identifikationsnummer|identnr) | idnr | sozialversicherungsnummer
      | sv-?nummer | rentenversicherungsnummer | krankenversichertennummer | führerschein(?:nummer)?
      | n[°o]\s?s[eé]cu(?:rité\ssociale)? | numéro\sde\ss[eé]cu(?:rité\ssociale)?(?:\ssociale)?
      | s[eé]cu(?:rité\ssociale)? | nir | carte\s(?:d'identité|vitale) | permis(?:\sde\sconduire)? | numéro\sfiscal
      | dni | nie | nif | nuss | cif | carnet(?:\sde\s(?:identidad|conducir))? | codice\sfiscale | c\.?f\.?
      | carta\sd'identità | patente | tessera\ssanitaria
      | pesel | nip | bsn | burgerservicenummer | rijksregisternummer | personnummer | personnr
      | cpr(?:-?(?:nummer|nr))? | hetu | henkilötunnus | rodné\sčíslo | rč | cnp | egn | oib | amka
      | pps(?:n)?(?:\s(?:number|no))? | ahv | isikukood | asmens\skodas
      | cartão\sde\scidadão | contribuinte | cpf | rg | curp | rfc | rut )(?![a-z])
    | (?<![а-я])(?: загран\w*(?:\sпаспорт\w*)? | паспорт\w* | пасп\.?
    | сери[яию](?:\s(?:и\s)?номер)?(?:\sпаспорта)? | снилс\w* | инн | иин | ипн | рнокпп
    | (?:вод(?:ительск\w+)?\.?\s)?(?:удостоверени\w+|права?(?=[\s:]\s?[0-9]{2})|права) | водительск\w+
      | в/у | ву(?![а-я]) | полис\w*(?:\sомс)? | омс | енп | свидетельств\w+(?:\sо\s[а-я]+)? | военн?ик
      | военн\w+\sбилет\w* | внж | рвп | айди\sкарт\w+ | id-?карт\w+ | карт\w+\sгражданина
      | ідентифікаційн\w+ )(?![а-я])
    | (?<![а-яіїєґ])(?:іпн|рнокпп|єдрпоу)(?![а-яіїєґ]) | егн | αμκα | αφμ | 주민(?:등록)?번호 | マイナンバー
    | 身份证 | 身份證 | 身分證 | 身分证 | 证件 | 證件 | 护照 | 護照 | 通行证 | 通行證 | 台胞证
    | 回乡证 | 军官证 | 驾照 | 驾驶证 | 行驶证 | 社保 | 医保 | 居住证
    | 学生证号 | 社会保障 | 户口本号?
    """
)
# The number after the word: a few words of linking between, then something with at least five digits.
_LINK = (
    r"(?:\s?(?:(?:numbers?|num|no|nr|card|id|is|'s|это|мой|моя|expires|код|номер\w?|рф|россии|серии|серия|вид"
    r"|lautet|ist|est|es|è)(?![a-zа-я])|n°|nº|#|№|—|号码?|號碼?|卡号?|是|为|：|:|=|-|\(itin\)|\(ssn\)))*"
)
_NUMBER = re.compile(
    _LINK.replace(r"\s?", r"[\s,.]{0,2}")
    + (
        r"[\s:#№.,\-]{0,3}(?P<number>(?:[a-zа-я]{1,5}[ \-]{0,1})?[0-9](?:[ \-./]{0,1}[0-9a-zа-я]){4,22}(?:\([0-9a]"
        r"\))?)(?![0-9a-zа-я])"
    )
)
_RU_SERIES = re.compile(
    r"сери[яию]\s?:?\s?(?P<first>[0-9]{2}\s?[0-9]{2}|[ivx]{1,5}-?[а-я]{2})[\s,;]{1,3}(?:и\s)?(?:номер|№"
    r"|n)\s?:?\s?(?P<second>[0-9]{6,7})(?![0-9])"
)
_CERTIFICATE = re.compile(r"(?<![a-zа-я0-9])(?P<number>[ivxіх]{1,5}[ \-][а-я]{2}[ №\-]{1,2}[0-9]{6})(?![0-9])")
_MILITARY = re.compile(r"военн\w+(?:\sбилет\w*)?[\s:№]{1,3}(?P<number>[а-я]{2}[ №\-]{0,2}[0-9]{6,7})(?![0-9])")
_PARTS = re.compile(r"[a-zа-я]+|[0-9]+")
_LETTERS_ALLOWED = re.compile(r"[a-z]{0,9}|[а-я]{0,2}|[ivx]{1,5}[а-я]{2}")


def find_ids(folded: Folded) -> Iterator[Hit]:
    """Every number of a document, without the word for it."""
    low = folded.low
    if folded.digits < 4:
        return
    for pattern, is_valid in _ALONE:
        for match in pattern.finditer(low):
            if is_valid is None or is_valid(match[0].upper()):
                yield _hit(*match.span(), rank=79 if is_valid is _chinese else 74)
    for match in _RU_SERIES.finditer(low):
        yield _hit(*match.span("first"), rank=75)
        yield _hit(*match.span("second"), rank=75)
    for pattern in (_CERTIFICATE, _MILITARY):
        for match in pattern.finditer(low):
            yield _hit(*match.span("number"), rank=75)
    for word in _DOCUMENT.finditer(low):
        yield from _beside(low, word)


def _beside(low: str, word: re.Match[str]) -> Iterator[Hit]:
    """The number that follows the word for a document."""
    found = _NUMBER.match(low, word.end(), word.end() + 90)
    if found is None:
        return
    start, end = found.span("number")
    end = start + len(_document_number(low[start:end]))
    digits = sum(map(str.isdecimal, low[start:end]))
    if digits >= (6 if word[0][0] in "псз" else 5) and not re.fullmatch(
        r"[0-9]{1,2}[./\-][0-9]{1,2}[./\-][0-9]{2,4}", low[start:end]
    ):
        yield _hit(start, end, rank=77 if word[0][0] in "身证證护護снп" else 73)


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


_PLAIN_SNILS = re.compile(r"снилс\W{1,3}(?P<number>[0-9]{11})(?![0-9])")


def find_snils(folded: Folded) -> Iterator[Hit]:
    """SNILS written without separators, told by its check digits."""
    for match in re.finditer(r"(?<![0-9])[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{2}(?![0-9])", folded.low):
        if " " in match[0] and _snils(match[0]) and match[0][-3] in " -":
            yield _hit(*match.span(), rank=67)

"""Bank accounts: IBANs by the registry's structure and check digits, national account numbers beside a word for them.

Knows nothing of cards and amounts; banks' own numbers (BIC, БИК, BLZ) are no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial

from stdnum import iban, numdb

from twin.privacy.clues import latin, one_of
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="IBAN")

_IBAN = re.compile(r"(?<![a-z0-9])(?P<country>[a-z]{2})(?=\s?[0-9]{2}[ \-]?[a-z0-9])")
_IBAN_WORD = re.compile(
    one_of(
        "iban ибан сч[её]т 账户 konto compte cuenta conto rachunek",
    )
)

_DIGITS = r"[0-9](?:[ \-]?[0-9])"  # how many more follows
_NUMBER = r"(?:\s?(?:number|num|no|nr|#|№))?\.?"
_RU_WORDS = one_of(
    r"р/?\s?с(?:ч[её]т)? расч[её]тн\w+\sсч[её]т\w* л/с лицев\w+\sсч[её]т\w*",
    r"сч[её]т\w?(?:\s(?:для|получател\w+|перевода|карты|в|номер|номер:|сбер\w*|банк\w*|втб|тинькофф)){0,3}",
)
_EU_WORDS = latin(
    r"konto(?:nummer|nr)? kontonr numer\skonta konta rachun\w+ compte rib cuenta ccc conto(?:\scorrente)? čísl"
    r"o\súčtu účet účtu",
    r"rekening\w* número\sde\sconta nib",
)
_NATIONAL = (
    # Britain, America, Australia, Mexico
    re.compile(
        rf"{latin('accounts?', 'accnt', 'acct?', 'a/c')}\.?{_NUMBER}\s?(?:\((?:checking|savings)\)\s?)?(?:is\b|:|#"
        r"|=|-)?\s?"
        rf"(?P<number>{_DIGITS}{{5,16}})(?![0-9])(?!\s?(?:followers|users|subs|people))"
    ),
    re.compile(
        r"(?<![a-z])sort(?:\s?codes?)?\W{1,3}(?:is\s)?(?P<number>[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2})(?![0-9])"
    ),
    re.compile(rf"(?<![a-z])(?:routing|aba|rtn){_NUMBER}\W{{1,3}}(?:is\s)?(?P<number>[0-9]{{9}})(?![0-9])"),
    re.compile(r"(?<![a-z])bsb\W{0,3}(?P<number>[0-9]{3}[ \-]?[0-9]{3})(?![0-9])"),
    re.compile(r"(?<![a-z])clabe\W{1,3}(?P<number>[0-9]{18})(?![0-9])"),
    # Russia
    re.compile(rf"(?<![а-я])(?:{_RU_WORDS})[\s:№#\-]{{1,4}}(?P<number>[0-9](?:[ .]?[0-9]){{15,21}})(?![0-9])"),
    re.compile(r"(?<![а-я])(?:л/с|лицев\w+\sсч[её]т\w*)[\s:№#\-]{1,4}(?P<number>[0-9]{8,15})(?![0-9])"),
    # the continent; Czech and Slovak numbers end in the bank's code
    re.compile(
        rf"{_EU_WORDS}[\s.:#\-]{{1,4}}(?:nr\.?\s|no\.?\s|n°\s)?(?P<number>{_DIGITS}{{6,27}}(?:/[0-9]{{4}})?)(?![0-9])"
    ),
    re.compile(
        r"(?<![0-9])(?P<number>(?:[0-9]{1,6}-)?[0-9]{6,10}/(?:0[1-9]00|2[0-9]{3}|3030|5500|6[0-9]{3}))(?![0-9])"
    ),
)
# Twenty digits that begin with the chart of accounts' code of people's or firms' money: no word is needed.
_RUSSIAN = re.compile(r"(?<![0-9a-z])(?P<number>(?:40[5-8]|42[0-6]|455)(?:[ .\-]?[0-9]){17})(?![0-9])")
_CHINESE = re.compile(
    r"(?:账号|帐号|账户|帐户|帳號|帳戶|户口|收款账?号?|对公)(?:[:：是为\s]|号码|是:|号){0,4}"
    r"(?P<number>[0-9](?:[ \-]?[0-9]){8,23})(?![0-9])"
)
_CHINESE_BANK = re.compile(
    one_of(
        "银行 工行 农行 中行 建行 招行 交行 邮储 信用社 公司 对公 开户 汇 转账 招商 工商 建设 农业 民生 浦发 中信",
        "光大 收款 账户 帳戶 户口",
    )
)


def find_accounts(folded: Folded) -> Iterator[Hit]:
    """IBANs of every country of the registry, and national account numbers beside a word for them."""
    low = folded.low
    for match in _IBAN.finditer(low):
        structure = _structure(match["country"])
        found = structure.match(low, match.start()) if structure else None
        if found is None:
            continue
        named = bool(_IBAN_WORD.search(folded.before(match.start(), 30)))
        if iban.is_valid(found[0], check_country=False) or named:
            yield _hit(*found.span(), rank=78)
    for match in _RUSSIAN.finditer(low):
        yield _hit(*match.span("number"), rank=79)
    for pattern in _NATIONAL:
        for match in pattern.finditer(low):
            yield _hit(*match.span("number"), rank=73)
    for match in _CHINESE.finditer(low):
        if _CHINESE_BANK.search(low) or sum(map(str.isdecimal, match["number"])) >= 16:
            yield _hit(*match.span("number"), rank=69)


@cache
def _structure(country: str) -> re.Pattern[str] | None:
    """How an IBAN of a country is built, in lower case, with single spaces or dashes between any characters."""
    entry = numdb.get("iban").info(country.upper() + "00")[0][1]
    if not entry or "bban" not in entry:
        return None
    kinds = {"n": "[0-9]", "a": "[a-z]", "c": "[a-z0-9]"}
    parts = [(kinds[kind], int(size)) for size, kind in re.findall(r"([0-9]+)!([nac])", entry["bban"])]
    body = "".join(f"(?:[ \\-]?{kind}){{{size}}}" for kind, size in parts)
    return re.compile(rf"{country}\s?[0-9]{{2}}{body}(?![a-z0-9])")

"""Cards and bank accounts: Luhn and the networks' prefixes, the registry of IBANs, national numbers by context.

Knows nothing of amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial

from stdnum import iban, luhn, numdb

from twin.privacy.folding import Folded
from twin.privacy.numbers import is_reference
from twin.privacy.spans import Hit

_card = partial(Hit, label="CARD")
_account = partial(Hit, label="IBAN")

_RUN = re.compile(r"(?<![0-9a-z_])(?<![0-9][.,:/])[0-9]+(?:[ .\-]{1,2}[0-9]+)*(?![0-9])")
_GROUP = re.compile(r"[0-9]+")
# ISO/IEC 7812 prefixes and lengths of Visa, Mastercard, Mir, Amex, Discover, UnionPay, JCB, Diners, Maestro,
# Troy, Uzcard, Humo, RuPay.
_NETWORKS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]"
    r"|720)[0-9]{12}|220[0-4][0-9]{12,15}"
    r"|3[47][0-9]{13}|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}|62[0-9]{14,17}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"
    r"|(?:5[0678]|6[0-9])[0-9]{14}|6[0-9]{17,18}|9792[0-9]{12}|8600[0-9]{12}|9860[0-9]{12}|8[12][0-9]{14}"
)
_CARD_WORDS = re.compile(
    r"(?<![a-z])(?:cards?|visa|master ?card|mc|amex|debit|credit|maestro|unionpay|kreditkarte|carte|tarjeta"
    r"|carta|kart[aęy])(?![a-z])"
    r"|карт[аеуыо]|сбер|тинь|тинек|альфа|втб|райф|озон банк|мир(?![а-я])|виза|卡号|卡號|银行卡|信用卡|储蓄卡"
    r"|借记卡|这张"
    r"|[建招农工中交浦]行|银行|打到|打我|卡[:：]?\s?$|卡$"
)
_ACCOUNT_WORD = re.compile(r"(?:账[号户]|帐[号户]|对公)\W{0,3}(?:[是为])?\W{0,2}$")
_CVV = re.compile(
    r"(?:cvv2?|cvc2?|cvn2?|cid|цвв|цвц|свв|свс|свк|(?:код|цифры|три цифры|3 цифры)\s(?:с\s)?(?:обратной стороны"
    r"|на обороте|сзади|с оборота|безопасности)(?:\sкарты)?"
    r"|(?:security code|three digits|3 digits|code)(?:\s(?:is|on|at|the|of|my|card|back)){2,6}|安全码|后三位"
    r"|背面三位|卡背后?)"
    r"[\s:=\-(]{0,3}(?:(?:код|code|is|это|на карте|карты|number|是"
    r"|为)[\s:=\-]{0,2}){0,2}(?P<code>[0-9]{3,4})(?![0-9])(?!\s?(?:строк|руб|lines))"
)
_SECURITY = re.compile(r"security code\W{1,3}(?:is\s)?(?P<code>[0-9]{3})(?![0-9])")
_AT_THE_END = re.compile(r"[\s,;/]{1,3}(?P<code>[0-9]{3})\s*$")
_AFTER_EXPIRY = re.compile(
    r"[\s,;]{1,3}(?:exp\w*\.?:?\s|срок\s|до\s|valid\s(?:thru|until)\s|有效期)?(?:0[1-9]"
    r"|1[0-2])\s?/\s?(?:20)?[2-4][0-9][\s,;/]{1,3}(?:(?:код|code|csc|cv\w{1,2})[\s:]{1,2})?(?P<code>[0-9]{3})(?![0-9])"
)


def find_cards(folded: Folded) -> Iterator[Hit]:
    """Card numbers (with Luhn's check, or without it beside a word for cards) and the three digits on their backs."""
    if folded.digits >= 13:
        for run in _RUN.finditer(folded.low):
            for start, end, rank in _cards_of(folded, run):
                yield _card(start, end, rank=rank)
                behind = _AFTER_EXPIRY.match(folded.low, end) or _AT_THE_END.match(folded.low, end)
                if behind:
                    yield _card(*behind.span("code"), rank=70)
    for pattern in (_CVV, _SECURITY):
        for match in pattern.finditer(folded.low):
            yield _card(*match.span("code"), rank=74)


def _cards_of(folded: Folded, run: re.Match[str]) -> Iterator[tuple[int, int, int]]:
    """The groups of a run of digits that make a card number: (start, end, rank)."""
    groups = [match.span() for match in _GROUP.finditer(folded.low, *run.span())]
    first = 0
    while first < len(groups):
        taken = 0
        for last in range(min(first + 9, len(groups)) - 1, first - 1, -1):
            start, end = groups[first][0], groups[last][1]
            rank = _card_rank(folded, start, end, [b - a for a, b in groups[first : last + 1]])
            if rank:
                yield start, end, rank
                taken = last + 1 - first
                break
        first += taken or 1


def _card_rank(folded: Folded, start: int, end: int, groups: list[int]) -> int:
    if not 13 <= sum(groups) <= 19 or (len(groups) > 1 and groups[0] < 4) or any(size < 2 for size in groups):
        return 0
    digits = re.sub(r"[^0-9]", "", folded.low[start:end])
    before = folded.before(start, 40)
    named = bool(_CARD_WORDS.search(before))
    if len(set(digits)) < 2:
        return 0
    if not _NETWORKS.fullmatch(digits):
        return 71 if named and groups == [4, 4, 4, 4] else 0
    if luhn.is_valid(digits):
        if is_reference(before) and not named:
            return 0
        return 68 if _ACCOUNT_WORD.search(before) and not digits.startswith("62") else 76
    fours = len(groups) >= 4 and all(size == 4 for size in groups[:-1])
    return 71 if named and len(digits) in (15, 16, 18, 19) and (fours or len(groups) == 1) else 0


_IBAN = re.compile(r"(?<![a-z0-9])(?P<country>[a-z]{2})(?=\s?[0-9]{2}[ \-]?[a-z0-9])")
_IBAN_WORD = re.compile(r"iban|ибан|счет|счёт|账户|konto|compte|cuenta|conto|rachunek")


def find_accounts(folded: Folded) -> Iterator[Hit]:
    """IBANs of every country of the registry, and national account numbers beside a word for them."""
    low = folded.low
    if folded.digits >= 5:
        for match in _IBAN.finditer(low):
            structure = _structure(match["country"])
            found = structure.match(low, match.start()) if structure else None
            if found is None:
                continue
            named = bool(_IBAN_WORD.search(folded.before(match.start(), 30)))
            if iban.is_valid(found[0], check_country=False) or named:
                yield _account(*found.span(), rank=78)
    for pattern in _NATIONAL:
        for match in pattern.finditer(low):
            yield _account(*match.span("number"), rank=79 if pattern is _RU_ACCOUNT else 73)
    for match in _CHINESE_ACCOUNT.finditer(low):
        if _CHINESE_BANK.search(low) or sum(map(str.isdecimal, match["number"])) >= 16:
            yield _account(*match.span("number"), rank=69)


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


_SEPARATED = r"[0-9](?:[ \-]?[0-9])"
_RU_ACCOUNT = re.compile(r"(?<![0-9a-z])(?P<number>(?:40[5-8]|42[0-6]|455)(?:[ .\-]?[0-9]){17})(?![0-9])")
_NATIONAL = (
    _RU_ACCOUNT,
    re.compile(
        (
            r"(?<![a-z])(?:accounts?|accnt|acct?|a/c)(?![a-z])\.?\s?(?:number|num|no|nr|#|№)?\.?\s?(?:\((?:checking"
            r"|savings)\)\s?)?(?:is\b|:|#|=|-)?\s?(?P<number>"
        )
        + _SEPARATED
        + r"{5,16})(?![0-9])(?!\s?(?:followers|users|subs|people))"
    ),
    re.compile(
        r"(?<![a-z])sort(?:\s?codes?)?\W{1,3}(?:is\s)?(?P<number>[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2})(?![0-9])"
    ),
    re.compile(
        r"(?<![a-z])(?:routing|aba|rtn)(?:\s?(?:number|num|no|#))?\W{1,3}(?:is\s)?(?P<number>[0-9]{9})(?![0-9])"
    ),
    re.compile(r"(?<![a-z])bsb\W{0,3}(?P<number>[0-9]{3}[ \-]?[0-9]{3})(?![0-9])"),
    re.compile(r"(?<![a-z])clabe\W{1,3}(?P<number>[0-9]{18})(?![0-9])"),
    re.compile(
        r"(?<![а-я])(?:р/?\s?с(?:ч[её]т)?|расч[её]тн\w+\sсч[её]т\w*|л/с|лицев\w+\sсч[её]т\w*"
        r"|сч[её]т\w?(?:\s(?:для|получател\w+|перевода|карты|в|номер|номер:|сбер\w*|банк\w*|втб"
        r"|тинькофф)){0,3})[\s:№#\-]{1,4}(?P<number>[0-9](?:[ .]?[0-9]){15,21})(?![0-9])"
    ),
    re.compile(r"(?<![а-я])(?:л/с|лицев\w+\sсч[её]т\w*)[\s:№#\-]{1,4}(?P<number>[0-9]{8,15})(?![0-9])"),
    re.compile(
        (
            r"(?<![a-z])(?:konto(?:nummer|nr)?|kontonr|numer\skonta|konta|rachun\w+|compte|rib|cuenta|ccc"
            r"|conto(?:\scorrente)?|číslo\súčtu|účet|účtu|rekening\w*|número\sde\sconta"
            r"|nib)(?![a-z])[\s.:#\-]{1,4}(?:nr\.?\s|no\.?\s|n°\s)?(?P<number>"
        )
        + _SEPARATED
        + r"{6,27}(?:/[0-9]{4})?)(?![0-9])"
    ),
    re.compile(
        r"(?<![0-9])(?P<number>(?:[0-9]{1,6}-)?[0-9]{6,10}/(?:0[1-9]00|2[0-9]{3}|3030|5500|6[0-9]{3}))(?![0-9])"
    ),
)
_CHINESE_BANK = re.compile(
    r"银行|工行|农行|中行|建行|招行|交行|邮储|信用社|公司|对公|开户|汇|转账|招商|工商|建设|农业|民生|浦发"
    r"|中信|光大|收款|账户|帳戶|户口"
)
_CHINESE_ACCOUNT = re.compile(
    r"(?:账号|帐号|账户|帐户|帳號|帳戶|户口|收款账?号?|对公)(?:[:：是为\s]|号码|是:"
    r"|号){0,4}(?P<number>[0-9](?:[ \-]?[0-9]){8,23})(?!"
    r"[0-9])"
)

"""Payment cards: the networks' prefixes and Luhn's check, or a word for a card; and the codes on their backs.

Knows nothing of bank accounts and amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from stdnum import luhn

from twin.privacy.clues import latin, one_of
from twin.privacy.folding import Folded
from twin.privacy.numbers import is_reference
from twin.privacy.spans import Hit

_hit = partial(Hit, label="CARD")

_RUN = re.compile(r"(?<![0-9a-z_])(?<![0-9][.,:/])[0-9]+(?:[ .\-]{1,2}[0-9]+)*(?![0-9])")
_GROUP = re.compile(r"[0-9]+")
# Prefixes and lengths after ISO/IEC 7812.
_NETWORKS = re.compile(
    one_of(
        # Visa, Mastercard, Mir, American Express, Discover, UnionPay
        "4(?:[0-9]{12}|[0-9]{15}|[0-9]{18}) 5[1-5][0-9]{14}",
        "2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12} 220[0-4][0-9]{12,15} 3[47][0-9]{13}",
        "6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12} 62[0-9]{14,17}",
        # JCB, Diners Club, Maestro, Troy, Uzcard, Humo, RuPay
        "35(?:2[89]|[3-8][0-9])[0-9]{12} 3(?:0[0-5]|[689][0-9])[0-9]{11} (?:5[0678]|6[0-9])[0-9]{14} 6[0-9]{17,18}",
        "9792[0-9]{12} 8600[0-9]{12} 9860[0-9]{12} 8[12][0-9]{14}",
    )
)
_CARD_WORDS = re.compile(
    "|".join(
        (
            latin(
                r"cards? visa master\s?card mc amex debit credit maestro unionpay kreditkarte carte tarjeta carta kart"
                r"[aęy]"
            ),
            one_of(
                r"карт[аеуыо] сбер тинь тинек альфа втб райф озон\sбанк мир(?![а-я]) виза",
            ),
            one_of(
                "卡号 卡號 银行卡 信用卡 储蓄卡 借记卡 这张 [建招农工中交浦]行 银行 打到 打我",
            ),
            r"卡[:：]?\s?$",
        )
    )
)
_ACCOUNT_WORD = re.compile(r"(?:账[号户]|帐[号户]|对公)\W{0,3}[是为]?\W{0,2}$")
_CVV = re.compile(
    "(?:"
    + one_of(
        "cvv2? cvc2? cvn2? cid цвв цвц свв свс свк 安全码 后三位 背面三位 卡背后?",
        r"(?:код|(?:три\s|3\s)?цифры)\s(?:с\s)?(?:обратной\sстороны|на\sобороте|сзади|с\sоборота|безопасности)(?:\sкарты)?",
        r"(?:security\scode|three\sdigits|3\sdigits|code)(?:\s(?:is|on|at|the|of|my|card|back)){2,6}",
    )
    + r")[\s:=\-(]{0,3}(?:(?:код|code|is|это|на карте|карты|number|是|为)[\s:=\-]{0,2}){0,2}"
    r"(?P<code>[0-9]{3,4})(?![0-9])(?!\s?(?:строк|руб|lines))"
)
_SECURITY_CODE = re.compile(r"security code\W{1,3}(?:is\s)?(?P<code>[0-9]{3})(?![0-9])")
# Right behind a card: "exp 09/27 123", "09/27, cvv 123", "123" as the last thing.
_BEHIND = (
    re.compile(
        r"[\s,;]{1,3}(?:exp\w*\.?:?\s|срок\s|до\s|valid\s(?:thru|until)\s|有效期)?(?:0[1-9]"
        r"|1[0-2])\s?/\s?(?:20)?[2-4][0-9]"
        r"[\s,;/]{1,3}(?:(?:код|code|csc|cv\w{1,2})[\s:]{1,2})?(?P<code>[0-9]{3})(?![0-9])"
    ),
    re.compile(r"[\s,;/]{1,3}(?P<code>[0-9]{3})\s*$"),
)


def find_cards(folded: Folded) -> Iterator[Hit]:
    """Card numbers (with Luhn's check, or without it beside a word for cards) and the three digits on their backs."""
    low = folded.low
    if folded.digits >= 13:
        for run in _RUN.finditer(low):
            for start, end, rank in _cards_of(folded, run):
                yield _hit(start, end, rank=rank)
                behind = _BEHIND[0].match(low, end) or _BEHIND[1].match(low, end)
                if behind:
                    yield _hit(*behind.span("code"), rank=70)
    for pattern in (_CVV, _SECURITY_CODE):
        for match in pattern.finditer(low):
            yield _hit(*match.span("code"), rank=74)


def _cards_of(folded: Folded, run: re.Match[str]) -> Iterator[tuple[int, int, int]]:
    """The groups of a run of digits that make a card number: (start, end, rank); none is used twice."""
    groups = [match.span() for match in _GROUP.finditer(folded.low, *run.span())]
    first = 0
    while first < len(groups):
        longest = min(first + 9, len(groups))
        for last in range(longest, first, -1):
            start, end = groups[first][0], groups[last - 1][1]
            rank = _rank(folded, start, end, [stop - begin for begin, stop in groups[first:last]])
            if rank:
                yield start, end, rank
                first = last - 1
                break
        first += 1


def _rank(folded: Folded, start: int, end: int, groups: list[int]) -> int:
    """How sure groups of digits are a card number; 0 when they are none.

    Args:
        groups: how many digits each has.
    """
    if not 13 <= sum(groups) <= 19 or (len(groups) > 1 and groups[0] < 4) or min(groups) < 2:
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

"""Telephone numbers in the shapes of many countries, with `phonenumbers` as the judge where a shape says too little.

Knows nothing of cards and accounts; a longer number that is one of those outranks what is found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial

import phonenumbers

from twin.privacy.clues import one_of, word_set
from twin.privacy.folding import Folded
from twin.privacy.numbers import is_reference
from twin.privacy.spans import Hit
from twin.privacy.values import counts_something

_hit = partial(Hit, label="PHONE")

_CANDIDATE = re.compile(
    r"(?<![a-z0-9_@#$€£¥₽%=])(?<![0-9][.,:/\-])(?<!\s-)(?<!^-)"
    r"(?:\+\s?|00)?\(?\+?[0-9](?:[ ()./\-]{0,3}[0-9]){6,16}(?![0-9])"
)
_EXTENSION = re.compile(
    r"[\s,;]{0,3}(?:ext\.?|extension|x|доб\.?|добавочный|вн\.?|转|轉|分机|durchwahl|poste|#)\s?[0-9]{1,5}(?![0-9])"
)
_DATES = re.compile(
    r"[0-9]{1,2}[./\-][0-9]{1,2}[./\-](?:[0-9]{4}|[0-9]{2})(?![0-9])|[0-9]{4}[./\-][0-9]{1,2}[./\-][0-9]{1,2}(?![0-9])"
    r"|(?:19|20)[0-9]{2}\s?[-/]\s?(?:19|20)[0-9]{2}(?![0-9])"
)
_DOTTED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![.0-9])")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[ .][0-9]{3}){2,}")

# Words that ask for, or announce, a number to call.
_ENGLISH_BEFORE = one_of(
    r"call phone fone cell mobile mob(?![a-z]) tele?(?![a-z]) telephone text txt sms ring dial whats?\s?app",
    r"wa\.me watsap wsp viber signal imessage facetime contact reach\s(?:me|him|her|us) gsm(?![a-z]) hotline",
    r"(?:my|new|his|her|their|our|your|ur|the|'s|work|home|old|office)\s(?:number|num|no|nr|#)(?![a-z])",
    r"(?:^|[^a-z])numbers?(?:'s|\sis|:|\s?-)",
    # German, French, Spanish, Italian, Polish, Finnish
    r"handy rufnummer (?:meine|neue)\snummer anrufen portable téléphone numéro m[óo]vil tel[ée]fono celular",
    r"cellulare numero(?:\sdi)? komórk telefon zadzwoń puhelin",
)
_RUSSIAN_BEFORE = one_of(
    "тел(?![а-я]) телеф тлф моб(?![а-я]) мобил звон набер набир дозвон маякн номер ватс?ап вотсап вацап вайбер",
    r"смс сбп сбер(?![а-я]) городск трубк сотов телег переведи\sна кинь\sна контакт связ",
)
_CHINESE_BEFORE = one_of(
    "电话 電話 手机 手機 座机 号码 號碼 打 联系 聯絡 致电 热线 客服 拨 微信 vx 手机号 传真 whatsapp",
)
_BEFORE = re.compile(
    rf"(?<![a-z])(?:{_ENGLISH_BEFORE})[^0-9]{{0,22}}$|(?:{_RUSSIAN_BEFORE})[^0-9]{{0,24}}$"
    rf"|(?:{_CHINESE_BEFORE})[^0-9]{{0,12}}$"
)
_OF_SOMETHING_ELSE = re.compile(
    (
        r"[а-я]-номер|номер\w?\s(?:заказ|карт|сч[её]т|рейс|договор|брон|трек|паспорт|дел|заявк|полис|снилс|инн"
        r"|квитанц|накладн)|(?:"
    )
    + one_of(
        "order card account case ticket invoice model serial id passport room policy flight reference ref booking",
        "confirmation tracking member customer",
    )
    + r") (?:number|num|no)(?![a-z])"
)
_AFTER = re.compile(
    r"[\s\-,.;:)(]{0,4}(?:(?:is|thats|that's|its|это|мой|my|the|new|her|his|our|mom's|на|на\sнего|for)\s){0,3}(?:"
    + one_of(
        "(?:cell|number|mobile|phone|whatsapp|work|office|landline|call|text|ring|mine)(?![a-z]) мой(?![а-я]) мамин",
        "папин тел номер рабоч домашн мобил звон набер ватсап горяч маме?(?![а-я]) сбп сбер 电话 手机 打给 联系",
        "号码 我的?号",
    )
    + ")"
)
# Mobile shapes that hardly anything else has: Russia and Kazakhstan, China, the United Kingdom, Germany, France.
_MOBILE = re.compile(
    r"[78]9[0-9]{9}|8[78]0[0-9]{8}|80(?:25|29|33|44)[0-9]{7}|77[0-9]{9}|(?:86)?1[3-9][0-9]{9}|07[1-9][0-9]{8}"
    r"|01[567][0-9]{8,9}|0[67][0-9]{8}|04[0-9]{8}|05[0-9]{9}"
)
# Countries whose national numbers begin with 0, and which a number without context may be of.
_REGIONS = sorted(
    word_set(
        "CN DE FR GB IT NL UA TR AU PL AT CH BE SE JP KR IL IN BR TW IE ZA",
    )
)


def find_phones(folded: Folded) -> Iterator[Hit]:
    """Every number that somebody could call, with its country code, brackets and extension."""
    if folded.digits >= 7:
        for match in _CANDIDATE.finditer(folded.low):
            start, end = match.span()
            rank = _rank(folded, start, end)
            if rank:
                extension = _EXTENSION.match(folded.low, end)
                yield _hit(start, extension.end() if extension else end, rank=rank)
    yield from _spoken(folded)


def _rank(folded: Folded, start: int, end: int) -> int:
    """How sure a run of digits is a telephone number; 0 when it is none."""
    written = folded.low[start:end]
    digits = re.sub(r"[^0-9]", "", written)
    before = folded.before(start, 40)
    if _DATES.match(written) or _DOTTED.match(written):
        return 0
    asked = _is_asked_for(folded, before, end)
    if "+" in written:
        return 72 if _is_possible("+" + digits) else 0
    if is_reference(before) and not asked:
        return 0
    if counts_something(folded.after(end, 16)) and not asked and not _EXTENSION.match(folded.low, end):
        return 0
    if digits.startswith("00") and 11 <= len(digits) <= 17:
        return 66 if _is_possible("+" + digits[2:]) and (asked or len(written) > len(digits)) else 0
    if _looks_like_one(digits, written):
        return 66
    if asked and 7 <= len(digits) <= 12:
        return 64
    return 0


def _is_asked_for(folded: Folded, before: str, end: int) -> bool:
    if _OF_SOMETHING_ELSE.search(before):
        return False
    return bool(_BEFORE.search(before)) or bool(_AFTER.match(folded.after(end, 40)))


def _looks_like_one(digits: str, written: str) -> bool:
    """Whether the grouping and the leading digits alone make a number callable."""
    grouped = len(written) > len(digits)
    if _MOBILE.fullmatch(digits):
        return not (grouped and _THOUSANDS.fullmatch(written) and digits[0] != "0") or digits[:2] in ("79", "89")
    if not grouped:
        return len(digits) in (10, 11) and digits[0] == "0" and digits[1] != "0" and _is_valid_somewhere(digits)
    groups = [len(group) for group in re.findall(r"[0-9]+", written)]
    if len(digits) == 11 and digits[0] in "78" and digits[1] in "3489" and groups[-1] <= 7:
        return groups[0] in (1, 4) and not _THOUSANDS.fullmatch(written)
    if len(digits) == 10 and groups in ([3, 3, 4], [3, 7]) and re.fullmatch(r"[2-9][0-9]{2}[2-9][0-9]{6}", digits):
        return True
    if groups[-3:] == [3, 3, 4] and digits[:-10] in ("1", "001"):
        return True
    if len(digits) == 10 and groups in ([3, 3, 2, 2], [3, 3, 4]) and (digits[0] == "9" or "(" in written):
        return True
    if re.fullmatch(r"400[0-9]{7}", digits) and groups in ([3, 3, 4], [3, 4, 3]):
        return True
    if digits[0] == "0" and 9 <= len(digits) <= 12 and groups[0] >= 2:
        return _is_chinese_landline(digits, groups) or _is_valid_somewhere(digits)
    return False


def _is_chinese_landline(digits: str, groups: list[int]) -> bool:
    return len(groups) == 2 and groups[0] in (3, 4) and groups[1] in (7, 8)


@lru_cache(maxsize=4096)
def _is_possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


@lru_cache(maxsize=4096)
def _is_valid_somewhere(number: str) -> bool:
    """Whether a national number is valid in one of the countries whose numbers begin with 0."""
    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


_CHINESE = re.compile(
    r"(?<![0-9a-z〇零幺一二三四五六七八九])(?:[幺一1][ \-]?[3-9三四五六七八九])(?:[ \-]?"
    r"[〇零幺一二三四五六七八九0-9]){9}(?![0-9〇零幺一二三四五六七八九])"
)
_WORD_DIGITS = "zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple"
_ENGLISH = re.compile(rf"(?<![a-z])(?:{_WORD_DIGITS})(?:[\s,\-]{{1,2}}(?:{_WORD_DIGITS})){{6,13}}(?![a-z])")
_RU_DIGITS = one_of(
    r"ноль один два три четыре пять шесть семь восемь девять десять \w+надцать двадцать тридцать сорок \w+десят",
    r"девяносто сто двести триста четыреста \w+сот",
)
_RUSSIAN = re.compile(
    rf"(?<![а-я])(?:плюс\s)?(?:восемь|семь)[\s,\-]{{1,2}}девятьсот(?:[\s,\-]{{1,2}}(?:{_RU_DIGITS})(?![а-я])"
    rf"){{4,12}}"
)


def _spoken(folded: Folded) -> Iterator[Hit]:
    """Numbers in words: "幺三八 0000 1234", "five five five oh one ...", "восемь девятьсот ..."."""
    low = folded.low
    if "三" in low or "八" in low or "五" in low or "七" in low or "九" in low or "一" in low or "幺" in low:
        for match in _CHINESE.finditer(low):
            if not match[0].isascii():
                yield _hit(*match.span(), rank=66)
    for pattern, clue in ((_ENGLISH, "e"), (_RUSSIAN, "девятьсот")):
        if clue in low:
            for match in pattern.finditer(low):
                yield _hit(*match.span(), rank=60)

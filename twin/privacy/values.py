"""What a word looks like when it is a secret: how sure its shape alone makes one, and where it ends.

Knows nothing of the words around it.
"""

from __future__ import annotations

import re
from enum import IntEnum

from twin.privacy.clues import one_of

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
STOPS = "\u3001\u3002\u3008-\u3011\uff01\uff0c\uff1b\uff1f\uff5e\u2026\u00b7\u2022\u00bf\u00a1"
EMOJI = "\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff\ue000-\uf8ff"
TOKEN = re.compile(rf"[{CJK}]+|[^\s{CJK}{STOPS}{EMOJI}]+")
"""A run of Chinese (Japanese, Korean) letters, or a run of anything else that is neither space nor a sign between."""

_LONGEST = 64


class Shape(IntEnum):
    """How much a word looks like a secret."""

    NONE = 0
    WORD = 1
    """Letters only: a secret if the sentence says so."""
    DIGITS = 2
    """Digits, perhaps grouped: a PIN if the sentence says so."""
    STRONG = 3
    """Letters with digits, or with signs inside: nobody writes so by accident, except for models and names."""
    SURE = 4
    """Capitals, small letters, digits and a sign inside."""


_PLACEHOLDER = re.compile(r"\[[a-z]+(?: [a-z]+)?\]")
_UNITS = one_of(
    "st nd rd th k kk m b s h x d g gb mb kb tb gib mib kg km cm mm ml ms px pt fps hz khz mhz ghz kwh w kw v",
    "a ah mah am pm min mins sec secs hr hrs hours days yrs years yo usd eur rub uah kzt btc eth bit nm inch",
    "in ft lbs oz mph й я е го му ый ой ая ое ти ми х к р руб рублей кк тыс млн ч час часов мин минут сек лет",
    "год года г кг км м см мм мл л гб мб тб шт раз раза этаж чел дней дня гр в d р-н uhr fois",
)
_ENDINGS = one_of("com org net ru cn io de fr uk eu me app dev gov edu info tv ua by kz рф")
_FILES = one_of(
    "jpe?g png gif pdf docx? xlsx? pptx? txt zip rar 7z py js ts c h cpp rs go java html? css json ya?ml md csv",
    "mp[34] exe apk",
)
_NO_SECRET = re.compile(
    "|".join(
        (
            rf".*://.*|www\..*|.*[a-z0-9-]\.[a-z]{{2,6}}/.*|\?.*=.*|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:{_ENDINGS})(?:/.*)?",
            r"[^@\s]*@[^@\s/:]+\.[a-z]{2,}(?:[:/].*)?",  # an e-mail address, the end of a link
            r"#\d+",  # numbers of tickets
            rf"[~+-]?[$€£¥₽№]?\d[\d.,:/-]*(?:{_UNITS}|[%°$€£¥₽+x])?",  # amounts, times, dates, ratios, ordinals
            r"[a-z]{0,3}\.?\d+(?:\.\d+)+\S{0,8}",  # v1.2.3-rc1
            r"\d{1,4}[xх*]\d{1,4}|\d{1,2}:\d{2}\S{0,3}",
            r"\d(?:fa|d|g|in\d)|1password|[cf]\+\+\d*|(?:he|ha|ах|ха|哈){3,}\w*",
            rf".*\.(?:{_FILES})",
        )
    ),
    re.IGNORECASE,
)
_BRANDS = one_of(
    "iphone ipad ipod galaxy windows win macos macbook mac ios android ubuntu debian office outlook excel word",
    "ps xbox switch gta fifa cod pixel redmi mi poco note nexus oneplus huawei honor rtx gtx rx ryzen core i",
    "intel usb hdmi mp h x web http https ipv utf sha md base wpa wep wifi wi-fi vpn tls ssl aes rsa covid room",
    "gate level chapter ch python py java php node vue angular es c gpt gpt- llama gemma qwen claude a b k q o",
    "u s e f g m n p t v w z айфон айпад виндовс винда уровень серия канал тв",
)
_MODEL = re.compile(
    r"[@#][^\W\d]\w*"  # handles, hashtags
    rf"|(?:{_BRANDS})-?\d{{1,4}}(?:k|s|e|g|c|b|h|ti|xl|pro|max|plus|mini|x|про|макс)?",
    re.IGNORECASE,
)
_AROUND = "\"')]}>,;|([{<"
_OPENS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_CLOSES = {close: opened for opened, close in _OPENS.items()}
_BEHIND = ".,;:?…"
_PIN = re.compile(r"[#*]?\d+(?:[ .\-]\d+)*[#*]?")
_INSIDE = set("!@#$%^&*?+~=")
_LINKS_WORDS = set("-'./’,")


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The value in `text[start:end]` without the quotes, brackets and punctuation around it; may be empty.

    A "!" at the end stays where the value has digits or signs of its own: passwords often end so. Of a placeholder,
    as `replace` puts it in, nothing is left.
    """
    if _PLACEHOLDER.match(text, start, end):
        return start, start
    while (
        start < end
        and text[start] in _AROUND
        and (text[start] not in _OPENS or text.find(_OPENS[text[start]], start, start + 66) > 0)
    ):
        start += 1
    while start < end:
        last = text[end - 1]
        if (
            last in _BEHIND
            or (last in _AROUND and not (last in _CLOSES and _CLOSES[last] in text[start:end]))
            or (last == "!" and (text[start:end].rstrip("!").isalpha() or text[start:end].endswith("!!!")))
        ):
            end -= 1
        elif last in "*_~" and text[start] == last and end - start > 2:
            start, end = start + 1, end - 1
        else:
            break
    return start, end


def shape(value: str, named: bool = False) -> Shape:
    """How much a trimmed value looks like a secret.

    Args:
        named: the sentence said that a secret comes now ("password: "), so "windows11" is none of a model's names.
    """
    if not 3 <= len(value) <= _LONGEST:
        return Shape.NONE
    if _PIN.fullmatch(value):
        return Shape.DIGITS
    if _NO_SECRET.fullmatch(value) or (not named and _MODEL.fullmatch(value)):
        return Shape.NONE
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdecimal, value))
    signs = {char for char in value[1:-1] if not char.isalnum()}
    if not letters:
        return Shape.DIGITS if digits and len(value) <= 12 and not signs - set("#*-. /") else Shape.NONE
    if digits:
        return Shape.SURE if _has_four_classes(value, signs) else Shape.STRONG
    if signs - _LINKS_WORDS and not signs & set('()[]{}<>"/|\\:;'):
        return Shape.STRONG
    return Shape.WORD if all(char.isalpha() or char in "-'’" for char in value.rstrip("!")) else Shape.NONE


def _has_four_classes(value: str, signs: set[str]) -> bool:
    return (
        len(value) >= 8
        and not value.rstrip("!?1").isalpha()  # "Hello!!1" is shouting
        and bool(signs & _INSIDE)
        and not signs & set("()[]{}<>\"'/|\\;,")
        and value[0] not in "@#/"
        and any(map(str.isupper, value))
        and any(map(str.islower, value))
    )


def classes(value: str) -> int:
    """How many of capitals, small letters, digits and signs a value has."""
    return sum(
        any(map(kind, value))
        for kind in (str.isupper, str.islower, str.isdecimal, lambda char: not char.isalnum() and not char.isspace())
    )


_COUNTED = one_of(
    "characters? chars? letters? digits? lines? times? people users? files? bugs? errors? dollars? euros? bucks",
    r"minutes? seconds? months? weeks? pages? steps? miles words? items? points? percent costs? строк\w* символ\w*",
    r"знак\w* букв\w* цифр\w* человек\w* баг\w* файл\w* ошиб\w* секунд\w* минут\w* дн\w+ недел\w* месяц\w*",
    r"страниц\w* рубл\w* долл\w* евро балл\w* процент\w* штук\w* строч\w* слов\w* метр\w* километр\w* стоит стоят",
)
_UNIT_AFTER = re.compile(
    rf"\s?(?:[%°₽€$£¥]|(?:{_UNITS}|{_COUNTED})(?![^\W\d_])"
    r"|[位分秒时天个次块元年月日人米度行条岁页万千折名件斤张本]|小时|号(?!码))"
)


def counts_something(after: str) -> bool:
    """Whether what follows a number (lower case) makes it an amount: "lines", "минут", "位", "%"."""
    return bool(_UNIT_AFTER.match(after))

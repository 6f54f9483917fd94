"""One-time codes: in texts of services, in apps, and passed on by people.

Knows nothing of codes of doors (those are passwords) and of errors, streets, discounts (those are nobody's secret).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.code_words import BEHIND, LINKED, SURE, WEAK, is_nobodys
from twin.privacy.folding import Folded
from twin.privacy.numbers import is_reference
from twin.privacy.spans import Hit
from twin.privacy.values import CJK, counts_something

_hit = partial(Hit, label="OTP")

_VALUE = re.compile(
    r"(?<![0-9a-z$€£₽#_/])(?<![0-9][.,:/\-])(?:[a-z]-)?"
    r"(?P<code>[0-9]{4,8}|[0-9]{3}[ \-][0-9]{3,4}|[0-9]{2}[ \-][0-9]{2}[ \-][0-9]{2}|[0-9]{2}-[0-9]{2})"
    r"(?![0-9a-z_%°]|[.,:/\-][0-9]|\s?[%₽€$])"
)
_SPACED = re.compile(r"(?P<code>[0-9](?:[ \-][0-9]){3,7})(?![0-9 \-]*[0-9])")
_MIXED = re.compile(
    r"(?<![A-Za-z0-9\-])(?P<code>(?=[A-Z0-9\-]{0,10}[0-9])(?=[0-9\-]{0,10}[A-Z])[A-Z0-9]{4,8}(?:-[A-Z0-9]{4,6})?|[A-Z]{5,8})"
    r"(?![A-Za-z0-9\-])"
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_ANSWERED = re.compile(r"[^.!?\n]{0,25}\?\s*(?:[^\W\d]{1,12}[\s,.:!\-]{1,3}){0,4}")
_USE = re.compile(
    r"(?:\b(?:use|enter|type|input)|введи(?:те)?|вбей|вводи|输入|请输入)\s?(?:code\s|the code\s|код\s|это\s)?"
    r"(?P<code>[0-9]{4,8}|[0-9]{3}[ \-][0-9]{3})"
    r"(?:\s(?:to\s(?:log|sign|verify|confirm|auth|complete|reset|get)|as\syour|for\s(?:login|verif)"
    r"|для\s(?:вход|подтвер|автори)|чтобы)|来?(?:登录|验证|完成))"
)
_GOOGLE = re.compile(r"(?<![a-z0-9])[a-z]{1,3}-(?P<code>[0-9]{5,8})(?![0-9])(?=\s(?:is|-|это)\s|\s?(?:是|为))")
# What a bank calls a password is a one-time code when it says that nobody may be told.
_NOBODY = re.compile(r"никому|не (?:сообщайте|говорите|передавайте)|do not share|don't share|请勿|切勿|勿泄露")
_PASSWORD = re.compile(r"(?:парол\w|password|密码)[\s:\-是为：]{1,3}(?:для \w+ )?(?P<code>[0-9]{4,8})(?![0-9])")
_CAME = re.compile(
    r"(?:got (?:the|a|my|an) (?:sms|text|code)|the sms|sms came|text came|it says|they sent|they texted"
    r"|смс(?:ка)? пришла|пришла смс|пришел код|прислали|пришло|код пришел|скинули|收到了?|短信来了?)"
    r"(?:[\s,.:!\-]{1,3}(?:it'?s|it|says|me|is|the|код|вот|там|это|мне|да|验证码|是)){0,3}[\s,.:!\-]{0,3}"
)
_CLAUSE_ENDS = re.compile(r"\s*(?:$|[.,!?;)\n\u3000-\u303f\uff00-\uffef\U0001f000-\U0001faff])")


def find_codes(folded: Folded) -> Iterator[Hit]:
    """Every one-time code; at most the first after, and one before, each word for it."""
    low = folded.low
    for match in _GOOGLE.finditer(low):
        yield _hit(*match.span("code"), rank=56)
    for match in _USE.finditer(low):
        yield _hit(*match.span("code"), rank=55)
    for word in SURE.finditer(low):
        if not _is_nobodys(folded, word):
            yield from _after_sure(folded, word)
        yield from _in_front(folded, word.start(), 24)
    for word in WEAK.finditer(low):
        if not _is_nobodys(folded, word):
            yield from _beside_weak(folded, word)
    for match in _CAME.finditer(low):
        value = _VALUE.match(low, match.end())
        if value and _CLAUSE_ENDS.match(low, value.end()) and not _YEAR.fullmatch(value["code"]):
            yield _hit(*value.span("code"), rank=51)
    if _NOBODY.search(low):
        for match in _PASSWORD.finditer(low):
            yield _hit(*match.span("code"), rank=70)


def _is_nobodys(folded: Folded, word: re.Match[str]) -> bool:
    return is_nobodys(folded.before(word.start(), 14), folded.after(word.end(), 24))


_IS = re.compile(r"(?:\s?(?:is|:|=|-|это|是|为|：))+\s?|\s")


def _after_sure(folded: Folded, word: re.Match[str]) -> Iterator[Hit]:
    """The first number within reach of words that mean nothing but a one-time code; or one of capitals and digits."""
    low, end = folded.low, word.end()
    for value in _VALUE.finditer(low, end, end + 64):
        if counts_something(folded.after(value.end(), 16)):
            continue
        if value.start() - end < 40 or re.search(rf"[{CJK}]", low[end : value.start()]):
            yield _hit(*value.span("code"), rank=55)
        return
    linked = _IS.match(low, end)
    mixed = _MIXED.match(folded.text, linked.end()) if linked else None
    if mixed and (any(map(str.isdecimal, mixed["code"])) or "steam" in word[0]):
        yield _hit(*mixed.span("code"), rank=54)


def _beside_weak(folded: Folded, word: re.Match[str]) -> Iterator[Hit]:
    """A number that the sentence ties to "code": after linking words, in answer to a question, or at its end."""
    low, end = folded.low, word.end()
    linked = LINKED.match(low, end)
    at = linked.end() if linked else end
    value = _VALUE.match(low, at) or _SPACED.match(low, at)
    asked = _ANSWERED.match(low, end) if value is None else None
    if asked:
        value = _VALUE.match(low, asked.end())
    if value is None:
        value = _at_the_end(folded, end)
    if value and _stands(folded, value, at > end + 1):
        yield _hit(*value.span("code"), rank=52)
    elif not word[0].startswith(("sms", "text", "смс", "сообщ")):
        yield from _in_front(folded, word.start(), 14)


_CLAUSE = re.compile(r"[^.!?\n0-9]{1,40}(?<=\s)")


def _at_the_end(folded: Folded, at: int) -> re.Match[str] | None:
    """The number with which the clause ends that a word for a code begins: "код на почту пришел 990012"."""
    clause = _CLAUSE.match(folded.low, at)
    value = _VALUE.match(folded.low, clause.end()) if clause else None
    if value is None or _YEAR.fullmatch(value["code"]) or is_reference(folded.before(value.start(), 30)):
        return None
    return value if _CLAUSE_ENDS.match(folded.low, value.end()) else None


def _stands(folded: Folded, value: re.Match[str], firm: bool) -> bool:
    """Whether nothing after the number makes it an amount, a year, or the beginning of something else.

    Args:
        firm: words like "is" tie the number to the word for a code.
    """
    after = folded.after(value.end(), 20)
    if counts_something(after):
        return False
    if _YEAR.fullmatch(value["code"]) and (not firm or re.match(r"\s?[a-zа-я]", after)):
        return False
    return firm or not re.match(r"\s[a-zа-я]{3,}", after)


_CLAIMS = re.compile(r"\bis\b|это|вот|-|ваш|your|yes|да\b")


def _in_front(folded: Folded, at: int, reach: int) -> Iterator[Hit]:
    """A number right before the word: "6620 - код для входа", "904417 is your code"."""
    for value in _VALUE.finditer(folded.low, max(0, at - reach - 10), at):
        is_amount = counts_something(folded.after(value.end(), 12)) or bool(_YEAR.fullmatch(value["code"]))
        if is_amount or not BEHIND.match(folded.low, value.end()):
            continue
        between = folded.low[value.end() : at]
        if not re.search(r"[a-zа-я]", between) or _CLAIMS.search(between):
            yield _hit(*value.span("code"), rank=53)

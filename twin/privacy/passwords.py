"""Passwords, PINs and door codes after or before a word for them, in sentences as people write them in chats.

Knows nothing of one-time codes and keys of programs; it reads one message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import word_set
from twin.privacy.folding import Folded
from twin.privacy.key_words import KEYS, Key
from twin.privacy.reading import DATE, YEAR, Link, Reading, is_last, is_value
from twin.privacy.spans import Hit
from twin.privacy.values import CJK, TOKEN, Shape, shape, trim
from twin.privacy.vocabulary import CHANGED, CONNECTED, IS, SERVICES

_hit = partial(Hit, label="PASSWORD")
_REACH = 130  # characters after a key word in which its value may stand
_WORDS = 12  # words between them


_ONE_TIME = re.compile(
    r"(?:one[ -]?time|otp|temporary sms|одноразов\w{2,3}|смс-?|sms-?|短信|动态|一次性|login|sign-?in)\s?$"
)
_FROM_TEXT = re.compile(r"\s(?:из|с|from|in)\s(?:the\s)?(?:смс|sms|text)")
# "login/pass: mark / Qwerty1": the first word is the login.
_LOGIN_AND = re.compile(
    r"(?:login|user(?:name)?|account|e?mail|id|логин|почта|имя|аккаунт|账号|帐号|账户|用户名?)"
    r"\s?(?:[/|&+,]|and|и|和)?\s?$"
)
_LOGIN_THEN = re.compile(
    r"\s*[:=\-]\s*(?P<user>[^\s/|:;,]{2,60})\s*(?:[/|:;,]|\s)\s*(?P<value>[^\s\u4e00-\u9fff]{4,64})"
)
_BESIDE_LOGIN = re.compile(
    r"(?:login|user(?:name)?|network|ssid|account|логин|сеть|имя|юзер|账号|帐号|用户名|名字)"
    r"\W{1,3}(?:is\W)?[^\s,;/]{2,40}[\s,;/]{1,3}(?:and\s|with\s|и\s)?$"
)
_SHORT_FORMS = frozenset({"pw", "pwd", "psw", "pswd", "passwd"})


def find_passwords(folded: Folded) -> Iterator[Hit]:
    """Every password, PIN and door code of a message, perhaps more than once."""
    for match in KEYS.finditer(folded.low):
        key = Key[match.lastgroup or "word"]
        before = folded.before(match.start(), 60)
        one_time = _ONE_TIME.search(before[-16:])
        if (
            key is Key.verb
            or (one_time and (key is Key.pin or "in" not in one_time[0]))
            or _FROM_TEXT.match(folded.low, match.end())
        ):
            continue
        pair = _LOGIN_THEN.match(folded.text, match.end()) if _LOGIN_AND.search(before[-14:]) else None
        if pair:
            start, end = trim(folded.text, *pair.span("value"))
            if start < end:
                yield _hit(start, end, rank=66)
            continue
        changed, login = bool(CHANGED.search(before[-24:])), bool(_BESIDE_LOGIN.search(before))
        yield from _after(folded, match.end(), Reading(key, changed, login, match[0] in _SHORT_FORMS))
        yield from _before(folded, match, key)


def _after(folded: Folded, at: int, reading: Reading) -> Iterator[Hit]:
    """Read on from a key word: the value is the first word that the sentence, or its shape, makes one."""
    text, position = folded.text, _glued(folded.low, at, reading)
    previous = ""
    for token in TOKEN.finditer(text, position, at + _REACH):
        start, end = token.start(), _whole(text, token, at + _REACH)
        if "\n" in text[position:start] and not reading.words and reading.link is Link.NEXT:
            reading.link = Link.IS
        if reading.words > _WORDS:
            return
        position = end
        value = _quoted(text, start, reading) or trim(text, start, end)
        if reading.link is Link.COLON and reading.key in (Key.word, Key.phrase):
            phrase = _PHRASE.match(text, start)
            if phrase and not _GRAMMAR & set(phrase[0].split()):
                yield _hit(*phrase.span(), rank=65)
                return
        tied = not reading.found or bool(CONNECTED.search(previous))
        if tied and is_value(folded, value, reading):
            yield _hit(*value, rank=60 + 2 * reading.link.value)
            reading.found, reading.link, previous = True, Link.NEXT, ""
            position = max(end, value[1])
            continue
        previous = folded.low[start:end]
        if not tied and not CONNECTED.search(previous):
            return
        _step(folded, start, end, reading)


_GRAMMAR = word_set(
    "the and for it is as in on at to of my your our his her you we they same last see ask with not need check",
    "please help whatever forgot idk use have has was are this that when from will can just like about let me",
    "know one time",
)
_PHRASE = re.compile(r"[a-z]{3,12}(?: [a-z]{3,12}){2,5}(?=\s*$)")


def _whole(text: str, token: re.Match[str], reach: int) -> int:
    """Where a word ends that the reach cuts in two."""
    if token.end() < reach:
        return token.end()
    whole = TOKEN.match(text, token.start(), token.start() + 80)
    return whole.end() if whole else token.end()


_GLUE = re.compile(
    r"\s*(?P<colon>(?:[:=]|->|=>|>)+)|(?P<is>'s\b|\s*-(?=\s))|(?P<stop>[?!.,;)]+(?![^\s?!.,;)]))"
    r"|\s*(?P<slash>/)|(?P<dash>-)"
)


def _glued(low: str, at: int, reading: Reading) -> int:
    """What is written at the very end of the key word: "password:", "passcode's", "code?"."""
    match = _GLUE.match(low, at)
    if match is None:
        return at
    if match["colon"]:
        reading.link = Link.COLON
    elif match["is"]:
        reading.link = Link.IS
    elif match["stop"]:
        reading.broke = True
        reading.link = Link.IS if "?" in match["stop"] else Link.NEXT
    elif match["dash"]:
        reading.purpose = True  # "password-manager": only what its shape alone makes a secret
    return match.end()


_ARROWS = frozenset({":", "=", "->", "=>", "-->", "==", ">", ">>", ":-", "=:", "~"})
_PREPOSITIONS = word_set("от на для к в с из for to on of in from at für de du do del di")
_CONJUNCTIONS = word_set("and but because so и но а und et y")
_TO = word_set("на to as в auf a en")
_STILL = word_set("now just still actually просто щас сейчас снова / | ,")
_PRONOUN_IS = word_set("its it's thats that's")
_CJK_IS = re.compile(r"(?:是|为|為|就是|改成了?|改为了?|换成了?|设成了?|设为了?|设置成了?|变成了?|用的?|按|输入?)$")


def _step(folded: Folded, start: int, end: int, reading: Reading) -> None:
    """Take a word that is no value into account."""
    word = folded.low[start:end]
    bare = word.strip(".,;:!?()\"'…")
    reading.words += 1 if re.match(rf"[^{CJK}]", word) else max(1, len(word) // 3)
    reading.purpose = bare in _PREPOSITIONS
    reading.has_purpose = reading.has_purpose or reading.purpose
    aside = not (reading.has_purpose or bare in IS or bare in _STILL or not word.isascii() or not bare.isalpha())
    reading.went_on = reading.went_on or bare in _CONJUNCTIONS or aside
    reading.changed = reading.changed or bool(CHANGED.search(word))
    is_is = bare in IS and (bare not in _PRONOUN_IS or reading.words <= 1 or reading.broke)
    if word in _ARROWS or word.endswith((":", "=", "->")):
        reading.link = Link.COLON
    elif is_is or word == "-" or _CJK_IS.search(word) or (reading.changed and bare in _TO):
        reading.link = Link.IS
    elif word not in _STILL and bare not in _STILL:
        reading.link = Link.NEXT
    if word.endswith((".", "!", "?", ";")) or folded.text[end : end + 1] in "。！？；\n":
        reading.broke = True


def _quoted(text: str, start: int, reading: Reading) -> tuple[int, int] | None:
    """What stands between quotes that open here; more than a word only where a phrase is told."""
    quote = text[start]
    if quote not in "\"'":
        return None
    end = text.find(quote, start + 1, start + 66)
    if end <= start + 3 or "\n" in text[start:end]:
        return None
    told = reading.link is Link.COLON or (reading.link is Link.IS and reading.key in (Key.word, Key.phrase))
    return (start + 1, end) if told or not re.search(r"\s", text[start:end]) else None


_TIES = re.compile(
    r"[\s\"')(,.;:!]*(?:(?:is|was|are|'s|thats|that's|its|it's|the|a|my|our|your|ur|her|his|their|for|new|old|current"
    r"|real|right|correct|wifi|wi-fi|login|phone|door|gate|alarm|main|это|вот|мой|наш|твой|и|есть|новый|старый"
    r"|текущий|тот|самый|as|used|der|das|ist|est|le|la|es|我的?|你的?|家里?的?|是|就是|这是|这个|那个|的|新|老|旧)"
    r"(?![a-zа-я])[\s,]*|[-=,(]\s*)*"
)
_SAYS_IS = re.compile(r"\bis\b|'s|thats|это|вот|[-=(]|是")


def _before(folded: Folded, word: re.Match[str], key: Key) -> Iterator[Hit]:
    """The value that stands before its key word: "hunter2 is the password", "Murzik_2015 вот пароль"."""
    low = folded.before(word.start(), 60)
    tail = _backwards(low)
    end = word.start() - (len(low) - tail)
    end -= len(folded.low[max(0, end - 4) : end]) - len(folded.low[max(0, end - 4) : end].rstrip(" ，,。:："))
    begin = max(folded.low.rfind(" ", 0, end), folded.low.rfind("\n", 0, end), end - 65) + 1
    pieces = list(TOKEN.finditer(folded.text, begin, end))
    if not pieces or pieces[-1].end() < end:
        return
    value = trim(folded.text, *pieces[-1].span())
    text, ties = folded.text[slice(*value)], low[tail:]
    alone = is_last(folded, word.end()) and not folded.low[: value[0]].strip(" \"'")
    linked = alone or any(char.isalpha() or char in "-=(" for char in ties.replace("的", ""))
    kind = shape(text)
    if not linked or text.lower() in SERVICES:
        return
    if kind >= Shape.STRONG and len(text) >= 6 and key is not Key.short:
        yield _hit(*value, rank=58)
    is_pin = kind is Shape.DIGITS and 4 <= len(text) <= 10 and key in (Key.pin, Key.door, Key.word)
    if is_pin and _SAYS_IS.search(ties) and not YEAR.fullmatch(text) and not DATE.fullmatch(text):
        yield _hit(*value, rank=57)


def _backwards(low: str) -> int:
    """Where the words that only tie a value to the key word behind it begin."""
    tail = len(low)
    words = list(re.finditer(rf"[{CJK}]+|[^\s{CJK}]+", low))[-7:]
    while words:
        word = words.pop()
        of_something = bool(words) and words[-1][0] in _PREPOSITIONS and word[0].isalpha()
        if not (_TIES.fullmatch(word[0]) or word[0] in _PREPOSITIONS or of_something):
            return word.end()
        tail = word.start()
    return tail
